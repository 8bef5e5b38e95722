#include "core/spnego.h"

#include <string.h>

/* One DER element: definite length, minimal form not demanded (BER writers exist), at most four
 * length octets.  Indefinite length has no place in SPNEGO and is refused. */
typedef struct element {
    unsigned char tag;
    wa_span body;
} element;

static const struct {
    wa_mech mech;
    unsigned char len;
    unsigned char oid[10];
} known[] = {
    { WA_MECH_KRB5, 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02 } },
    { WA_MECH_MS_KRB5, 9, { 0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02 } },
    { WA_MECH_NTLM, 10, { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a } },
    { WA_MECH_SPNEGO, 6, { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02 } },
};

static element next(wa_reader *r)
{
    element e = { 0, { NULL, 0 } };
    size_t len;
    unsigned octets;

    e.tag = wa_reader_u8(r);
    len = wa_reader_u8(r);
    if (len >= 0x80) {
        octets = (unsigned)len & 0x7f;
        if (octets == 0 || octets > 4) {
            r->bad = true;
            return e;
        }
        for (len = 0; octets > 0; octets--) {
            len = len << 8 | wa_reader_u8(r);
        }
    }
    e.body = wa_reader_bytes(r, len);
    return e;
}

/* The body of the next element, which must carry tag. */
static wa_span expect(wa_reader *r, unsigned char tag)
{
    element e = next(r);

    if (r->bad || e.tag != tag) {
        r->bad = true;
        e.body = wa_span_of(NULL, 0);
    }
    return e.body;
}

/* The body of the one element that s consists of, which must carry tag. */
static wa_span unwrap(wa_span s, unsigned char tag, bool *ok)
{
    wa_reader r;
    wa_span body;

    wa_reader_init(&r, s);
    body = expect(&r, tag);
    *ok = *ok && !r.bad && wa_reader_left(&r) == 0;
    return body;
}

static wa_mech mech_of(wa_span oid)
{
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (wa_span_equal(oid, wa_span_of(known[i].oid, known[i].len))) {
            return known[i].mech;
        }
    }
    return WA_MECH_OTHER;
}

wa_mech wa_spnego_framing(wa_span token, wa_span *inner_out)
{
    bool ok = true;
    wa_span body = unwrap(token, 0x60, &ok);
    wa_reader r;
    wa_span oid;

    *inner_out = wa_span_of(NULL, 0);
    wa_reader_init(&r, body);
    oid = expect(&r, 0x06);
    if (!ok || r.bad) {
        return WA_MECH_OTHER;
    }
    *inner_out = wa_reader_bytes(&r, wa_reader_left(&r));
    return mech_of(oid);
}

/* MechTypeList ::= SEQUENCE OF MechType */
static bool parse_mechs(wa_span field, wa_spnego_init *out)
{
    bool ok = true;
    wa_span list = unwrap(field, 0x30, &ok);
    wa_reader r;

    wa_reader_init(&r, list);
    while (ok && wa_reader_left(&r) > 0) {
        wa_span oid = expect(&r, 0x06);
        if (r.bad || out->mech_count == WA_SPNEGO_MECHS_MAX) {
            return false;
        }
        out->mechs[out->mech_count++] = mech_of(oid);
    }
    return ok && !r.bad && out->mech_count > 0;
}

/* NegTokenInit ::= SEQUENCE { mechTypes [0], reqFlags [1] OPTIONAL, mechToken [2] OPTIONAL,
 *                             mechListMIC or negHints [3] OPTIONAL, ... }
 * reqFlags, negHints, the MIC and whatever follows are skipped: the library deals with them. */
bool wa_spnego_parse_init(wa_span token, wa_spnego_init *out)
{
    bool token_seen = false; /* an empty one counts, too */
    wa_span inner;
    wa_reader r;
    bool ok;

    memset(out, 0, sizeof(*out));
    ok = wa_spnego_framing(token, &inner) == WA_MECH_SPNEGO;
    inner = unwrap(inner, 0xa0, &ok);
    inner = unwrap(inner, 0x30, &ok);
    wa_reader_init(&r, inner);
    while (ok && !r.bad && wa_reader_left(&r) > 0) {
        element e = next(&r);
        if (e.tag == 0xa0) {
            ok = out->mech_count == 0 && parse_mechs(e.body, out);
        }
        else if (e.tag == 0xa2) {
            ok = !token_seen;
            token_seen = true;
            out->mech_token = unwrap(e.body, 0x04, &ok);
        }
    }
    return ok && !r.bad && out->mech_count > 0;
}

/* NegTokenResp ::= SEQUENCE { negState [0] OPTIONAL, supportedMech [1] OPTIONAL,
 *                             responseToken [2] OPTIONAL, mechListMIC [3] OPTIONAL } */
bool wa_spnego_parse_resp(wa_span token, wa_spnego_resp *out)
{
    bool token_seen = false;
    bool ok = true;
    wa_span inner = unwrap(token, 0xa1, &ok);
    wa_reader r;

    memset(out, 0, sizeof(*out));
    inner = unwrap(inner, 0x30, &ok);
    wa_reader_init(&r, inner);
    while (ok && !r.bad && wa_reader_left(&r) > 0) {
        element e = next(&r);
        if (e.tag == 0xa2) {
            ok = !token_seen;
            token_seen = true;
            out->response_token = unwrap(e.body, 0x04, &ok);
        }
    }
    return ok && !r.bad;
}

bool wa_spnego_proposes(const wa_spnego_init *init, wa_mech mech)
{
    size_t i;

    for (i = 0; i < init->mech_count; i++) {
        if (init->mechs[i] == mech) {
            return true;
        }
    }
    return false;
}
