/* Test Anything Protocol, as little of it as the unit tests need.
 *
 * One line per check, the plan at the end, and a non-zero exit when a check failed or none ran: a
 * test program that dies half-way has printed no plan, so the harness notices that too.  A check
 * inside a loop over thousands of cases should count its failures and report once. */
#ifndef WA_UNIT_TAP_H
#define WA_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_count;        /* checks so far */
static int tap_failures;     /* of them, those that failed */

#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) \
    tap_is_int((long long)(got), (long long)(want), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_bytes(got, got_len, want, want_len, ...) \
    tap_is_bytes((got), (got_len), (want), (want_len), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 1, 2))) static inline void diag(const char *format, ...)
{
    va_list args;

    fputs("# ", stdout);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

__attribute__((format(printf, 4, 0))) static inline bool
tap_vok(bool pass, const char *file, int line, const char *format, va_list args)
{
    printf("%sok %d - ", pass ? "" : "not ", ++tap_count);
    vprintf(format, args);
    putchar('\n');
    if (!pass) {
        diag("failed at %s line %d", file, line);
        tap_failures++;
    }
    fflush(stdout); /* a crash in the next check must not swallow this one */
    return pass;
}

__attribute__((format(printf, 4, 5))) static inline bool tap_ok(bool pass, const char *file,
                                                                int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    pass = tap_vok(pass, file, line, format, args);
    va_end(args);
    return pass;
}

__attribute__((format(printf, 5, 6))) static inline bool
tap_is_int(long long got, long long want, const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!tap_vok(got == want, file, line, format, args)) {
        diag("got %lld (0x%llx), expected %lld (0x%llx)", got, (unsigned long long)got, want,
             (unsigned long long)want);
    }
    va_end(args);
    return got == want;
}

__attribute__((format(printf, 5, 6))) static inline bool
tap_is_str(const char *got, const char *want, const char *file, int line, const char *format, ...)
{
    bool same = got == want || (got != NULL && want != NULL && strcmp(got, want) == 0);
    va_list args;

    va_start(args, format);
    if (!tap_vok(same, file, line, format, args)) {
        diag("got '%s', expected '%s'", got != NULL ? got : "(null)",
             want != NULL ? want : "(null)");
    }
    va_end(args);
    return same;
}

static inline void tap_hex(const char *label, const void *p, size_t n)
{
    size_t i;

    printf("# %s %lu:", label, (unsigned long)n);
    for (i = 0; i < n && i < 48; i++) {
        printf(" %02x", ((const unsigned char *)p)[i]);
    }
    puts(n > i ? " ..." : "");
}

__attribute__((format(printf, 7, 8))) static inline bool
tap_is_bytes(const void *got, size_t got_len, const void *want, size_t want_len, const char *file,
             int line, const char *format, ...)
{
    bool same = got_len == want_len && (got_len == 0 || memcmp(got, want, got_len) == 0);
    va_list args;

    va_start(args, format);
    if (!tap_vok(same, file, line, format, args)) {
        tap_hex("got", got, got_len);
        tap_hex("expected", want, want_len);
    }
    va_end(args);
    return same;
}

/* The program's exit status. */
static inline int done_testing(void)
{
    printf("1..%d\n", tap_count);
    if (tap_count == 0) {
        diag("no check ran");
    }
    if (tap_failures > 0) {
        diag("%d of %d checks failed", tap_failures, tap_count);
    }
    return tap_count == 0 || tap_failures > 0;
}

#endif
