/* NTLMSSP: the kind of a message, NEGOTIATE as clients send it, names in either character set.
 * CHALLENGE and AUTHENTICATE have files of their own. */
#include "core/ntlm.h"

#include "sample.h"
#include "tap.h"

/* ---- kind of message ---- */

static void message_type(void)
{
    /* clang-format off */
    static const struct {
        const char *hex;
        unsigned type;
    } rows[] = {
        { "4e544c4d5353500001000000", 1 }, { "4e544c4d5353500002000000", 2 },
        { "4e544c4d5353500003000000", 3 }, { "4e544c4d535350000300000000", 3 },
        { "4e544c4d5353500000000000", 0 }, { "4e544c4d5353500004000000", 0 },
        { "4e544c4d53535000ffffffff", 0 }, { "4e544c4d5353500000000001", 0 },
        { "4e544c4d5353500001000001", 0 }, { "4e544c4d5353500001010000", 0 },
        { "4e544c4d53535000010000", 0 },   { "4e544c4d53535000", 0 },
        { "4e544c4d535350", 0 },           { "", 0 },
        { "4e544c4d5353502001000000", 0 }, { "6e544c4d5353500001000000", 0 },
        { "00000000000000000000000001000000", 0 },
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_hex(rows[i].hex);
        is_int(wa_ntlm_message_type(sam.s), rows[i].type, "message type of %s",
               rows[i].hex[0] != '\0' ? rows[i].hex : "nothing");
        sample_free(&sam);
    }
}

/* ---- NEGOTIATE ---- */

#define TYPE1 "4e544c4d53535000 01000000 "
#define NOFIELD "0000000000000000 "

