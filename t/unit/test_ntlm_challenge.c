/* NTLMSSP CHALLENGE: what we build, read again by a decoder of this file's own, which shares only
 * the specification with the code under test; and what others build. */
#include "core/ntlm.h"

#include "sample.h"
#include "tap.h"

/* ---- CHALLENGE: the independent decoder ---- */

typedef struct challenge {
    uint32_t flags;
    const unsigned char *nonce, *reserved, *version;
    wa_span name, info;
} challenge;

static bool decode_field(const unsigned char *m, size_t n, size_t at, size_t *end, wa_span *out)
{
    size_t len = sample_le(m + at, 2);
    size_t off = sample_le(m + at + 4, 4);

    /* payload follows the fixed part in the order of the fields, without holes */
    if (len != sample_le(m + at + 2, 2) || off != *end || len > n - *end) {
        return false;
    }
    *out = wa_span_of(m + off, len);
    *end += len;
    return true;
}

static bool decode(wa_span s, challenge *out)
{
    size_t end = 56;

    if (s.n < 56 || memcmp(s.p, "NTLMSSP\0\2\0\0\0", 12) != 0) {
        return false;
    }
    out->flags = sample_le(s.p + 20, 4);
    out->nonce = s.p + 24;
    out->reserved = s.p + 32;
    out->version = s.p + 48;
    return decode_field(s.p, s.n, 12, &end, &out->name)
           && decode_field(s.p, s.n, 40, &end, &out->info) && end == s.n;
}

/* "2=AD,1=WEB,...,7=0807060504030201,0=": every AV pair in order, names as ASCII */
static const char *avs(wa_span info)
{
    static char text[4096];
    size_t used = 0;
    size_t at = 0;
    size_t i;

    while (at + 4 <= info.n) {
        unsigned id = sample_le(info.p + at, 2);
        size_t len = sample_le(info.p + at + 2, 2);
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%s%u=", at > 0 ? "," : "", id);
        at += 4;
        if (len > info.n - at) {
            return "(lying length)";
        }
        for (i = 0; i < len; i++) {
            if (id == 7) {
                used +=
                    (size_t)snprintf(text + used, sizeof(text) - used, "%02x", info.p[at + i]);
            }
            else if (i % 2 == 0) {
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%c", info.p[at + i]);
            }
            else if (info.p[at + i] != 0) {
                return "(not ASCII)";
            }
        }
        at += len;
        if (id == 0) {
            break;
        }
    }
    return at == info.n ? text : "(bytes behind the end)";
}

/* ---- CHALLENGE: what we build ---- */

static const wa_ntlm_target full = { "AD", "WEB", "ad.test", "web.ad.test" };
static const unsigned char nonce[8] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
static const uint64_t now = 0x0102030405060708ull;

/* Builds into a block of just cap bytes; the message is what keep holds. */
static bool build(uint32_t flags, const wa_ntlm_target *target, size_t cap, sample *keep,
                  wa_span *out)
{
    unsigned char *blank = calloc(1, cap > 0 ? cap : 1);
    wa_ntlm_negotiate msg = { flags };
    wa_writer w;
    bool good;

    if (blank == NULL) {
        sample_die("out of memory", "");
        return false;
    }
    *keep = sample_copy(blank, cap);
    free(blank);
    wa_writer_init(&w, (unsigned char *)keep->s.p, cap);
    good = wa_ntlm_build_challenge(&msg, target, nonce, now, &w);
    *out = wa_span_of(w.p, w.n);
    return good;
}

static void build_plain(void)
{
    static const unsigned char name16[] = { 'A', 0, 'D', 0 };
    static const char want[] =
        "2=AD,1=WEB,4=ad.test,3=web.ad.test,5=ad.test,7=0807060504030201,0=";
    sample sam;
    wa_span s;
    challenge c;

    if (!ok(build(0xe20882b7u, &full, WA_NTLM_MESSAGE_MAX, &sam, &s) && decode(s, &c),
            "a CHALLENGE for Windows 10 decodes")) {
        return;
    }
    is_int(c.flags, 0xe2898235u, "its flags: as Windows answers it");
    is_bytes(c.nonce, 8, nonce, 8, "the server challenge");
    is_bytes(c.reserved, 8, "\0\0\0\0\0\0\0\0", 8, "eight reserved zeros");
    is_bytes(c.version, 8, "\x0a\0\0\0\0\0\0\x0f", 8, "a version of NTLMSSP revision 15");
    is_bytes(c.name.p, c.name.n, name16, 4, "the target's name in UTF-16");
    is_str(avs(c.info), want, "the AV pairs, in Windows' order");
    sample_free(&sam);

    ok(build(0x2, &full, WA_NTLM_MESSAGE_MAX, &sam, &s) && decode(s, &c),
       "one for an OEM client");
    is_bytes(c.name.p, c.name.n, "AD", 2, "the target's name in its character set");
    is_str(avs(c.info), want, "AV pairs are UTF-16 all the same");
    is_bytes(c.version, 8, "\0\0\0\0\0\0\0\0", 8, "no version, but its place is kept");
    sample_free(&sam);
}

