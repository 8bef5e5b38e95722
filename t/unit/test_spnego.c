/* SPNEGO: which mechanisms a token proposes, what it carries; and nothing half-formed passes. */
#include "core/spnego.h"

#include "der.h"
#include "sample.h"
#include "tap.h"

/* Both decoders, given a copy that ends where its block ends. */
static bool init_of(wa_span token, wa_spnego_init *out, sample *keep)
{
    *keep = sample_copy(token.p, token.n);
    memset(out, 0x5a, sizeof(*out));
    return wa_spnego_parse_init(keep->s, out);
}

static bool resp_of(wa_span token, wa_spnego_resp *out, sample *keep)
{
    *keep = sample_copy(token.p, token.n);
    memset(out, 0x5a, sizeof(*out));
    return wa_spnego_parse_resp(keep->s, out);
}

static bool init_ok(wa_span token)
{
    wa_spnego_init init;
    sample sam;
    bool got = init_of(token, &init, &sam);

    sample_free(&sam);
    return got;
}

static bool resp_ok(wa_span token)
{
    wa_spnego_resp resp;
    sample sam;
    bool got = resp_of(token, &resp, &sam);

    sample_free(&sam);
    return got;
}

/* "nk": one letter a mechanism */
static const char *mechs_of(const wa_spnego_init *init)
{
    static char text[WA_SPNEGO_MECHS_MAX + 1];
    size_t i;

    for (i = 0; i < init->mech_count && i < WA_SPNEGO_MECHS_MAX; i++) {
        text[i] = init->mechs[i] < WA_MECH_COUNT ? "okmns"[init->mechs[i]] : '!';
    }
    text[i] = '\0';
    return text;
}

static void init_vectors(void)
{
    static const struct {
        const char *name;
        const char *mechs;  /* k Kerberos, m Microsoft's Kerberos, n NTLM, o other */
        size_t token_len;   /* mechToken */
        const char *begins; /* its first bytes, in hexadecimal */
    } rows[] = {
        { "pyspnego-initial_context_token_neg_token_init.bin", "kn", 1378, "6082055e06092a86" },
        { "pyspnego-initial_context_token_neg_token_init2.bin", "omkon", 0, "" },
        { "capture-spnego-ntlm-init.hex", "nmko", 62, "4e544c4d5353500001000000" },
    };
    size_t i, n;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_load(rows[i].name);
        sample begins = sample_hex(rows[i].begins);
        wa_spnego_init init;
        int accepted = 0;
        ok(wa_spnego_parse_init(sam.s, &init), "%s parses", rows[i].name);
        is_str(mechs_of(&init), rows[i].mechs, "its mechanisms, in order");
        is_int(init.mech_token.n, rows[i].token_len, "length of its mechToken");
        ok(wa_span_begins(init.mech_token, begins.s) && sample_holds(sam.s, init.mech_token),
           "the mechToken is the client's, as a view");
        ok(!resp_ok(sam.s), "and it is no NegTokenResp");
        for (n = 0; n < sam.s.n; n++) {
            accepted += init_ok(wa_span_of(sam.s.p, n));
        }
        is_int(accepted, 0, "no truncation of it parses");
        sample_free(&sam);
        sample_free(&begins);
    }
}

static void resp_vectors(void)
{
    static const struct {
        const char *name;
        size_t token_len;
    } rows[] = {
        { "pyspnego-neg_token_resp.bin", 156 },
        { "IIS8_5-404.hex", 155 },
        { "IIS6-200.hex", 133 },
    };
    sample kerberos = sample_hex("60 81");
    size_t i, n;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_load(rows[i].name);
        wa_spnego_resp resp;
        int accepted = 0;
        ok(wa_spnego_parse_resp(sam.s, &resp), "%s parses", rows[i].name);
        is_int(resp.response_token.n, rows[i].token_len, "length of its responseToken");
        ok(wa_span_begins(resp.response_token, kerberos.s)
               && sample_holds(sam.s, resp.response_token),
           "a view of a Kerberos token");
        ok(!init_ok(sam.s), "and it is no NegTokenInit");
        for (n = 0; n < sam.s.n; n++) {
            accepted += resp_ok(wa_span_of(sam.s.p, n));
        }
        is_int(accepted, 0, "no truncation of it parses");
        sample_free(&sam);
    }
    sample_free(&kerberos);
}

