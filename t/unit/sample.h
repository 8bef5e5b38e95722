/* Byte samples for the unit tests: vectors from files, and copies that end where their block
 * ends.
 *
 * A parser is always given a copy of its own on the heap, exactly as long as it claims to be, so
 * that the address sanitizer sees the first byte read behind it. */
#ifndef WA_UNIT_SAMPLE_H
#define WA_UNIT_SAMPLE_H

#include "core/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sample {
    unsigned char *block; /* what free() takes */
    wa_span s;            /* ends with the block */
} sample;

/* A block that could not be had, or a vector that is not there, ends the program: a test that
 * skips is one that lies. */
static inline void sample_die(const char *what, const char *name)
{
    printf("Bail out! %s %s\n", what, name);
    exit(2);
}

static inline sample sample_copy(const void *p, size_t n)
{
    sample out;

    /* a block of no bytes may have room for one; an empty sample starts behind a block of one */
    out.block = calloc(n > 0 ? n : 1, 1);
    if (out.block == NULL) {
        sample_die("out of memory", "");
        return out;
    }
    if (n > 0) {
        memcpy(out.block, p, n);
    }
    out.s = wa_span_of(n > 0 ? out.block : out.block + 1, n);
    return out;
}

static inline void sample_free(sample *sam)
{
    free(sam->block);
    sam->block = NULL;
    sam->s = wa_span_of(NULL, 0);
}

/* n bytes, little-endian. */
static inline uint32_t sample_le(const unsigned char *p, size_t n)
{
    uint32_t v = 0;

    while (n > 0) {
        v = v * 256 + p[--n];
    }
    return v;
}

/* True iff view is empty or lies wholly inside whole. */
static inline bool sample_holds(wa_span whole, wa_span view)
{
    return view.n == 0
           || (view.p >= whole.p && view.n <= whole.n
               && (size_t)(view.p - whole.p) <= whole.n - view.n);
}

static inline int sample_nibble(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* From lower-case hexadecimal digits; blanks and line ends between bytes are skipped. */
static inline sample sample_hex(const char *text)
{
    unsigned char *buf = malloc(strlen(text) / 2 + 1);
    size_t n = 0;
    sample out;

    while (buf != NULL && *text != '\0') {
        if (*text == ' ' || *text == '\n' || *text == '\r') {
            text++;
            continue;
        }
        if (sample_nibble(text[0]) < 0 || sample_nibble(text[1]) < 0) {
            sample_die("not hexadecimal:", text);
        }
        buf[n++] = (unsigned char)(sample_nibble(text[0]) << 4 | sample_nibble(text[1]));
        text += 2;
    }
    out = sample_copy(buf, n);
    free(buf);
    return out;
}

/* t/unit/vectors/NAME: bytes as they are in *.bin, hexadecimal in *.hex. */
static inline sample sample_load(const char *name)
{
    static char buf[16384];
    char path[256];
    size_t n;
    FILE *f;

    (void)snprintf(path, sizeof(path), "t/unit/vectors/%s", name);
    f = fopen(path, "rb");
    if (f == NULL) {
        sample_die("cannot open", path);
        return sample_copy("", 0);
    }
    n = fread(buf, 1, sizeof(buf) - 1, f);
    fclose(f);
    if (n == 0 || n == sizeof(buf) - 1) {
        sample_die("empty or too long:", path);
    }
    buf[n] = '\0';
    return strstr(name, ".hex") != NULL ? sample_hex(buf) : sample_copy(buf, n);
}

#endif
