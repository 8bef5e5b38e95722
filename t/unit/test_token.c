/* Telling the kind of a token by its first bytes. */
#include "core/token.h"

#include "sample.h"
#include "tap.h"

static wa_token_kind sniff(const void *p, size_t n)
{
    sample sam = sample_copy(p, n);
    wa_token_kind kind = wa_token_sniff(sam.s);

    sample_free(&sam);
    return kind;
}

static void vectors(void)
{
    static const struct {
        const char *name;
        wa_token_kind kind;
    } rows[] = {
        { "win2019-negotiate.hex", WA_TOKEN_NTLM_NEGOTIATE },
        { "ntlm-auth-cbt-negotiate.hex", WA_TOKEN_NTLM_NEGOTIATE },
        { "capture-ntlm-negotiate-win10.hex", WA_TOKEN_NTLM_NEGOTIATE },
        { "capture-ntlm-negotiate-xp.hex", WA_TOKEN_NTLM_NEGOTIATE },
        { "capture-ntlm-negotiate-oem.hex", WA_TOKEN_NTLM_NEGOTIATE },
        { "pyspnego-ntlm_negotiate.bin", WA_TOKEN_NTLM_NEGOTIATE },
        { "win2019-authenticate.hex", WA_TOKEN_NTLM_AUTHENTICATE },
        { "ms-nlmp-v1-authenticate.hex", WA_TOKEN_NTLM_AUTHENTICATE },
        { "pyspnego-ntlm_authenticate.bin", WA_TOKEN_NTLM_AUTHENTICATE },
        { "win2019-challenge.hex", WA_TOKEN_UNKNOWN },
        { "ms-nlmp-v2-challenge.hex", WA_TOKEN_UNKNOWN },
        { "pyspnego-ntlm_challenge.bin", WA_TOKEN_UNKNOWN },
        { "capture-spnego-ntlm-init.hex", WA_TOKEN_SPNEGO_INIT },
        { "pyspnego-initial_context_token_neg_token_init.bin", WA_TOKEN_SPNEGO_INIT },
        { "pyspnego-initial_context_token_neg_token_init2.bin", WA_TOKEN_SPNEGO_INIT },
        { "pyspnego-neg_token_resp.bin", WA_TOKEN_SPNEGO_RESP },
        { "IIS8_5-404.hex", WA_TOKEN_SPNEGO_RESP },
        { "pyspnego-initial_context_token_krb_ap_req.bin", WA_TOKEN_KRB5 },
        { "pyspnego-initial_context_token_krb_ap_rep.bin", WA_TOKEN_KRB5 },
        { "pyspnego-krb_error.bin", WA_TOKEN_UNKNOWN },
    };
    size_t i, n;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_load(rows[i].name);
        bool ntlm = sam.s.p[0] == 'N';
        bool resp = sam.s.p[0] == 0xa1; /* only the tag is looked at, so one byte is enough */
        int wrong = 0;
        is_int(wa_token_sniff(sam.s), rows[i].kind, "%s", rows[i].name);
        for (n = 0; n < sam.s.n; n++) {
            bool enough = ntlm ? n >= 12 : resp && n > 0;
            wrong += sniff(sam.s.p, n) != (enough ? rows[i].kind : WA_TOKEN_UNKNOWN);
        }
        is_int(wrong, 0, "its truncations");
        sample_free(&sam);
    }
}

