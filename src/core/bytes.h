/* Spans, a bounded reader and a bounded writer: the only place where a length meets a pointer.
 *
 * Every parser in core/ reads through these.  A reader that runs past its end becomes "bad" and
 * from then on yields zeros and empty spans; the caller asks once, at the end.  Nothing here
 * allocates, and a span is a view: it lives exactly as long as the bytes it was made from. */
#ifndef WA_CORE_BYTES_H
#define WA_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wa_span {
    const unsigned char *p; /* first byte; may be NULL when n == 0 */
    size_t n;               /* length in bytes */
} wa_span;

typedef struct wa_reader {
    wa_span in; /* what is read */
    size_t pos; /* next byte; <= in.n always */
    bool bad;   /* a read went past the end; sticky */
} wa_reader;

typedef struct wa_writer {
    unsigned char *p; /* caller's buffer */
    size_t cap;       /* its size */
    size_t n;         /* bytes written so far; <= cap always */
    bool bad;         /* something did not fit; sticky, nothing more is written */
} wa_writer;

/* View of n bytes at off inside s, into *out.  False, and *out empty, when they do not lie wholly
 * inside.  This is the one length check of the project: everything else calls it. */
bool wa_span_slice(wa_span s, size_t off, size_t n, wa_span *out);

wa_span wa_span_of(const void *p, size_t n);
bool wa_span_equal(wa_span a, wa_span b);       /* not constant time: never for secrets */
bool wa_span_begins(wa_span s, wa_span prefix); /* true also for an empty prefix */

/* Compares two secrets of n bytes; the time does not depend on where they differ. */
bool wa_secret_equal(const unsigned char *a, const unsigned char *b, size_t n);

/* Overwrites n bytes in a way the compiler does not remove. */
void wa_secret_wipe(void *p, size_t n);

void wa_reader_init(wa_reader *r, wa_span in);
size_t wa_reader_left(const wa_reader *r);
wa_span wa_reader_bytes(wa_reader *r, size_t n); /* the next n bytes */
uint8_t wa_reader_u8(wa_reader *r);
uint16_t wa_reader_le16(wa_reader *r);
uint32_t wa_reader_le32(wa_reader *r);
uint64_t wa_reader_le64(wa_reader *r);

void wa_writer_init(wa_writer *w, unsigned char *buf, size_t cap);
void wa_writer_bytes(wa_writer *w, const void *p, size_t n);
void wa_writer_zeros(wa_writer *w, size_t n);
void wa_writer_le16(wa_writer *w, uint16_t v);
void wa_writer_le32(wa_writer *w, uint32_t v);
void wa_writer_le64(wa_writer *w, uint64_t v);

#endif
