/* Any bytes as names: of accounts, domains, realms, principals; and as UTF-8 and UTF-16. */
#include "core/account.h"
#include "core/utf.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

enum { PARTS = 3 };

static size_t count(const char *s, char c)
{
    size_t n = 0;

    for (; *s != '\0'; s++) {
        n += *s == c;
    }
    return n;
}

static void check_name(const char *s)
{
    size_t n = strlen(s);

    if (!wa_account_name_ok(s)) {
        return;
    }
    CHECK(n >= 1 && n <= 256 && wa_utf8_valid(wa_span_of(s, n)));
    CHECK(strpbrk(s, "\\@/:\"\n\r\t\x7f") == NULL);
    CHECK(wa_account_same_domain(s, s));
    fuzz_accepted++;
}

static void check_upn(const char *s)
{
    const char *at = strchr(s, '@');

    if (wa_account_upn_ok(s)) {
        CHECK(count(s, '@') == 1 && count(s, '\\') == 0
              && wa_utf8_valid(wa_span_of(s, strlen(s))));
        CHECK(at - s >= 1 && at - s <= 256 && wa_account_name_ok(at + 1));
        fuzz_accepted++;
    }
}

/* The two halves and the at sign between them are the whole principal. */
static void check_principal(const char *s)
{
    wa_span whole = wa_span_of(s, strlen(s));
    wa_span name, realm;

    if (!wa_account_split_principal(s, &name, &realm)) {
        CHECK(name.n == 0 && realm.n == 0);
        return;
    }
    CHECK(name.n > 0 && realm.n > 0 && name.n + 1 + realm.n == whole.n);
    CHECK(fuzz_holds(whole, name) && fuzz_holds(whole, realm) && s[name.n] == '@');
    CHECK(count(s, '@') == 1 && count(s, '\\') == 0 && wa_utf8_valid(whole));
    fuzz_accepted++;
}

/* What comes out reads in one way only: one separator, and the account's own parts around it. */
static void check_shape(const wa_account *a, wa_format format)
{
    char out[WA_ACCOUNT_MAX];
    const char *separator;

    if (!wa_account_format(a, format, out)) {
        return;
    }
    CHECK(memchr(out, '\0', sizeof(out)) != NULL && out[0] != '\0');
    separator = strpbrk(out, "\\@");
    if (separator == NULL) {
        CHECK(format == WA_FORMAT_SAM && a->home && strcmp(out, a->name) == 0);
    }
    else if (*separator == '@') {
        CHECK(a->realm != NULL && strcmp(separator + 1, a->realm) == 0);
        CHECK(strncmp(out, a->name, (size_t)(separator - out)) == 0);
        CHECK(a->name[separator - out] == '\0');
    }
    else {
        CHECK(a->domain != NULL && strcmp(separator + 1, a->name) == 0);
        CHECK(strncmp(out, a->domain, (size_t)(separator - out)) == 0);
        CHECK(a->domain[separator - out] == '\0');
    }
    CHECK(separator == NULL || strpbrk(separator + 1, "\\@") == NULL);
}

static void check_account(char *const part[PARTS], unsigned bits)
{
    wa_account a = {
        part[0], bits & 1 ? part[1] : NULL, bits & 2 ? part[2] : NULL, bits & 4, NULL, NULL, NULL,
        false
    };
    int format;

    for (format = 0; format < WA_FORMAT_COUNT; format++) {
        check_shape(&a, (wa_format)format);
    }
}

/* There and back again is where one came from, and upper case changes no length. */
static void check_utf8(wa_span text)
{
    unsigned char *utf16 = fuzz_copy(NULL, 0, 2 * text.n + 2);
    unsigned char *again = fuzz_copy(NULL, 0, text.n + 1);
    wa_writer w, back, small;
    bool fits;

    wa_writer_init(&w, utf16, 2 * text.n + 2);
    CHECK(wa_utf8_to_utf16(text, &w) == wa_utf8_valid(text));
    if (wa_utf8_valid(text)) {
        wa_writer_init(&back, again, text.n + 1);
        CHECK(wa_utf16_to_utf8(wa_span_of(w.p, w.n), &back));
        CHECK(wa_span_equal(wa_span_of(back.p, back.n), text));
        wa_writer_init(&small, again, text.n / 2);
        fits = wa_utf16_to_utf8(wa_span_of(w.p, w.n), &small);
        CHECK(fits == (text.n == 0) && small.n <= text.n / 2);
    }
    free(again);
    free(utf16);
}

static void check_utf16(wa_span text)
{
    unsigned char *upper = fuzz_copy(text.p, text.n, 1);
    unsigned char *utf8 = fuzz_copy(NULL, 0, 3 * text.n + 3);
    unsigned char *again = fuzz_copy(NULL, 0, text.n + 2);
    wa_writer w, back;

    wa_writer_init(&w, utf8, 3 * text.n + 3);
    wa_writer_init(&back, again, text.n + 2);
    if (wa_utf16_to_utf8(text, &w)) {
        CHECK(text.n % 2 == 0 && wa_utf8_valid(wa_span_of(w.p, w.n)));
        CHECK(wa_utf8_to_utf16(wa_span_of(w.p, w.n), &back));
        CHECK(wa_span_equal(wa_span_of(back.p, back.n), text));
        wa_utf16_upcase(upper, text.n);
        back.n = 0;
        w.n = 0;
        CHECK(wa_utf16_to_utf8(wa_span_of(upper, text.n), &w));
        wa_writer_bytes(&back, upper, text.n);
        wa_utf16_upcase(upper, text.n);
        CHECK(wa_span_equal(wa_span_of(back.p, back.n), wa_span_of(upper, text.n)));
    }
    free(again);
    free(utf8);
    free(upper);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = (char *)fuzz_copy(data, size, PARTS + 1);
    char *part[PARTS];
    char *at = text;
    unsigned bits;
    int i;

    (void)wa_utf_init();
    for (i = 0; i < PARTS; i++) {
        part[i] = at;
        at += strlen(at) + 1;
        check_name(part[i]);
        check_upn(part[i]);
        check_principal(part[i]);
        at = at > text + size ? text + size : at;
    }
    for (bits = 0; bits < 8; bits++) {
        check_account(part, bits);
    }
    CHECK(wa_account_same_domain(part[0], part[1]) == wa_account_same_domain(part[1], part[0]));
    check_utf8(wa_span_of(data, size));
    check_utf16(wa_span_of(data, size));
    free(text);
    return 0;
}
