/* NTLMSSP AUTHENTICATE: every shape a client may send, and every way in which one may lie. */
#include "core/ntlm.h"

#include "sample.h"
#include "tap.h"
#include "type3.h"

static const char *const vectors[] = {
    "ms-nlmp-v1-authenticate.hex",        "ms-nlmp-v1cc-authenticate.hex",
    "ms-nlmp-v2-authenticate.hex",        "ntlm-auth-cbt-authenticate.hex",
    "ntlm-auth-cbt-mic-authenticate.hex", "win2019-authenticate.hex",
    "pyspnego-ntlm_authenticate.bin",     "pyspnego-ntlm_authenticate_no_sign_seal.bin",
};

enum { VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

/* ---- vectors ---- */

/* UTF-16LE of just these letters */
static bool is_ascii(wa_span s, const char *text)
{
    size_t k = 0;

    while (2 * k < s.n && s.p[2 * k] == (unsigned char)text[k] && s.p[2 * k + 1] == 0) {
        k++;
    }
    return 2 * k == s.n && text[k] == '\0';
}

static void known_vectors(void)
{
    static const struct {
        const char *name;
        wa_reason reason;
        size_t lm, nt, domain, user, workstation, key;
        uint32_t flags, av_flags;
        const char *proof;  /* the first bytes of the NT response */
        const char *target; /* MsvAvTargetName, as ASCII; "" when absent */
        const char *cb;     /* MsvAvChannelBindings; "" when absent */
    } rows[] = {
        { "ms-nlmp-v1-authenticate.hex", WA_REASON_NTLMV1_REFUSED, 24, 24, 12, 8, 16, 16,
          0xe2808235u, 0, "67c43011f30298a2ad35ece64f16331c", "", "" },
        { "ms-nlmp-v1cc-authenticate.hex", WA_REASON_NTLMV1_REFUSED, 24, 24, 12, 8, 16, 0,
          0x82088235u, 0, "7537f803ae367128ca458204bde7caf8", "", "" },
        { "ms-nlmp-v2-authenticate.hex", WA_REASON_OK, 24, 84, 12, 8, 16, 16, 0xe2888235u, 0,
          "68cd0ab851e51c96aabc927bebef6a1c", "", "" },
        { "ntlm-auth-cbt-authenticate.hex", WA_REASON_OK, 24, 104, 12, 8, 16, 16, 0xe28a8231u, 0,
          "0410c47acf199789de7f2011957aea50", "", "6ea19df066da4622051f9c4f92c6df74" },
        { "ntlm-auth-cbt-mic-authenticate.hex", WA_REASON_OK, 24, 124, 12, 8, 16, 16, 0xe28a8231u,
          2, "a13d038ad0ca026433897c335e0f56df", "", "6ea19df066da4622051f9c4f92c6df74" },
        { "win2019-authenticate.hex", WA_REASON_OK, 24, 314, 0, 54, 20, 16, 0xe2888235u, 2,
          "604147f7c888141283a9a1dd0036ef7f", "HOST\\dc01.domain.local",
          "00000000000000000000000000000000" },
        { "pyspnego-ntlm_authenticate.bin", WA_REASON_OK, 0, 252, 0, 54, 26, 16, 0xe2898235u, 0,
          "c543cc0d1a0fbd9ec05e1aab0771b124", "dc01.domain.local",
          "00000000000000000000000000000000" },
        { "pyspnego-ntlm_authenticate_no_sign_seal.bin", WA_REASON_OK, 24, 272, 0, 14, 26, 16,
          0xe28a8205u, 2, "c84cc5f1f5f833bfea0af042ec1d592f", "HOST/192.168.121.229",
          "00000000000000000000000000000000" },
    };
    size_t i;

    is_int(sizeof(rows) / sizeof(rows[0]), VECTORS, "a row for each vector");
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_load(rows[i].name);
        sample proof = sample_hex(rows[i].proof);
        wa_ntlm_authenticate m;
        sample cb;
        is_int(wa_ntlm_parse_authenticate(sam.s, &m), rows[i].reason, "%s", rows[i].name);
        ok(m.lm.n == rows[i].lm && m.nt.n == rows[i].nt && m.domain.n == rows[i].domain
               && m.user.n == rows[i].user && m.workstation.n == rows[i].workstation
               && m.session_key.n == rows[i].key,
           "lengths of its fields");
        is_int(m.flags, rows[i].flags, "its flags");
        ok(wa_span_begins(m.nt, proof.s) && all_inside(sam.s, &m), "its NTProofStr");
        if (rows[i].reason == WA_REASON_OK) {
            is_int(m.blob.av_flags, rows[i].av_flags, "its MsvAvFlags");
            is_int(m.has_mic, (rows[i].av_flags & 2) != 0, "whether it has a MIC");
            ok(is_ascii(m.blob.target_name, rows[i].target), "its target name");
            cb = sample_hex(rows[i].cb);
            ok(wa_span_equal(m.blob.channel_bindings, cb.s), "its channel binding");
            sample_free(&cb);
        }
        sample_free(&sam);
        sample_free(&proof);
    }
}

