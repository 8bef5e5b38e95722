/* AUTHENTICATE messages for tests: made to measure, and parsed where nothing lies behind them. */
#ifndef WA_UNIT_TYPE3_H
#define WA_UNIT_TYPE3_H

#include "core/ntlm.h"

#include "sample.h"

enum { FIELDS = 6, FIXED = 64 };
enum { LM, NT, DOMAIN, USER, WORKSTATION, KEY };

static inline void put_le(unsigned char *p, uint32_t v, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++, v >>= 8) {
        p[i] = (unsigned char)v;
    }
}

/* Parses a copy that ends where its block ends. */
static inline wa_reason parse(const void *p, size_t n)
{
    wa_ntlm_authenticate msg;
    sample sam = sample_copy(p, n);
    wa_reason reason;

    memset(&msg, 0x5a, sizeof(msg));
    reason = wa_ntlm_parse_authenticate(sam.s, &msg);
    sample_free(&sam);
    return reason;
}

static inline wa_span view(const wa_ntlm_authenticate *m, int field)
{
    switch (field) {
    case LM:
        return m->lm;
    case NT:
        return m->nt;
    case DOMAIN:
        return m->domain;
    case USER:
        return m->user;
    case WORKSTATION:
        return m->workstation;
    default:
        return m->session_key;
    }
}

static inline bool all_inside(wa_span whole, const wa_ntlm_authenticate *m)
{
    int i;

    for (i = 0; i < FIELDS; i++) {
        if (!sample_holds(whole, view(m, i))) {
            return false;
        }
    }
    return sample_holds(whole, m->blob.target_name)
           && sample_holds(whole, m->blob.channel_bindings);
}

typedef struct spec {
    wa_span fields[FIELDS];
    uint32_t flags;
    size_t payload; /* where it begins: 64, 72 or 88 */
} spec;

/* A message of this shape, in a buffer that the next call overwrites. */
static inline wa_span make(const spec *s)
{
    static unsigned char buf[8192];
    size_t at = s->payload;
    int i;

    memset(buf, 0, sizeof(buf));
    memcpy(buf, "NTLMSSP\0\3", 9);
    for (i = 0; i < FIELDS; i++) {
        size_t n = s->fields[i].n;
        put_le(buf + 12 + 8 * i, (uint32_t)n, 2);
        put_le(buf + 14 + 8 * i, (uint32_t)n, 2);
        put_le(buf + 16 + 8 * i, (uint32_t)at, 4);
        if (n > 0) {
            memcpy(buf + at, s->fields[i].p, n);
        }
        at += n;
    }
    put_le(buf + 60, s->flags, 4);
    return wa_span_of(buf, at);
}

static inline wa_reason judge(const spec *s)
{
    wa_span m = make(s);

    return parse(m.p, m.n);
}

/* NTProofStr, the blob's fixed part, and whatever AV pairs are given in hexadecimal. */
static inline wa_span response(const char *pairs)
{
    static unsigned char buf[4096];
    sample sam = sample_hex(pairs);
    size_t n = sam.s.n;

    memset(buf, 0x11, 16);
    memset(buf + 16, 0, 28);
    buf[16] = buf[17] = 1;
    memcpy(buf + 44, sam.s.p, n);
    sample_free(&sam);
    return wa_span_of(buf, 44 + n);
}

/* A shape that is accepted; tests spoil it in one respect. */
static inline spec good(void)
{
    static const unsigned char zeros[24] = { 0 };
    spec s;

    s.fields[LM] = wa_span_of(zeros, 24);
    s.fields[NT] = response("00000000 00000000");
    s.fields[DOMAIN] = wa_span_of("A\0D\0", 4);
    s.fields[USER] = wa_span_of("u\0", 2);
    s.fields[WORKSTATION] = wa_span_of("W\0", 2);
    s.fields[KEY] = wa_span_of(NULL, 0);
    s.flags = WA_NTLM_UNICODE | WA_NTLM_NTLM;
    s.payload = 72;
    return s;
}

#endif