static void build_targets(void)
{
    static const struct {
        wa_ntlm_target target;
        const char *avs, *why;
    } rows[] = {
        { { "AD", "WEB", NULL, NULL }, "2=AD,1=WEB,7=0807060504030201,0=", "no DNS names" },
        { { "AD", "WEB", "", "" }, "2=AD,1=WEB,7=0807060504030201,0=", "empty DNS names" },
        { { "AD", "WEB", NULL, "web.x" },
          "2=AD,1=WEB,3=web.x,7=0807060504030201,0=",
          "no DNS domain" },
        { { "AD", "WEB", "x", NULL },
          "2=AD,1=WEB,4=x,5=x,7=0807060504030201,0=",
          "no DNS computer" },
    };
    sample sam;
    wa_span s;
    challenge c;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool good = build(1, &rows[i].target, WA_NTLM_MESSAGE_MAX, &sam, &s) && decode(s, &c);
        is_str(good ? avs(c.info) : NULL, rows[i].avs, "AV pairs with %s", rows[i].why);
        sample_free(&sam);
    }
}

/* Names that cannot be: each in turn, in both character sets. */
static void build_refused(void)
{
    static char long_name[257];
    static const char bad[] = "\xff";
    wa_ntlm_target rows[8];
    sample sam;
    wa_span s;
    size_t i;

    memset(long_name, 'x', 256);
    for (i = 0; i < 8; i++) {
        rows[i] = full;
    }
    rows[0].netbios_domain = rows[1].netbios_computer = bad;
    rows[2].dns_domain = rows[3].dns_computer = bad;
    rows[4].netbios_domain = rows[5].netbios_computer = long_name;
    rows[6].dns_domain = rows[7].dns_computer = long_name;
    for (i = 0; i < 8; i++) {
        bool unicode = build(1, &rows[i], 8192, &sam, &s);
        bool oem;
        sample_free(&sam);
        oem = build(2, &rows[i], 8192, &sam, &s);
        sample_free(&sam);
        ok(!unicode && !oem, "%s in name %zu", i < 4 ? "bad UTF-8" : "256 letters", i % 4 + 1);
    }
    long_name[255] = '\0';
    ok(build(1, &rows[7], 8192, &sam, &s), "255 letters are a name");
    sample_free(&sam);
}

static void build_room(void)
{
    sample sam;
    wa_span s;
    size_t whole, cap;
    int wrong = 0;

    (void)build(0xe20882b7u, &full, WA_NTLM_MESSAGE_MAX, &sam, &s);
    whole = s.n;
    sample_free(&sam);
    for (cap = 0; cap <= whole + 1; cap++) {
        bool good = build(0xe20882b7u, &full, cap, &sam, &s);
        wrong += good != (cap >= whole) || s.n > cap || (good && s.n != whole);
        sample_free(&sam);
    }
    is_int(wrong, 0, "too little room is a failure, never an overrun");
}

/* The largest names there are: refused or built, but never larger than promised. */
static void build_largest(void)
{
    static char text[256];
    static const size_t sizes[] = { 1, 15, 16, 100, 150, 200, 254, 255 };
    size_t a, b, i;
    int wrong = 0;
    int over = 0;
    int built = 0;

    memset(text, 'x', 255);
    for (a = 0; a < 8; a++) {
        for (b = 0; b < 8; b++) {
            const char *net = text + 255 - sizes[a];
            const char *dns = text + 255 - sizes[b];
            wa_ntlm_target target = { net, net, dns, dns };
            for (i = 1; i <= 2; i++) {
                sample sam;
                wa_span s;
                challenge c;
                bool good = build((uint32_t)i, &target, 8192, &sam, &s);
                wrong += good && !decode(s, &c);
                over += good && s.n > WA_NTLM_MESSAGE_MAX;
                built += good;
                sample_free(&sam);
            }
        }
    }
    is_int(wrong, 0, "long names make whole messages");
    ok(built > 90, "most of them fit");
    is_int(over, 0, "a message that is built is never longer than WA_NTLM_MESSAGE_MAX");
}