static void win2019_details(void)
{
    sample sam = sample_load("win2019-authenticate.hex");
    sample mic = sample_hex("8b0051b4b8bf4f11c8b2cdaac151c410");
    wa_ntlm_authenticate m;

    (void)wa_ntlm_parse_authenticate(sam.s, &m);
    ok(m.blob.timestamp == 0x01d6245b1b4eb4feull, "the timestamp");
    is_bytes(m.user.p, 16, "v\0a\0g\0r\0a\0n\0t\0-\0", 16, "the user begins so");
    is_bytes(m.user.p + m.user.n - 10, 10, "L\0O\0C\0A\0L\0", 10, "and ends so");
    is_bytes(sam.s.p + WA_NTLM_MIC_OFFSET, 16, mic.s.p, 16, "its MIC is where we say");
    sample_free(&sam);
    sample_free(&mic);
}

/* A field reaches to the end in every vector, so that no truncation is whole. */
static void truncations(void)
{
    size_t i, n;

    for (i = 0; i < VECTORS; i++) {
        sample sam = sample_load(vectors[i]);
        int wrong = 0;
        for (n = 0; n < sam.s.n; n++) {
            wrong += parse(sam.s.p, n) != WA_REASON_BAD_TOKEN;
        }
        is_int(wrong, 0, "every truncation of %s is refused", vectors[i]);
        sample_free(&sam);
    }
}

/* Any bit flipped: whatever the verdict, every view lies inside. */
static void flips(void)
{
    size_t i, at;
    int bit;

    for (i = 0; i < VECTORS; i++) {
        sample sam = sample_load(vectors[i]);
        unsigned char *p = (unsigned char *)sam.s.p;
        int outside = 0;
        for (at = 0; at < sam.s.n; at++) {
            for (bit = 1; bit < 256; bit <<= 1) {
                wa_ntlm_authenticate m;
                p[at] ^= (unsigned char)bit;
                (void)wa_ntlm_parse_authenticate(sam.s, &m);
                outside += !all_inside(sam.s, &m);
                p[at] ^= (unsigned char)bit;
            }
        }
        is_int(outside, 0, "%s with any one bit flipped", vectors[i]);
        sample_free(&sam);
    }
}

/* ---- lying fields ---- */

/* Each field of each vector with lengths and offsets that it does not have. */
static void lies_in(const char *name, int *wrong_views, int *wrong_verdicts)
{
    static const uint32_t lens[] = { 0, 1, 2, 16, 24, 25, 0x7fff, 0x8000, 0xfffe, 0xffff };
    sample sam = sample_load(name);
    unsigned char *p = (unsigned char *)sam.s.p;
    uint32_t n = (uint32_t)sam.s.n;
    uint32_t offs[16];
    size_t a, b, f;

    for (a = 0; a < 6; a++) {
        static const uint32_t edges[] = { 0, 12, FIXED - 1, FIXED, 72, 88 };
        offs[a] = edges[a];
    }
    offs[6] = n - 1;
    offs[7] = n;
    offs[8] = n + 1;
    offs[9] = n - 24;
    offs[10] = 0x7fffffffu;
    offs[11] = 0x80000000u;
    offs[12] = 0xffffffffu;
    offs[13] = 0xffff0000u;
    offs[14] = 0xffffffffu - n + 2;
    offs[15] = n - 16;
    for (f = 0; f < FIELDS; f++) {
        unsigned char was[8];
        unsigned char *field = p + 12 + 8 * f;
        memcpy(was, field, 8);
        for (a = 0; a < sizeof(lens) / sizeof(lens[0]); a++) {
            for (b = 0; b < 16; b++) {
                wa_ntlm_authenticate m;
                bool truth = lens[a] == 0
                             || (offs[b] >= FIXED && (uint64_t)offs[b] + lens[a] <= (uint64_t)n);
                wa_reason reason;
                put_le(field, lens[a], 2);
                put_le(field + 4, offs[b], 4);
                reason = wa_ntlm_parse_authenticate(sam.s, &m);
                *wrong_verdicts += !truth && reason != WA_REASON_BAD_TOKEN;
                *wrong_views += !all_inside(sam.s, &m);
                *wrong_views += truth
                                && (view(&m, (int)f).n != lens[a]
                                    || (lens[a] > 0 && view(&m, (int)f).p != p + offs[b]));
            }
        }
        memcpy(field, was, 8);
    }
    sample_free(&sam);
}

static void lies(void)
{
    int views = 0;
    int verdicts = 0;
    size_t i;

    for (i = 0; i < VECTORS; i++) {
        lies_in(vectors[i], &views, &verdicts);
    }
    is_int(verdicts, 0, "a field that does not lie inside is always a bad token");
    is_int(views, 0, "one that does is seen where it says, and nothing is ever seen outside");
}

