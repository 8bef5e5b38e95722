#include "core/bytes.h"

#include <string.h>

bool wa_span_slice(wa_span s, size_t off, size_t n, wa_span *out)
{
    out->p = NULL;
    out->n = 0;
    if (off > s.n || n > s.n - off) {
        return false;
    }
    if (n > 0) {
        out->p = s.p + off;
        out->n = n;
    }
    return true;
}

wa_span wa_span_of(const void *p, size_t n)
{
    wa_span s = { p, n };
    return s;
}

bool wa_span_equal(wa_span a, wa_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool wa_span_begins(wa_span s, wa_span prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool wa_secret_equal(const unsigned char *a, const unsigned char *b, size_t n)
{
    unsigned char diff = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        diff |= (unsigned char)(a[i] ^ b[i]);
    }
    return diff == 0;
}

void wa_secret_wipe(void *p, size_t n)
{
    volatile unsigned char *v = p;

    while (n-- > 0) {
        *v++ = 0;
    }
}

void wa_reader_init(wa_reader *r, wa_span in)
{
    r->in = in;
    r->pos = 0;
    r->bad = false;
}

size_t wa_reader_left(const wa_reader *r)
{
    return r->bad ? 0 : r->in.n - r->pos;
}

wa_span wa_reader_bytes(wa_reader *r, size_t n)
{
    wa_span s = { NULL, 0 };

    if (r->bad || !wa_span_slice(r->in, r->pos, n, &s)) {
        r->bad = true;
        return s;
    }
    r->pos += n;
    return s;
}

static uint64_t little_endian(wa_reader *r, size_t n)
{
    wa_span s = wa_reader_bytes(r, n);
    uint64_t v = 0;

    while (s.n > 0) {
        v = v << 8 | s.p[--s.n];
    }
    return v;
}

uint8_t wa_reader_u8(wa_reader *r)
{
    return (uint8_t)little_endian(r, 1);
}

uint16_t wa_reader_le16(wa_reader *r)
{
    return (uint16_t)little_endian(r, 2);
}

uint32_t wa_reader_le32(wa_reader *r)
{
    return (uint32_t)little_endian(r, 4);
}

uint64_t wa_reader_le64(wa_reader *r)
{
    return little_endian(r, 8);
}

void wa_writer_init(wa_writer *w, unsigned char *buf, size_t cap)
{
    w->p = buf;
    w->cap = cap;
    w->n = 0;
    w->bad = false;
}

/* Room for n more bytes; NULL when n is 0, or when they do not fit and the writer is bad. */
static unsigned char *room(wa_writer *w, size_t n)
{
    if (w->bad || n > w->cap - w->n) {
        w->bad = true;
        return NULL;
    }
    if (n == 0) {
        return NULL;
    }
    w->n += n;
    return w->p + w->n - n;
}

void wa_writer_bytes(wa_writer *w, const void *p, size_t n)
{
    unsigned char *at = room(w, n);

    if (at != NULL) {
        memcpy(at, p, n);
    }
}

void wa_writer_zeros(wa_writer *w, size_t n)
{
    unsigned char *at = room(w, n);

    if (at != NULL) {
        memset(at, 0, n);
    }
}

static void put_little_endian(wa_writer *w, uint64_t v, size_t n)
{
    unsigned char *at = room(w, n);
    size_t i;

    for (i = 0; at != NULL && i < n; i++) {
        at[i] = (unsigned char)(v >> (8 * i));
    }
}

void wa_writer_le16(wa_writer *w, uint16_t v)
{
    put_little_endian(w, v, 2);
}

void wa_writer_le32(wa_writer *w, uint32_t v)
{
    put_little_endian(w, v, 4);
}

void wa_writer_le64(wa_writer *w, uint64_t v)
{
    put_little_endian(w, v, 8);
}