/* ---- CHALLENGE: flags ---- */

static uint32_t answer_to(uint32_t asked)
{
    sample sam;
    wa_span s;
    challenge c;
    uint32_t flags = 0;

    if (build(asked, &full, WA_NTLM_MESSAGE_MAX, &sam, &s) && decode(s, &c)) {
        flags = c.flags;
    }
    sample_free(&sam);
    return flags;
}

/* Every combination of the flags that have an echo rule, against the rules one by one. */
static void flag_echo(void)
{
    static const uint32_t bits[] = {
        WA_NTLM_UNICODE, WA_NTLM_OEM, WA_NTLM_SIGN, WA_NTLM_SEAL,    WA_NTLM_LM_KEY,
        WA_NTLM_ESS,     WA_NTLM_56,  WA_NTLM_128,  WA_NTLM_VERSION, WA_NTLM_KEY_EXCH,
    };
    enum { BITS = sizeof(bits) / sizeof(bits[0]) };
    enum { ALWAYS, CHARSET, SIGN, SEAL, LMKEY, ESS, WIDTH, KEYEXCH, VERSION, NEVER, RULES };
    static const char *const rules[RULES] = {
        "REQUEST_TARGET, NTLM, ALWAYS_SIGN, TARGET_INFO and TARGET_TYPE_DOMAIN always",
        "UNICODE if asked, else OEM, never both",
        "SIGN iff asked",
        "SEAL iff asked",
        "LM_KEY never, so ESS wins over it",
        "ESS iff asked",
        "56 and 128 iff asked",
        "KEY_EXCH if asked together with SIGN or SEAL, else not",
        "VERSION iff asked",
        "nothing else: no LOCAL_CALL, DATAGRAM, ANONYMOUS, TARGET_TYPE_SERVER",
    };
    uint32_t always = 0x00000004u | 0x00000200u | 0x00008000u | 0x00800000u | 0x00010000u;
    int wrong[RULES] = { 0 };
    unsigned combination;
    size_t i;

    for (combination = 0; combination < 1u << BITS; combination++) {
        uint32_t asked = 0;
        uint32_t got;
        for (i = 0; i < BITS; i++) {
            asked |= combination >> i & 1 ? bits[i] : 0;
        }
        got = answer_to(asked);
        wrong[ALWAYS] += (got & always) != always;
        wrong[CHARSET] += (got & 3u) != (asked & 1u ? 1u : 2u);
        wrong[SIGN] += (got & 0x10u) != (asked & 0x10u);
        wrong[SEAL] += (got & 0x20u) != (asked & 0x20u);
        wrong[LMKEY] += (got & 0x80u) != 0;
        wrong[ESS] += (got & 0x80000u) != (asked & 0x80000u);
        wrong[WIDTH] += (got & 0xa0000000u) != (asked & 0xa0000000u);
        wrong[KEYEXCH] += (got & 0x40000000u) != (asked & 0x30u ? asked & 0x40000000u : 0);
        wrong[VERSION] += (got & 0x02000000u) != (asked & 0x02000000u);
        wrong[NEVER] +=
            (got & ~(always | 3u | 0x30u | 0x80000u | 0xe0000000u | 0x02000000u)) != 0;
    }
    for (i = 0; i < RULES; i++) {
        is_int(wrong[i], 0, "flags: %s", rules[i]);
    }
}

/* Every single bit, alone and with everything: the forbidden ones never come back. */
static void flag_never(void)
{
    uint32_t allowed = 0xe0000000u | 0x02000000u | 0x00800000u | 0x00080000u | 0x00010000u
                       | 0x00008000u | 0x00000200u | 0x00000037u;
    int bit;
    int wrong = 0;

    for (bit = 0; bit < 32; bit++) {
        wrong += (answer_to(1u | (uint32_t)1 << bit) & ~allowed) != 0;
        wrong += (answer_to(~((uint32_t)1 << bit) | 1u) & ~allowed) != 0;
    }
    is_int(wrong, 0, "no bit asked for brings one that is not ours to set");
    is_int(
        answer_to(0xffffffffu)
            & (WA_NTLM_LOCAL_CALL | WA_NTLM_DATAGRAM | WA_NTLM_ANONYMOUS | WA_NTLM_TARGET_SERVER),
        0, "not even when all are asked for");
    is_int(answer_to(0xffffffffu), (long long)0xe2898235u, "all asked for");
    is_int(answer_to(0xe20882b7u), (long long)0xe2898235u, "Windows 10 asked");
    is_int(answer_to(0xa2088207u), (long long)0xa2898205u, "a browser on Windows asked");
    is_int(answer_to(0x00008206u), 0x00818206LL, "an OEM client asked");
}

