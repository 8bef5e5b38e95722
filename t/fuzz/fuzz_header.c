/* Any text as the value of an Authorization header. */
#include "core/header.h"

#include "fuzz.h"

#include <ctype.h>

unsigned long fuzz_accepted;

/* Decodes base64 the slow way.  Length, or (size_t)-1 when it is none. */
static size_t decode(wa_span text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t bits = 0;
    size_t bytes = 0;
    size_t i = 0;

    for (; i < text.n && text.p[i] != '=' && text.p[i] != '\0'; i++) {
        if (strchr(alphabet, text.p[i]) == NULL) {
            return (size_t)-1;
        }
        for (bits += 6; bits >= 8; bits -= 8) {
            bytes++;
        }
    }
    if (text.n - i != (bits == 0 ? 0 : bits == 2 ? 1 : bits == 4 ? 2 : (size_t)-2)) {
        return (size_t)-1;
    }
    for (; i < text.n; i++) {
        if (text.p[i] != '=') {
            return (size_t)-1;
        }
    }
    return text.n > 0 ? bytes : (size_t)-1;
}

static bool blanks(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t')) {
        from++;
    }
    return from == to;
}

/* True iff value, behind blanks, begins with the scheme's name, whatever its case. */
static const char *behind_scheme(const char *value, wa_scheme scheme)
{
    const char *name = wa_scheme_name(scheme);

    value += strspn(value, " \t");
    for (; *name != '\0'; name++, value++) {
        if (tolower((unsigned char)*value) != tolower((unsigned char)*name)) {
            return NULL;
        }
    }
    return value;
}

static void check_token(const char *value, const wa_header *h)
{
    wa_span whole = wa_span_of(value, strlen(value));
    const char *text = (const char *)h->base64.p;
    const char *data;

    CHECK(wa_scheme_name(h->scheme) != NULL);
    CHECK(h->base64.n > 0 && fuzz_holds(whole, h->base64));
    CHECK(decode(h->base64) == h->decoded_len);
    data = behind_scheme(value, h->scheme);
    CHECK(data != NULL && data < text && blanks(data, text));
    CHECK(blanks(text + h->base64.n, value + whole.n));
}

/* What is malformed under a scheme of ours really holds something that is no base64. */
static void check_malformed(const char *value, const wa_header *h)
{
    const char *data;
    size_t n;

    if (h->scheme == WA_SCHEME_OTHER) {
        return;
    }
    data = behind_scheme(value, h->scheme);
    CHECK(data != NULL);
    data += strspn(data, " \t");
    for (n = strlen(data); n > 0 && (data[n - 1] == ' ' || data[n - 1] == '\t'); n--) {
    }
    CHECK(n > 0 && decode(wa_span_of(data, n)) == (size_t)-1);
}

/* Blanks before and behind the value change nothing. */
static void check_blanks(const char *value, const wa_header *h)
{
    size_t n = strlen(value);
    char *wide = (char *)fuzz_copy(value, n, 4);
    wa_header again;

    memmove(wide + 1, wide, n);
    wide[0] = '\t';
    wide[n + 1] = ' ';
    wa_header_split(wide, &again);
    CHECK(again.kind == h->kind && again.scheme == h->scheme);
    CHECK(again.decoded_len == h->decoded_len && wa_span_equal(again.base64, h->base64));
    free(wide);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *value =
        (char *)fuzz_copy(data, size, 1); /* ends at the first NUL, at the latest here */
    wa_header h;
    size_t want;
    size_t len;

    wa_header_split(value, &h);
    switch (h.kind) {
    case WA_HEADER_TOKEN:
        check_token(value, &h);
        fuzz_accepted++;
        break;
    case WA_HEADER_MALFORMED:
        check_malformed(value, &h);
        break;
    case WA_HEADER_NO_DATA:
        CHECK(behind_scheme(value, h.scheme) != NULL);
        CHECK(blanks(behind_scheme(value, h.scheme), value + strlen(value)));
        break;
    case WA_HEADER_FOREIGN:
        CHECK(h.scheme == WA_SCHEME_OTHER && h.base64.n == 0);
        break;
    case WA_HEADER_ABSENT:
        CHECK(!"a value that is there is not absent");
        break;
    }
    check_blanks(value, &h);
    want = decode(wa_span_of(data, size));
    CHECK(wa_header_base64_len(wa_span_of(data, size), &len) == (want != (size_t)-1));
    CHECK(len == (want != (size_t)-1 ? want : 0));
    free(value);
    return 0;
}