static void message_types(void)
{
    /* clang-format off */
    static const struct {
        const char *type; /* little-endian */
        wa_token_kind kind;
    } rows[] = {
        { "00000000", WA_TOKEN_UNKNOWN },        { "01000000", WA_TOKEN_NTLM_NEGOTIATE },
        { "02000000", WA_TOKEN_UNKNOWN },        { "03000000", WA_TOKEN_NTLM_AUTHENTICATE },
        { "04000000", WA_TOKEN_UNKNOWN },        { "ffffffff", WA_TOKEN_UNKNOWN },
        { "00000001", WA_TOKEN_UNKNOWN },        { "00000003", WA_TOKEN_UNKNOWN },
        { "01010000", WA_TOKEN_UNKNOWN },        { "03000080", WA_TOKEN_UNKNOWN },
        { "03010000", WA_TOKEN_UNKNOWN },        { "01000100", WA_TOKEN_UNKNOWN },
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];
        sample sam;
        (void)snprintf(text, sizeof(text), "4e544c4d53535000 %s 00000000", rows[i].type);
        sam = sample_hex(text);
        is_int(wa_token_sniff(sam.s), rows[i].kind, "NTLMSSP with type bytes %s", rows[i].type);
        sample_free(&sam);
    }
}

static void signature(void)
{
    unsigned char message[] = "NTLMSSP\0\1\0\0\0\0\0\0";
    size_t at;
    int v;
    int wrong = 0;

    is_int(sniff(message, 16), WA_TOKEN_NTLM_NEGOTIATE, "the signature");
    for (at = 0; at < 8; at++) {
        unsigned char was = message[at];
        for (v = 0; v < 256; v++) {
            message[at] = (unsigned char)v;
            wrong += v != was && sniff(message, 16) != WA_TOKEN_UNKNOWN
                     && !(at == 0 && v == 0xa1); /* then it is another kind's tag */
        }
        message[at] = was;
    }
    is_int(wrong, 0, "any other byte in any place of it");
}

/* One byte, and it alone, then with something harmless behind. */
static void first_byte(void)
{
    int v;
    int wrong = 0;

    for (v = 0; v < 256; v++) {
        unsigned char token[16] = { 0 };
        wa_token_kind want = v == 0xa1 ? WA_TOKEN_SPNEGO_RESP : WA_TOKEN_UNKNOWN;
        token[0] = (unsigned char)v;
        wrong += sniff(token, 1) != want;
        wrong += sniff(token, sizeof(token)) != want;
    }
    is_int(wrong, 0, "every first byte");
    is_int(sniff("", 0), WA_TOKEN_UNKNOWN, "nothing");
    is_int(wa_token_sniff(wa_span_of(NULL, 0)), WA_TOKEN_UNKNOWN, "an unset span");
    is_int(WA_TOKEN_UNKNOWN, 0, "a kind nobody filled in is unknown");
}

static void framed(void)
{
    static const struct {
        const char *token;
        wa_token_kind kind;
        const char *why;
    } rows[] = {
        { "600d 06092a864886f712010202 0100", WA_TOKEN_KRB5, "bare Kerberos" },
        { "600d 06092a864882f712010202 0100", WA_TOKEN_UNKNOWN, "Microsoft's name for it, bare" },
        { "600a 06062b0601050502 a000", WA_TOKEN_SPNEGO_INIT, "SPNEGO; not judged here" },
        { "600e 060a2b06010401823702020a 4e54", WA_TOKEN_UNKNOWN, "NTLM in a GSS frame" },
        { "600e 060a2b06010401823702021e 4e54", WA_TOKEN_UNKNOWN, "bare NEGOEX" },
        { "600e 060a2a864886f71201020203 0400", WA_TOKEN_UNKNOWN, "user-to-user" },
        { "600e 06062b0601050502 a000", WA_TOKEN_UNKNOWN, "a frame longer than the token" },
        { "600a 06062b0601050502 a000 00", WA_TOKEN_UNKNOWN, "a frame shorter than the token" },
        { "6080 06062b0601050502 a000 0000", WA_TOKEN_UNKNOWN, "indefinite length" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_hex(rows[i].token);
        is_int(wa_token_sniff(sam.s), rows[i].kind, "%s", rows[i].why);
        sample_free(&sam);
    }
}

int main(void)
{
    vectors();
    message_types();
    signature();
    first_byte();
    framed();
    return done_testing();
}
