/* What the fuzz targets share: the entry point, and a check that stops the run where it fails.
 *
 * A target runs three ways: under libFuzzer (clang -fsanitize=fuzzer), as a replay of its corpus
 * with any compiler (replay.c), and under any other fuzzer that calls LLVMFuzzerTestOneInput. */
#ifndef WA_FUZZ_H
#define WA_FUZZ_H

#include "core/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Messages the target found good so far; the replay holds a seed's name against it.  Each target
 * defines it. */
extern unsigned long fuzz_accepted;

#define CHECK(cond) ((cond) ? (void)0 : fuzz_stop(__FILE__, __LINE__, #cond))

static inline void fuzz_stop(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: property does not hold: %s\n", file, line, what);
    abort();
}

/* True iff view is empty or lies wholly inside whole. */
static inline bool fuzz_holds(wa_span whole, wa_span view)
{
    return view.n == 0
           || (view.p >= whole.p && view.n <= whole.n
               && (size_t)(view.p - whole.p) <= whole.n - view.n);
}

/* A copy of n bytes and room more behind them, for free(). */
static inline unsigned char *fuzz_copy(const void *p, size_t n, size_t room)
{
    unsigned char *copy = calloc(1, n + room + (n + room == 0));

    if (copy == NULL) {
        abort();
    }
    if (n > 0) {
        memcpy(copy, p, n);
    }
    return copy;
}

#endif
