/* NTLMSSP AUTHENTICATE: the NT response, its client blob and the AV pairs in it. */
#include "core/ntlm.h"

#include "sample.h"
#include "tap.h"
#include "type3.h"

static void response_lengths(void)
{
    static unsigned char buf[100];
    spec s = good();
    size_t n;
    int wrong = 0;

    memcpy(buf, s.fields[NT].p, 44);
    for (n = 0; n <= sizeof(buf); n++) {
        wa_reason want = n == 0 || n == 24 ? WA_REASON_NTLMV1_REFUSED
                         : n < 48          ? WA_REASON_BAD_TOKEN /* no room for MsvAvEOL */
                                           : WA_REASON_OK;
        s.fields[NT] = wa_span_of(buf, n);
        wrong += judge(&s) != want;
    }
    is_int(wrong, 0, "every length of an NT response");
    memset(buf, 0x77, sizeof(buf));
    s.fields[NT] = wa_span_of(buf, 24);
    is_int(judge(&s), WA_REASON_NTLMV1_REFUSED, "24 bytes are NTLMv1 whatever they hold");
    s.flags |= WA_NTLM_ESS;
    is_int(judge(&s), WA_REASON_NTLMV1_REFUSED, "with session security too");
}

static void blob_version(void)
{
    static unsigned char buf[64];
    spec s = good();
    int a, b;
    int wrong = 0;

    memcpy(buf, s.fields[NT].p, 52);
    s.fields[NT] = wa_span_of(buf, 52);
    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            buf[16] = (unsigned char)a;
            buf[17] = (unsigned char)b;
            wrong += a < 4 || b < 4
                         ? judge(&s) != (a == 1 && b == 1 ? WA_REASON_OK : WA_REASON_BAD_TOKEN)
                         : 0;
        }
    }
    is_int(wrong, 0, "RespType and HiRespType are 1");
    buf[16] = buf[17] = 1;
    memset(buf + 18, 0xff, 26);
    is_int(judge(&s), WA_REASON_OK, "what is reserved is not looked at");
}

#define EOL "00000000"
#define CB16 "6ea19df066da4622051f9c4f92c6df74"

