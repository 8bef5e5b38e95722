/* A small DER builder for tests: values from the inside out, one static arena, no freeing.
 *
 * Nothing is checked beyond the arena's end; the point is to build what no sane encoder would. */
#ifndef WA_UNIT_DER_H
#define WA_UNIT_DER_H

#include "core/bytes.h"

#include "sample.h"

#include <stdarg.h>

static unsigned char der_arena[1 << 20];
static size_t der_used;

static inline unsigned char *der_room(size_t n)
{
    unsigned char *at = der_arena + der_used;

    if (n > sizeof(der_arena) - der_used) {
        sample_die("arena exhausted", "");
    }
    der_used += n;
    return at;
}

/* Forgets everything built so far. */
static inline void der_reset(void)
{
    der_used = 0;
}

/* Element with its length written in octets bytes: 0 for the short form (body below 128), else
 * that many after 0x80+octets.  The length claimed is body.n + lie. */
static inline wa_span der_long(unsigned char tag, wa_span body, unsigned octets, long lie)
{
    unsigned char *p = der_room(2 + octets + body.n);
    unsigned long long len = (unsigned long long)((long long)body.n + lie);
    unsigned i;

    p[0] = tag;
    p[1] = (unsigned char)(octets > 0 ? 0x80 + octets : len);
    for (i = 0; i < octets; i++) {
        unsigned shift = 8 * (octets - 1 - i);
        p[2 + i] = (unsigned char)(shift < 64 ? len >> shift : 0);
    }
    if (body.n > 0) {
        memcpy(p + 2 + octets, body.p, body.n);
    }
    return wa_span_of(p, 2 + octets + body.n);
}

/* Element in the shortest form. */
static inline wa_span der(unsigned char tag, wa_span body)
{
    unsigned octets = body.n < 0x80 ? 0 : body.n < 0x100 ? 1 : body.n < 0x10000 ? 2 : 3;

    return der_long(tag, body, octets, 0);
}

/* Concatenation of count spans. */
static inline wa_span der_join(int count, ...)
{
    unsigned char *p = der_arena + der_used;
    size_t n = 0;
    va_list args;

    va_start(args, count);
    while (count-- > 0) {
        wa_span s = va_arg(args, wa_span);
        if (s.n > 0) {
            memcpy(der_room(s.n), s.p, s.n);
            n += s.n;
        }
    }
    va_end(args);
    return wa_span_of(p, n);
}

/* The mechanisms' object identifiers, as elements. */
#define OID_SPNEGO wa_span_of("\x06\x06\x2b\x06\x01\x05\x05\x02", 8)
#define OID_KRB5 wa_span_of("\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", 11)
#define OID_MS_KRB5 wa_span_of("\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02", 11)
#define OID_NTLM wa_span_of("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a", 12)
#define OID_NEGOEX wa_span_of("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e", 12)
#define OID_U2U wa_span_of("\x06\x0a\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03", 12)

#define NOTHING wa_span_of(NULL, 0)

static inline wa_span der_text(const char *text)
{
    return wa_span_of(text, strlen(text));
}

/* mechTypes [0] around the elements in mechs. */
static inline wa_span der_mech_types(wa_span mechs)
{
    return der(0xa0, der(0x30, mechs));
}

/* mechToken, or responseToken: [2] OCTET STRING. */
static inline wa_span der_token(wa_span bytes)
{
    return der(0xa2, der(0x04, bytes));
}

/* InitialContextToken around the fields of a NegTokenInit. */
static inline wa_span der_init(wa_span fields)
{
    return der(0x60, der_join(2, OID_SPNEGO, der(0xa0, der(0x30, fields))));
}

/* NegTokenResp around its fields. */
static inline wa_span der_resp(wa_span fields)
{
    return der(0xa1, der(0x30, fields));
}

#endif