/* Any single byte replaced by any other: whatever the verdict, every view lies inside. */
static void flipped(const char *name)
{
    sample sam = sample_load(name);
    unsigned char *p = (unsigned char *)sam.s.p;
    size_t at, limit = sam.s.n < 200 ? sam.s.n : 200; /* behind that there is only ticket */
    int v;
    int outside = 0;

    for (at = 0; at < limit; at++) {
        unsigned char was = p[at];
        for (v = 0; v < 256; v++) {
            wa_spnego_init init;
            wa_spnego_resp resp;
            wa_span inner;
            p[at] = (unsigned char)v;
            if (wa_spnego_parse_init(sam.s, &init)) {
                outside += init.mech_count == 0 || init.mech_count > WA_SPNEGO_MECHS_MAX
                           || !sample_holds(sam.s, init.mech_token);
            }
            if (wa_spnego_parse_resp(sam.s, &resp)) {
                outside += !sample_holds(sam.s, resp.response_token);
            }
            (void)wa_spnego_framing(sam.s, &inner);
            outside += !sample_holds(sam.s, inner);
        }
        p[at] = was;
    }
    is_int(outside, 0, "%s with any one byte changed", name);
    sample_free(&sam);
}

static void framing(void)
{
    static const struct {
        const char *token;
        wa_mech mech;
        size_t inner;
        const char *why;
    } rows[] = {
        { "600b 06092a864886f712010202", WA_MECH_KRB5, 0, "Kerberos with nothing behind" },
        { "600d 06092a864886f712010202 0100", WA_MECH_KRB5, 2, "Kerberos, an AP-REQ's token id" },
        { "600d 06092a864882f712010202 0100", WA_MECH_MS_KRB5, 2, "Microsoft's Kerberos" },
        { "600e 060a2b06010401823702020a 4e54", WA_MECH_NTLM, 2, "NTLM" },
        { "600a 06062b0601050502 a000", WA_MECH_SPNEGO, 2, "SPNEGO" },
        { "60810a 06062b0601050502 a000", WA_MECH_SPNEGO, 2, "a longer length than needed" },
        { "600e 060a2b06010401823702021e 4e54", WA_MECH_OTHER, 2, "NEGOEX" },
        { "600e 060a2a864886f71201020203 4e54", WA_MECH_OTHER, 2,
          "user-to-user, one arc longer" },
        { "600c 06082a864886f7120102 0100", WA_MECH_OTHER, 2, "Kerberos, one arc short" },
        { "6004 0600 0100", WA_MECH_OTHER, 2, "an empty identifier" },
        { "600a 06062b0601050503 a000", WA_MECH_OTHER, 2, "SPNEGO's, last arc wrong" },
        { "", WA_MECH_OTHER, 0, "nothing" },
        { "60", WA_MECH_OTHER, 0, "a tag alone" },
        { "6000", WA_MECH_OTHER, 0, "an empty frame" },
        { "6002 0606", WA_MECH_OTHER, 0, "an identifier cut off" },
        { "600a 04062b0601050502 a000", WA_MECH_OTHER, 0, "not an identifier's tag" },
        { "610a 06062b0601050502 a000", WA_MECH_OTHER, 0, "not the frame's tag" },
        { "400a 06062b0601050502 a000", WA_MECH_OTHER, 0, "primitive instead of constructed" },
        { "600a 06062b0601050502 a0", WA_MECH_OTHER, 0, "shorter than it says" },
        { "600a 06062b0601050502 a00000", WA_MECH_OTHER, 0, "longer than it says" },
        { "6080 06062b0601050502 a000 0000", WA_MECH_OTHER, 0, "indefinite length" },
        { "600a 06802b0601050502 0000", WA_MECH_OTHER, 0, "an identifier of indefinite length" },
        { "6085000000000a 06062b0601050502 a000", WA_MECH_OTHER, 0, "five length octets" },
        { "600a 06ff2b0601050502 a000", WA_MECH_OTHER, 0, "127 length octets" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_hex(rows[i].token);
        wa_span inner = wa_span_of("x", 1);
        wa_mech mech = wa_spnego_framing(sam.s, &inner);
        ok(mech == rows[i].mech && inner.n == rows[i].inner
               && (inner.n == 0 || inner.p + inner.n == sam.s.p + sam.s.n),
           "framing: %s", rows[i].why);
        sample_free(&sam);
    }
}

static void mech_lists(void)
{
    wa_span all = der_join(4, OID_MS_KRB5, OID_KRB5, OID_NEGOEX, OID_NTLM);
    wa_span token = der_token(der_text("abc"));
    wa_span list;
    wa_spnego_init init;
    sample sam;
    int i;

    ok(init_of(der_init(der_join(2, der_mech_types(all), token)), &init, &sam), "Windows' order");
    is_str(mechs_of(&init), "mkon", "is kept");
    is_bytes(init.mech_token.p, init.mech_token.n, "abc", 3, "with the token");
    ok(wa_spnego_proposes(&init, WA_MECH_KRB5) && wa_spnego_proposes(&init, WA_MECH_MS_KRB5)
           && wa_spnego_proposes(&init, WA_MECH_NTLM) && wa_spnego_proposes(&init, WA_MECH_OTHER),
       "what was proposed");
    ok(!wa_spnego_proposes(&init, WA_MECH_SPNEGO) && !wa_spnego_proposes(&init, WA_MECH_COUNT),
       "what was not");
    sample_free(&sam);

    (void)init_of(der_init(der_mech_types(OID_KRB5)), &init, &sam);
    ok(!wa_spnego_proposes(&init, WA_MECH_NTLM) && !wa_spnego_proposes(&init, WA_MECH_MS_KRB5)
           && wa_spnego_proposes(&init, WA_MECH_KRB5),
       "one mechanism is proposed alone");
    ok(init.mech_token.n == 0, "without a token the token is empty");
    sample_free(&sam);
    memset(&init, 0, sizeof(init));
    ok(!wa_spnego_proposes(&init, WA_MECH_OTHER), "nobody proposes anything in an empty one");

    for (list = NOTHING, i = 1; i <= 18; i++) {
        bool got;
        list = der_join(2, list, i % 2 ? OID_NTLM : OID_U2U);
        got = init_of(der_init(der_mech_types(list)), &init, &sam);
        ok(got == (i <= WA_SPNEGO_MECHS_MAX) && (!got || init.mech_count == (size_t)i),
           "%d mechanisms", i);
        sample_free(&sam);
    }
}

/* One NegTokenInit a row, made of fields; how it is framed is another test's matter. */
static void init_fields(void)
{
    wa_span types = der_mech_types(OID_NTLM);
    wa_span token = der_token(der_text("abc"));
    wa_span flags = der(0xa1, wa_span_of("\x03\x02\x01\x00", 4));
    wa_span hints = der(0xa3, der(0x30, der(0xa0, der(0x1b, der_text("not_defined")))));
    wa_span empty_token = der_token(NOTHING);

    ok(init_ok(der_init(types)), "mechTypes alone");
    ok(init_ok(der_init(der_join(4, types, flags, token, hints))), "reqFlags and negHints");
    ok(init_ok(der_init(der_join(3, types, token, der(0xa4, der_text("x"))))), "unknown [4]");
    ok(init_ok(der_init(der_join(3, types, token, der(0xaf, NOTHING)))), "unknown [15], empty");
    ok(init_ok(der_init(der_join(2, types, empty_token))), "an empty mechToken");

    ok(!init_ok(der_init(NOTHING)), "no fields");
    ok(!init_ok(der_init(token)), "no mechTypes");
    ok(!init_ok(der_init(der_join(2, types, types))), "mechTypes twice");
    ok(!init_ok(der_init(der_join(3, types, token, types))), "mechTypes again at the end");
    ok(!init_ok(der_init(der_join(2, der_mech_types(NOTHING), types))), "none, then some");
    ok(!init_ok(der_init(der_join(2, der(0xa0, der(0x04, OID_NTLM)), types))),
       "bad ones, then good ones");
    ok(!init_ok(der_init(der_join(3, types, token, token))), "mechToken twice");
    ok(!init_ok(der_init(der_join(3, types, token, empty_token))),
       "mechToken, then an empty one");
    ok(!init_ok(der_init(der_join(3, types, empty_token, token))),
       "an empty mechToken, then one");
    ok(!init_ok(der_init(der_mech_types(NOTHING))), "an empty list of mechanisms");
    ok(!init_ok(der_init(der(0xa0, NOTHING))), "mechTypes without its sequence");
    ok(!init_ok(der_init(der(0xa0, OID_NTLM))), "an identifier instead of a sequence of them");
    ok(!init_ok(der_init(der(0xa0, der_join(2, der(0x30, OID_NTLM), der(0x30, OID_KRB5))))),
       "two sequences of mechanisms");
    ok(!init_ok(der_init(der_mech_types(der(0x04, der_text("abc"))))), "a string as mechanism");
    ok(!init_ok(der_init(der_mech_types(der_join(2, OID_NTLM, der(0x30, OID_KRB5))))),
       "a nested list of mechanisms");
    ok(!init_ok(der_init(der_mech_types(der_join(2, OID_NTLM, wa_span_of("\x06", 1))))),
       "a mechanism cut off");
    ok(!init_ok(der_init(der(0xa0, der(0x31, OID_NTLM)))), "a set instead of a sequence");
    ok(!init_ok(der_init(der_join(2, types, der(0xa2, der_text("abc"))))), "a token not wrapped");
    ok(!init_ok(der_init(der_join(2, types, der(0xa2, NOTHING)))), "a token field with nothing");
    ok(!init_ok(der_init(der_join(2, types, der(0xa2, der(0x24, der(0x04, der_text("abc"))))))),
       "a constructed string as token");
    ok(!init_ok(der_init(der_join(
           2, types,
           der(0xa2, der_join(2, der(0x04, der_text("abc")), der(0x04, der_text("def"))))))),
       "two strings as token");
    ok(!init_ok(der_init(der_join(2, types, wa_span_of("\xa3", 1)))), "a field cut off");
    ok(!init_ok(der_init(der_join(2, types, der_long(0xa3, der_text("xx"), 0, 1)))),
       "a skipped field that reaches outside");
}

static void init_frames(void)
{
    wa_span types = der_mech_types(OID_NTLM);
    wa_span sequence = der(0x30, types);
    wa_span good = der_init(types);

    ok(!init_ok(der_join(2, good, wa_span_of("\0", 1))), "a byte behind the token");
    ok(!init_ok(der_join(2, good, good)), "two tokens");
    ok(!init_ok(der(0xa0, sequence)), "NegTokenInit without the frame");
    ok(!init_ok(der(0x60, der_join(2, OID_KRB5, der(0xa0, sequence)))), "Kerberos' frame");
    ok(!init_ok(der(0x60, der_join(2, OID_NTLM, der(0xa0, sequence)))), "NTLM's");
    ok(!init_ok(der(0x60, OID_SPNEGO)), "a frame with nothing in it");
    ok(!init_ok(der(0x60, der_join(2, OID_SPNEGO, sequence))), "no choice tag");
    ok(!init_ok(der(0x60, der_join(2, OID_SPNEGO, der(0xa1, sequence)))),
       "the other choice's tag");
    ok(!init_ok(der(0x60, der_join(2, OID_SPNEGO, der(0xa0, types)))), "no sequence");
    ok(!init_ok(der(0x60, der_join(3, OID_SPNEGO, der(0xa0, sequence), der(0xa0, sequence)))),
       "two choices in one frame");
    ok(!init_ok(der(0x60, der_join(2, OID_SPNEGO, der(0xa0, der_join(2, sequence, sequence))))),
       "two sequences in one choice");
    ok(!init_ok(der(0x60, der_join(2, OID_SPNEGO, der_init(types)))), "a frame in a frame");
    ok(!init_ok(der(0x60, der_join(3, OID_SPNEGO, der(0xa0, sequence), wa_span_of("\0", 1)))),
       "a byte behind the choice");
}

/* The token's inmost element, wrapped by the real encoder, with every kind of length. */
static void lengths(void)
{
    wa_span types = der_mech_types(OID_NTLM);
    unsigned octets;
    long lie;
    int accepted = 0;

    for (octets = 0; octets <= 9; octets++) {
        wa_span string = der_long(0x04, der_text("abc"), octets, 0);
        ok(init_ok(der_init(der_join(2, types, der(0xa2, string)))) == (octets <= 4)
               && resp_ok(der_resp(der(0xa2, string))) == (octets <= 4),
           "a length of %u octets", octets);
    }
    for (octets = 0; octets <= 4; octets++) {
        for (lie = -3; lie <= 300; lie++) {
            wa_span string;
            der_reset();
            types = der_mech_types(OID_NTLM);
            if (lie == 0 || (octets == 0 && lie > 0x7c) || (octets == 1 && lie > 0xfc)) {
                continue; /* the truth, or one that does not fit into the octets */
            }
            string = der_long(0x04, der_text("abc"), octets, lie);
            accepted += init_ok(der_init(der_join(2, types, der(0xa2, string))));
            accepted += resp_ok(der_resp(der(0xa2, string)));
        }
    }
    is_int(accepted, 0, "no wrong length of a token passes");
    der_reset();
    types = der_mech_types(OID_NTLM);
    ok(!init_ok(
           der_init(der_join(2, types, der(0xa2, wa_span_of("\x04\x84\xff\xff\xff\xff", 6))))),
       "a length of four gigabytes");
    ok(!init_ok(der_init(der_join(2, types,
                                  der(0xa2, wa_span_of("\x04\x80"
                                                       "abc\0\0",
                                                       7))))),
       "indefinite length within");
    ok(!init_ok(der_init(der_join(2, types,
                                  wa_span_of("\xa2\x80\x04\x03"
                                             "abc\0\0",
                                             9)))),
       "indefinite length around");
    ok(!init_ok(der_init(der_join(2, types, wa_span_of("\xa3\x80\0\0", 4)))),
       "indefinite length of a field that is skipped");
}

/* Bodies around every change of the length's form, and what only looks like one of them. */
static void length_forms(void)
{
    static const size_t sizes[] = { 0, 1, 126, 127, 128, 129, 254, 255, 256, 257, 65535, 65536 };
    static unsigned char body[65536];
    wa_span types = der_mech_types(OID_NTLM);
    wa_spnego_init init;
    sample sam;
    wa_span indefinite;
    size_t i;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        wa_span token = der_token(wa_span_of(body, sizes[i]));
        ok(init_of(der_init(der_join(2, types, token)), &init, &sam)
               && init.mech_token.n == sizes[i],
           "a token of %zu bytes", sizes[i]);
        sample_free(&sam);
    }
    indefinite = der_long(0x04, wa_span_of(body, 128), 0, 0);
    is_int(indefinite.p[1], 0x80, "128 bytes behind a length octet of 0x80");
    ok(!init_ok(der_init(der_join(2, types, der(0xa2, indefinite))))
           && !resp_ok(der_resp(der(0xa2, indefinite))),
       "are no token");
}