static void negotiate_table(void)
{
    static const struct {
        const char *hex;
        bool good;
        const char *why;
    } rows[] = {
        { TYPE1 "01000000", true, "16 bytes, UNICODE" },
        { TYPE1 "02000000", true, "16 bytes, OEM" },
        { TYPE1 "03000000", true, "16 bytes, both" },
        { TYPE1 "07820000", true, "16 bytes, usual flags" },
        { TYPE1 "00000000", false, "neither UNICODE nor OEM" },
        { TYPE1 "fcffffff", false, "every flag but these two" },
        { TYPE1 "01000000 " NOFIELD, true, "24 bytes" },
        { TYPE1 "01000000 " NOFIELD NOFIELD, true, "32 bytes" },
        { TYPE1 "01000002 " NOFIELD NOFIELD "0a0061 4a0000000f", true, "40 bytes with VERSION" },
        { TYPE1 "01000000 " NOFIELD NOFIELD "0000000000000000", true,
          "40 bytes without VERSION" },
        { TYPE1 "01000002 " NOFIELD NOFIELD, true, "VERSION said but not sent" },
        { TYPE1 "02000000 ffffffffffffffff ffffffffffffffff", true,
          "fields without their flags mean nothing" },
        { TYPE1 "02000000 ffffffff", true, "even cut off" },

        { TYPE1 "02100000 0100010020000000 " NOFIELD "41", true, "a domain, inside" },
        { TYPE1 "02100000 0100010021000000 " NOFIELD "41", false, "a domain one byte outside" },
        { TYPE1 "02100000 0200020020000000 " NOFIELD "41", false, "a domain one byte too long" },
        { TYPE1 "02100000 0100ffff20000000 " NOFIELD "41", true, "MaxLen is ignored" },
        { TYPE1 "02100000 01000000 20000000 " NOFIELD "41", true, "even when less than Len" },
        { TYPE1 "02100000 0000000020000000 " NOFIELD, true, "an empty domain at the end" },
        { TYPE1 "02100000 00000000ffffffff " NOFIELD, true, "an empty domain anywhere" },
        { TYPE1 "02100000 0100010000000000 " NOFIELD "41", false, "a domain over the signature" },
        { TYPE1 "02100000 010001000f000000 " NOFIELD "41", false, "a domain over the flags" },
        { TYPE1 "02100000 01000100ffffffff " NOFIELD "41", false, "the largest offset" },
        { TYPE1 "02100000 ffffffff20000000 " NOFIELD "41", false, "the largest length" },
        { TYPE1 "02100000 02000200ffffffff " NOFIELD "41", false, "a sum that wraps in 32 bits" },
        { TYPE1 "02100000", false, "a domain said, no field" },
        { TYPE1 "02100000 01000100200000", false, "a domain said, its field cut off" },
        { TYPE1 "02100000 0000000000000000", true, "a domain said, empty, and no more" },

        { TYPE1 "02200000 " NOFIELD "0100010020000000 41", true, "a workstation, inside" },
        { TYPE1 "02200000 " NOFIELD "0100010021000000 41", false, "a workstation outside" },
        { TYPE1 "02200000 " NOFIELD "0200020020000000 41", false, "a workstation too long" },
        { TYPE1 "02200000 " NOFIELD "00000000ffffffff 41", true, "an empty workstation" },
        { TYPE1 "02200000 ffffffffffffffff 0100010020000000 41", true,
          "a workstation behind a domain field that means nothing" },
        { TYPE1 "02200000 " NOFIELD, false, "a workstation said, no field" },
        { TYPE1 "02200000", false, "a workstation said, no fields at all" },
        { TYPE1 "02200000 01000100", false, "a workstation said, half a field" },
        { TYPE1 "02300000 0100010020000000 0100010021000000 4142", true, "both, inside" },
        { TYPE1 "02300000 0100010020000000 0200020020000000 4142", true, "both, overlapping" },
        { TYPE1 "02300000 0300030020000000 0100010021000000 4142", false, "both, one outside" },
        { TYPE1 "02300000 0100010020000000 0300030020000000 4142", false, "both, the other" },
        { TYPE1 "02300000 0100010020000000 0100010021000000 4142 ffffffff", true,
          "bytes behind" },

        { TYPE1 "010000", false, "15 bytes" },
        { TYPE1, false, "no flags" },
        { "4e544c4d53535000 02000000 01000000", false, "a CHALLENGE" },
        { "4e544c4d53535000 03000000 01000000", false, "an AUTHENTICATE" },
        { "4e544c4d53535100 01000000 01000000", false, "another signature" },
        { "", false, "nothing" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_hex(rows[i].hex);
        wa_ntlm_negotiate msg = { 0x5a5a5a5au };
        bool got = wa_ntlm_parse_negotiate(sam.s, &msg);
        ok(got == rows[i].good && (!got || msg.flags == sample_le(sam.s.p + 12, 4)),
           "NEGOTIATE: %s", rows[i].why);
        sample_free(&sam);
    }
}

static void negotiate_vectors(void)
{
    static const struct {
        const char *name;
        size_t len, fixed; /* up to where a truncation leaves nothing that is said outside */
        uint32_t flags;
    } rows[] = {
        { "win2019-negotiate.hex", 40, 16, 0xe20882b7u },
        { "pyspnego-ntlm_negotiate.bin", 40, 16, 0xe20882b7u },
        { "capture-ntlm-negotiate-win10.hex", 40, 16, 0xe20882b7u },
        { "capture-ntlm-negotiate-xp.hex", 40, 16, 0xa2088207u },
        { "capture-ntlm-negotiate-oem.hex", 57, 57, 0xa208b207u },
        { "ntlm-auth-cbt-negotiate.hex", 54, 54, 0xe288b031u },
        { "ntlm-auth-cbt-mic-negotiate.hex", 54, 54, 0xe288b031u },
    };
    size_t i, n;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_load(rows[i].name);
        wa_ntlm_negotiate msg;
        int wrong = 0;
        ok(wa_ntlm_parse_negotiate(sam.s, &msg) && sam.s.n == rows[i].len, "%s parses",
           rows[i].name);
        is_int(msg.flags, rows[i].flags, "its flags");
        for (n = 0; n < sam.s.n; n++) {
            sample cut = sample_copy(sam.s.p, n);
            wrong += wa_ntlm_parse_negotiate(cut.s, &msg) != (n >= rows[i].fixed);
            sample_free(&cut);
        }
        is_int(wrong, 0, "cut anywhere, it parses only if nothing it says is missing");
        sample_free(&sam);
    }
}

/* The NEGOTIATE inside a real SPNEGO token: 62 bytes, domain behind workstation. */
static void negotiate_in_spnego(void)
{
    sample outer = sample_load("capture-spnego-ntlm-init.hex");
    sample inner = sample_copy(outer.s.p + outer.s.n - 62, 62);
    sample cut = sample_copy(inner.s.p, 61);
    wa_ntlm_negotiate msg;

    ok(wa_ntlm_parse_negotiate(inner.s, &msg), "a NEGOTIATE out of a SPNEGO token");
    is_int(msg.flags, 0xe208b297u, "its flags");
    ok(!wa_ntlm_parse_negotiate(cut.s, &msg), "and without its last byte");
    sample_free(&outer);
    sample_free(&inner);
    sample_free(&cut);
}