/* ---- CHALLENGE: somebody else's ---- */

static void challenge_vectors(void)
{
    static const struct {
        const char *name, *nonce; /* nonce NULL: refused */
        uint32_t flags;
    } rows[] = {
        { "ms-nlmp-v1-challenge.hex", "0123456789abcdef", 0xe2028233u },
        { "ms-nlmp-v1cc-challenge.hex", "0123456789abcdef", 0x820a8233u },
        { "ms-nlmp-v2-challenge.hex", "0123456789abcdef", 0xe28a8233u },
        { "ntlm-auth-cbt-mic-challenge.hex", "0123456789abcdef", 0xe28a8233u },
        { "win2019-challenge.hex", "8e3415a6a6ec237f", 0xe2898235u },
        { "pyspnego-ntlm_challenge.bin", "e4101014cf8a90be", 0xe2898235u },
        { "ntlm-auth-cbt-challenge.hex", NULL, 0 },
        { "win2019-negotiate.hex", NULL, 0 },
        { "win2019-authenticate.hex", NULL, 0 },
    };
    size_t i, n;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_load(rows[i].name);
        sample want = sample_hex(rows[i].nonce != NULL ? rows[i].nonce : "");
        wa_span got = wa_span_of("junk", 4);
        uint32_t flags = 77;
        int wrong = 0;
        bool good = wa_ntlm_parse_challenge(sam.s, &got, &flags);
        ok(good == (rows[i].nonce != NULL), "%s: %s", rows[i].name,
           rows[i].nonce != NULL ? "parses" : "is refused");
        if (rows[i].nonce == NULL) {
            ok(got.n == 0 && flags == 0, "and nothing of it is handed out");
        }
        else {
            ok(wa_span_equal(got, want.s) && sample_holds(sam.s, got) && flags == rows[i].flags,
               "its nonce and flags");
            for (n = 0; n < sam.s.n; n++) {
                sample cut = sample_copy(sam.s.p, n);
                size_t end =
                    sample_le(sam.s.p + 12, 2) > 0 ? 56 + sample_le(sam.s.p + 12, 2) : 32;
                wrong += wa_ntlm_parse_challenge(cut.s, &got, &flags) != (n >= end);
                wrong += !sample_holds(cut.s, got);
                sample_free(&cut);
            }
            is_int(wrong, 0, "cut anywhere, only whole names parse");
        }
        sample_free(&sam);
        sample_free(&want);
    }
}

static void challenge_round_trip(void)
{
    sample sam;
    wa_span s;
    wa_span got;
    uint32_t flags;

    (void)build(0xe20882b7u, &full, WA_NTLM_MESSAGE_MAX, &sam, &s);
    ok(wa_ntlm_parse_challenge(s, &got, &flags), "what we build we can read");
    is_bytes(got.p, got.n, nonce, 8, "the nonce comes back");
    is_int(flags, answer_to(0xe20882b7u), "so do the flags");
    sample_free(&sam);
    sam = sample_hex("4e544c4d53535000 02000000 0000000000000000 01000000 1122334455667788");
    ok(wa_ntlm_parse_challenge(sam.s, &got, &flags) && flags == 1 && got.n == 8,
       "a CHALLENGE of 32 bytes");
    sample_free(&sam);
    sam = sample_hex("4e544c4d53535000 02000000 0100010020000000 01000000 1122334455667788 41");
    ok(wa_ntlm_parse_challenge(sam.s, &got, &flags),
       "one with a name right behind the fixed part");
    sample_free(&sam);
    sam = sample_hex("4e544c4d53535000 02000000 010001001f000000 01000000 1122334455667788 41");
    ok(!wa_ntlm_parse_challenge(sam.s, &got, &flags), "one with a name over the fixed part");
    sample_free(&sam);
    sam = sample_hex("4e544c4d53535000 02000000 00000000ffffffff 01000000 11223344556677");
    ok(!wa_ntlm_parse_challenge(sam.s, &got, &flags), "one of 31 bytes");
    sample_free(&sam);
}

int main(void)
{
    build_plain();
    build_targets();
    build_refused();
    build_room();
    build_largest();
    flag_echo();
    flag_never();
    challenge_vectors();
    challenge_round_trip();
    return done_testing();
}