static void av_table(void)
{
    static const struct {
        const char *pairs;
        bool good;
        uint32_t flags;
        size_t target, cb;
        const char *why;
    } rows[] = {
        { EOL, true, 0, 0, 0, "the end alone" },
        { EOL "00000000", true, 0, 0, 0, "four zeros behind it, as clients send" },
        { EOL "ffffffff", true, 0, 0, 0, "anything behind it" },
        { EOL "0600040002000000", true, 0, 0, 0, "pairs behind it do not count" },
        { "00000400 01020304", true, 0, 0, 0, "an end with a value" },
        { "00000500 01020304", false, 0, 0, 0, "an end whose value reaches outside" },
        { "", false, 0, 0, 0, "no end, no pairs" },
        { "00", false, 0, 0, 0, "a quarter of an end" },
        { "0000", false, 0, 0, 0, "half an end" },
        { "000000", false, 0, 0, 0, "three quarters" },
        { "01000200 4100", false, 0, 0, 0, "a pair, no end" },
        { "01000200 4100 0000", false, 0, 0, 0, "a pair, half an end" },
        { "01000300 4100" EOL, false, 0, 0, 0, "a pair that eats into the end" },
        { "0100ffff 4100" EOL, false, 0, 0, 0, "a pair as long as can be" },
        { "01000600 4100" EOL, false, 0, 0, 0, "a pair that eats the end" },
        { "01000000" EOL, true, 0, 0, 0, "an empty name" },
        { "0b000200 4100" EOL, true, 0, 0, 0, "an unknown pair" },
        { "ffff0000" EOL, true, 0, 0, 0, "an unknown pair, empty" },
        { "00010000" EOL, true, 0, 0, 0, "256 is not the end" },
        { "06010400 02000000" EOL, true, 0, 0, 0, "262 is not the flags" },
        { "06000400 02000000" EOL, true, 2, 0, 0, "flags: MIC" },
        { "06000400 00000000" EOL, true, 0, 0, 0, "flags: none" },
        { "06000400 04000000" EOL, true, 4, 0, 0, "flags: untrusted name" },
        { "06000400 ffffffff" EOL, true, 0xffffffffu, 0, 0, "flags: all" },
        { "06000400 00020000" EOL, true, 0x200, 0, 0, "flags are little-endian" },
        { "06000000" EOL, false, 0, 0, 0, "flags of no bytes" },
        { "06000100 02" EOL, false, 0, 0, 0, "flags of one byte" },
        { "06000200 0200" EOL, false, 0, 0, 0, "flags of two" },
        { "06000300 020000" EOL, false, 0, 0, 0, "flags of three" },
        { "06000500 0200000000" EOL, true, 2, 0, 0, "flags of five: what is behind is ignored" },
        { "06000400 02000000 06000400 04000000" EOL, true, 6, 0, 0, "flags twice add up" },
        { "06000400 02000000 06000400 00000000" EOL, true, 2, 0, 0, "and cannot be taken back" },
        { "09000400 41004200" EOL, true, 0, 4, 0, "a target name" },
        { "09000000" EOL, true, 0, 0, 0, "an empty one" },
        { "0a001000" CB16 EOL, true, 0, 0, 16, "a channel binding" },
        { "0a000000" EOL, false, 0, 0, 0, "one of no bytes" },
        { "0a000f00 6ea19df066da4622051f9c4f92c6df" EOL, false, 0, 0, 0, "one of 15" },
        { "0a001100" CB16 "00" EOL, false, 0, 0, 0, "one of 17" },
        { "0a002000" CB16 CB16 EOL, false, 0, 0, 0, "one of 32" },
        { "0a001000" CB16 "0a000000" EOL, false, 0, 0, 0, "a good one, then a bad one" },
        { "0a001000" CB16, false, 0, 0, 0, "a good one, no end" },
        { "02000200 4100 01000200 4200 07000800 0102030405060708 06000400 02000000 09000200 4300 "
          "0a001000" CB16 EOL,
          true, 2, 2, 16, "all of it" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        spec s = good();
        wa_ntlm_authenticate m;
        wa_span msg;
        sample sam;
        wa_reason reason;
        s.fields[NT] = response(rows[i].pairs);
        s.payload = 88;
        msg = make(&s);
        sam = sample_copy(msg.p, msg.n);
        reason = wa_ntlm_parse_authenticate(sam.s, &m);
        ok(rows[i].good ? reason == WA_REASON_OK && m.blob.av_flags == rows[i].flags
                              && m.blob.target_name.n == rows[i].target
                              && m.blob.channel_bindings.n == rows[i].cb
                              && m.has_mic == ((rows[i].flags & 2) != 0) && all_inside(sam.s, &m)
                        : reason == WA_REASON_BAD_TOKEN,
           "AV pairs: %s", rows[i].why);
        sample_free(&sam);
    }
}

/* A response that is the last thing in the message, cut at every byte. */
static void av_truncations(void)
{
    spec s = good();
    wa_span whole = response("02000200 4100 06000400 02000000 09000200 4300 0a001000" CB16 EOL);
    size_t n;
    int wrong = 0;

    for (n = 25; n <= whole.n; n++) {
        wa_ntlm_authenticate m;
        wa_span msg;
        sample sam;
        s.fields[NT] = wa_span_of(NULL, 0);
        s.payload = 88;
        msg = make(&s);
        sam = sample_copy(msg.p, msg.n + n);
        memcpy((unsigned char *)sam.s.p + msg.n, whole.p, n);
        put_le((unsigned char *)sam.s.p + 20, (uint32_t)n, 2);
        put_le((unsigned char *)sam.s.p + 24, (uint32_t)msg.n, 4);
        wrong += wa_ntlm_parse_authenticate(sam.s, &m)
                 != (n == whole.n ? WA_REASON_OK : WA_REASON_BAD_TOKEN);
        sample_free(&sam);
    }
    is_int(wrong, 0, "AV pairs cut at every byte");
}

static void mic(void)
{
    spec s = good();
    wa_ntlm_authenticate m;
    sample sam;
    wa_span msg;

    s.fields[NT] = response("06000400 02000000" EOL);
    s.payload = 88;
    msg = make(&s);
    sam = sample_copy(msg.p, msg.n);
    ok(wa_ntlm_parse_authenticate(sam.s, &m) == WA_REASON_OK && m.has_mic, "a MIC is announced");
    sample_free(&sam);
    s.fields[NT] = response("06000400 05000000" EOL);
    msg = make(&s);
    sam = sample_copy(msg.p, msg.n);
    ok(wa_ntlm_parse_authenticate(sam.s, &m) == WA_REASON_OK && !m.has_mic,
       "the other flags announce none");
    sample_free(&sam);
}

int main(void)
{
    response_lengths();
    blob_version();
    av_table();
    av_truncations();
    mic();
    return done_testing();
}