static void resp_fields(void)
{
    wa_span state = der(0xa0, der(0x0a, wa_span_of("\x01", 1)));
    wa_span mech = der(0xa1, OID_NTLM);
    wa_span token = der_token(der_text("abc"));
    wa_span empty_token = der_token(NOTHING);
    wa_span mic = der(0xa3, der(0x04, der_text("0123456789abcdef")));
    wa_span good = der_resp(der_join(4, state, mech, token, mic));
    wa_spnego_resp resp;
    sample sam;

    ok(resp_of(good, &resp, &sam), "all fields");
    is_bytes(resp.response_token.p, resp.response_token.n, "abc", 3, "the token is found");
    sample_free(&sam);
    ok(resp_of(der_resp(NOTHING), &resp, &sam) && resp.response_token.n == 0, "no fields");
    sample_free(&sam);
    ok(resp_of(der_resp(der_join(2, state, mic)), &resp, &sam) && resp.response_token.n == 0,
       "no token");
    sample_free(&sam);
    ok(resp_ok(der_resp(token)), "the token alone");
    ok(resp_ok(der_resp(der_join(2, token, der(0xa7, NOTHING)))), "an unknown field");
    ok(resp_ok(der_resp(empty_token)), "an empty token");
    ok(!resp_ok(der_resp(der_join(2, token, token))), "two tokens");
    ok(!resp_ok(der_resp(der_join(2, token, empty_token))), "a token, then an empty one");
    ok(!resp_ok(der_resp(der_join(2, empty_token, token))), "an empty token, then one");
    ok(!resp_ok(der_resp(der(0xa2, NOTHING))), "a token field with nothing");
    ok(!resp_ok(der_resp(der(0xa2, der(0x30, der_text("abc"))))), "a token of another type");
    ok(!resp_ok(der_resp(der(0xa2, der(0x24, der(0x04, der_text("abc")))))), "a constructed one");
    ok(!resp_ok(der(0xa1, state)), "no sequence");
    ok(!resp_ok(der(0xa1, NOTHING)), "an empty choice");
    ok(!resp_ok(der(0xa0, der(0x30, token))), "the other choice's tag");
    ok(!resp_ok(der(0x30, token)), "a bare sequence");
    ok(!resp_ok(der_join(2, good, wa_span_of("\0", 1))), "a byte behind");
    ok(!resp_ok(der(0xa1, der_join(2, der(0x30, token), der(0x30, token)))), "two sequences");
    ok(!resp_ok(der_resp(der_join(2, token, wa_span_of("\xa3\x05", 2)))), "a field cut off");
    ok(!resp_ok(der_resp(der_join(2, token, wa_span_of("\xa3", 1)))), "a tag without its length");
    ok(!resp_ok(NOTHING), "nothing");
}

/* An element five hundred deep: depth costs nothing, for nothing recurses. */
static void bomb(void)
{
    wa_span nest = NOTHING;
    int i;

    for (i = 0; i < 500; i++) {
        nest = der(0x30, nest);
    }
    ok(!init_ok(der_init(der_mech_types(nest))), "nested sequences for mechanisms");
    ok(init_ok(der_init(der_join(2, der_mech_types(OID_KRB5), der(0xa3, nest)))),
       "nested sequences in a field that is skipped");
}

int main(void)
{
    init_vectors();
    resp_vectors();
    flipped("capture-spnego-ntlm-init.hex");
    flipped("pyspnego-initial_context_token_neg_token_init.bin");
    flipped("pyspnego-neg_token_resp.bin");
    flipped("pyspnego-initial_context_token_krb_ap_req.bin");
    framing();
    mech_lists();
    init_fields();
    init_frames();
    der_reset();
    lengths();
    der_reset();
    length_forms();
    der_reset();
    resp_fields();
    der_reset();
    bomb();
    return done_testing();
}