static void max_len_and_empty(void)
{
    spec s = good();
    wa_span m = make(&s);
    unsigned char *p = (unsigned char *)m.p;
    int f;
    int wrong = 0;

    for (f = 0; f < FIELDS; f++) {
        put_le(p + 14 + 8 * f, f % 2 ? 0xffff : 0, 2);
    }
    is_int(parse(m.p, m.n), WA_REASON_OK, "MaxLen is ignored, too small or too large");
    s.fields[LM] = s.fields[DOMAIN] = s.fields[WORKSTATION] = s.fields[KEY];
    m = make(&s);
    for (f = 0; f < FIELDS; f++) {
        if (s.fields[f].n == 0) {
            put_le(p + 16 + 8 * f, f % 2 ? 0xffffffffu : 0, 4);
            wrong += parse(m.p, m.n) != WA_REASON_OK;
        }
    }
    is_int(wrong, 0, "the offset of an empty field is ignored");
    s = good();
    m = make(&s);
    put_le(p + 16 + 8 * DOMAIN, sample_le(p + 16 + 8 * USER, 4), 4);
    put_le(p + 12 + 8 * DOMAIN, sample_le(p + 12 + 8 * USER, 2), 2);
    is_int(parse(m.p, m.n), WA_REASON_OK, "fields may overlap");
    s.payload = 64;
    is_int(judge(&s), WA_REASON_OK, "the payload may begin right behind the flags");
    s.payload = 88;
    is_int(judge(&s), WA_REASON_OK, "or behind a MIC");
}

static void headers(void)
{
    spec s = good();
    wa_span m = make(&s);
    unsigned char copy[1024];
    size_t i;
    int wrong = 0;

    memcpy(copy, m.p, m.n);
    for (i = 0; i < 12; i++) {
        unsigned v;
        for (v = 0; v < 256; v++) {
            copy[i] = (unsigned char)v;
            wrong += parse(copy, m.n) != (v == m.p[i] ? WA_REASON_OK : WA_REASON_BAD_TOKEN);
        }
        copy[i] = m.p[i];
    }
    is_int(wrong, 0, "signature and type, every byte of them");
    is_int(parse("", 0), WA_REASON_BAD_TOKEN, "nothing");
    is_int(wa_ntlm_parse_authenticate(wa_span_of(NULL, 0), &(wa_ntlm_authenticate){ 0 }),
           WA_REASON_BAD_TOKEN, "an unset span");
    copy[m.n] = 0xff;
    is_int(parse(copy, m.n + 1), WA_REASON_OK, "bytes that no field claims are ignored");
}

/* ---- who may never log in ---- */

static void anonymous(void)
{
    int bits;
    int wrong = 0;

    /* user, NT response, LM response of 0, 1, 2 or 24 bytes, ANONYMOUS flag: every combination */
    for (bits = 0; bits < 32; bits++) {
        static const size_t lm_sizes[] = { 0, 1, 2, 24 };
        spec s = good();
        size_t lm = lm_sizes[bits >> 2 & 3];
        bool user = bits & 1;
        bool nt = bits & 2;
        bool flag = bits & 16;
        wa_reason want = !user || flag ? WA_REASON_ANONYMOUS_REFUSED
                         : nt          ? WA_REASON_OK
                         : lm <= 1     ? WA_REASON_ANONYMOUS_REFUSED
                                       : WA_REASON_NTLMV1_REFUSED;
        s.fields[LM].n = lm;
        s.fields[NT].n = nt ? s.fields[NT].n : 0;
        s.fields[USER].n = user ? s.fields[USER].n : 0;
        s.flags |= flag ? WA_NTLM_ANONYMOUS : 0;
        wrong += judge(&s) != want;
    }
    is_int(wrong, 0, "every anonymous shape is refused as such, every other one is not");
}

static void key_exchange(void)
{
    static const unsigned char key[64] = { 1 };
    size_t n;
    int with = 0;
    int without = 0;

    for (n = 0; n <= sizeof(key); n++) {
        spec s = good();
        s.fields[KEY] = wa_span_of(key, n);
        without += judge(&s) != WA_REASON_OK;
        s.flags |= WA_NTLM_KEY_EXCH;
        with += judge(&s) != (n == 16 ? WA_REASON_OK : WA_REASON_BAD_TOKEN);
    }
    is_int(with, 0, "a key exchange needs a key of 16 bytes; none, and the message is refused");
    is_int(without, 0, "without one the key does not matter");
}

static void name_lengths(void)
{
    static const unsigned char name[600] = { 'x' };
    static const int fields[] = { DOMAIN, USER, WORKSTATION };
    size_t i, n;
    int wrong = 0;

    for (i = 0; i < 3; i++) {
        for (n = 500; n < 530; n++) {
            spec s = good();
            s.fields[fields[i]] = wa_span_of(name, n);
            wrong += judge(&s) != (n <= WA_NTLM_NAME_MAX ? WA_REASON_OK : WA_REASON_BAD_TOKEN);
        }
    }
    is_int(wrong, 0, "names of up to 512 bytes");
}

int main(void)
{
    known_vectors();
    win2019_details();
    truncations();
    flips();
    lies();
    max_len_and_empty();
    headers();
    anonymous();
    key_exchange();
    name_lengths();
    return done_testing();
}