static void flag_values(void)
{
    /* the numbers themselves, from [MS-NLMP] 2.2.2.5 */
    ok(WA_NTLM_UNICODE == 1 && WA_NTLM_OEM == 2 && WA_NTLM_REQUEST_TARGET == 4
           && WA_NTLM_SIGN == 0x10 && WA_NTLM_SEAL == 0x20 && WA_NTLM_DATAGRAM == 0x40
           && WA_NTLM_LM_KEY == 0x80 && WA_NTLM_NTLM == 0x200 && WA_NTLM_ANONYMOUS == 0x800
           && WA_NTLM_DOMAIN_SUPPLIED == 0x1000 && WA_NTLM_WORKSTATION_SUPPLIED == 0x2000
           && WA_NTLM_LOCAL_CALL == 0x4000 && WA_NTLM_ALWAYS_SIGN == 0x8000,
       "the lower flags have their values");
    ok(WA_NTLM_TARGET_DOMAIN == 0x10000 && WA_NTLM_TARGET_SERVER == 0x20000
           && WA_NTLM_ESS == 0x80000 && WA_NTLM_TARGET_INFO == 0x800000
           && WA_NTLM_VERSION == 0x2000000 && WA_NTLM_128 == 0x20000000
           && WA_NTLM_KEY_EXCH == 0x40000000 && WA_NTLM_56 == 0x80000000u,
       "the upper flags have theirs");
}

/* ---- names ---- */

static void names(void)
{
    static const struct {
        const char *field; /* in hexadecimal */
        uint32_t flags;
        const char *utf8, *utf16; /* in hexadecimal; NULL: refused */
        const char *why;
    } rows[] = {
        { "41006400", 1, "4164", "41006400", "UNICODE" },
        { "6a00f60072006700", 1, "6ac3b67267", "6a00f60072006700", "UNICODE beyond ASCII" },
        { "3dd800de", 1, "f09f9880", "3dd800de", "a surrogate pair" },
        { "410064", 1, NULL, NULL, "half a letter" },
        { "41000000", 1, NULL, "41000000", "U+0000; the hash may have it, a name not" },
        { "3dd8", 1, NULL, "3dd8", "half a pair" },
        { "", 1, "", "", "an empty name" },
        { "4164", 2, "4164", "41006400", "OEM" },
        { "4164", 0, "4164", "41006400", "neither flag: as OEM" },
        { "41006400", 3, "4164", "41006400", "both flags: UNICODE wins" },
        { "6ac3b67267", 2, "6ac3b67267", "6a00f60072006700", "OEM that is UTF-8" },
        { "6af67267", 2, NULL, NULL, "OEM of a code page we do not know" },
        { "410064", 2, NULL, NULL, "OEM with a NUL" },
        { "", 2, "", "", "an empty OEM name" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample in = sample_hex(rows[i].field);
        sample utf8 = sample_hex(rows[i].utf8 != NULL ? rows[i].utf8 : "");
        sample utf16 = sample_hex(rows[i].utf16 != NULL ? rows[i].utf16 : "");
        unsigned char buf[64];
        wa_writer w;
        bool good;

        wa_writer_init(&w, buf, sizeof(buf));
        good = wa_ntlm_name_to_utf8(in.s, rows[i].flags, &w);
        ok(good == (rows[i].utf8 != NULL)
               && (!good || wa_span_equal(wa_span_of(w.p, w.n), utf8.s)),
           "as UTF-8: %s", rows[i].why);
        wa_writer_init(&w, buf, sizeof(buf));
        good = wa_ntlm_name_to_utf16(in.s, rows[i].flags, &w);
        ok(good == (rows[i].utf16 != NULL)
               && (!good || wa_span_equal(wa_span_of(w.p, w.n), utf16.s)),
           "as UTF-16: %s", rows[i].why);
        if (rows[i].utf8 != NULL && in.s.n > 0) {
            bool too_small;
            wa_writer_init(&w, buf, utf8.s.n - 1);
            too_small = !wa_ntlm_name_to_utf8(in.s, rows[i].flags, &w);
            wa_writer_init(&w, buf, utf16.s.n - 1);
            ok(too_small && !wa_ntlm_name_to_utf16(in.s, rows[i].flags, &w), "one byte too few");
        }
        sample_free(&in);
        sample_free(&utf8);
        sample_free(&utf16);
    }
}

int main(void)
{
    message_type();
    flag_values();
    negotiate_table();
    negotiate_vectors();
    negotiate_in_spnego();
    names();
    return done_testing();
}
