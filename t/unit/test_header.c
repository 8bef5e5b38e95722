/* Authorization header values: what is a token, what is malformed, what is somebody else's. */
#include "core/header.h"

#include "sample.h"
#include "tap.h"

#include <ctype.h>

enum { MAL = WA_HEADER_MALFORMED, NODATA = WA_HEADER_NO_DATA, FOREIGN = WA_HEADER_FOREIGN };
enum { TOKEN = WA_HEADER_TOKEN };
enum { OTHER = WA_SCHEME_OTHER, NEGO = WA_SCHEME_NEGOTIATE, NTLM = WA_SCHEME_NTLM };
enum { BASIC = WA_SCHEME_BASIC };

typedef struct row {
    const char *value;
    int kind;
    int scheme;         /* ignored when malformed */
    const char *base64; /* NULL unless a token */
    size_t decoded;
    const char *why;
} row;

static const row rows[] = {
    { "Negotiate YWJj", TOKEN, NEGO, "YWJj", 3, "the plain case" },
    { "NTLM YWI=", TOKEN, NTLM, "YWI=", 2, "one padding character" },
    { "Basic YQ==", TOKEN, BASIC, "YQ==", 1, "two padding characters" },
    { "nEgOtIaTe YWJj", TOKEN, NEGO, "YWJj", 3, "scheme names have no case" },
    { "ntlm YWJj", TOKEN, NTLM, "YWJj", 3, "lower case" },
    { "BASIC YWJj", TOKEN, BASIC, "YWJj", 3, "upper case" },
    { "NTLM\t\tTlRM", TOKEN, NTLM, "TlRM", 3, "tabs between scheme and token" },
    { "NTLM \t  TlRM", TOKEN, NTLM, "TlRM", 3, "any run of blanks" },
    { "NTLM TlRM \t ", TOKEN, NTLM, "TlRM", 3, "trailing blanks are ignored" },
    { " \tNTLM TlRM", TOKEN, NTLM, "TlRM", 3, "leading blanks are ignored" },
    { "NTLM ++//", TOKEN, NTLM, "++//", 3, "the two signs of the alphabet" },
    { "Negotiate h0IQAASSqodCCa+LwCgA", TOKEN, NEGO, "h0IQAASSqodCCa+LwCgA", 15, "some bytes" },

    { "Bearer x", FOREIGN, OTHER, NULL, 0, "a scheme that is not ours" },
    { "Bearer !!!!", FOREIGN, OTHER, NULL, 0, "whose data is not looked at" },
    { "Digest username=\"a, b\", realm=\"x\"", FOREIGN, OTHER, NULL, 0, "quotes and commas" },
    { "Bearer", FOREIGN, OTHER, NULL, 0, "a foreign scheme alone" },
    { "Bearer x, NTLM YWJj", FOREIGN, OTHER, NULL, 0,
      "ours joined behind it is part of its data" },
    { "NTLMX YWJj", FOREIGN, OTHER, NULL, 0, "ours is only a prefix" },
    { "NTL YWJj", FOREIGN, OTHER, NULL, 0, "a prefix of ours" },
    { "Negotiate2 YWJj", FOREIGN, OTHER, NULL, 0, "longer than ours" },
    { "Negotiat YWJj", FOREIGN, OTHER, NULL, 0, "shorter than ours" },
    { "N YWJj", FOREIGN, OTHER, NULL, 0, "one letter" },
    { "!#$%&'*+-.^_`|~ x", FOREIGN, OTHER, NULL, 0, "every sign a scheme may have" },
    { "YWJj", FOREIGN, OTHER, NULL, 0, "a token without scheme looks like a scheme" },

    { "NTLM", NODATA, NTLM, NULL, 0, "a scheme of ours alone" },
    { "Negotiate ", NODATA, NEGO, NULL, 0, "a blank behind it" },
    { "Negotiate \t \t", NODATA, NEGO, NULL, 0, "blanks of both kinds" },
    { "  Basic  ", NODATA, BASIC, NULL, 0, "blanks on both sides" },

    { "", MAL, OTHER, NULL, 0, "an empty value" },
    { " ", MAL, OTHER, NULL, 0, "a blank" },
    { "\t \t", MAL, OTHER, NULL, 0, "blanks only" },
    { "NTLM,", MAL, OTHER, NULL, 0, "a comma runs into the scheme" },
    { "Negotiate, NTLM YWJj", MAL, OTHER, NULL, 0, "two headers, the first without data" },
    { "NTLM YWJj, NTLM YWJj", MAL, NTLM, NULL, 0, "two headers, joined" },
    { "NTLM YWJj,YWJj", MAL, NTLM, NULL, 0, "joined without a blank" },
    { "Negotiate YWJj, Bearer x", MAL, NEGO, NULL, 0, "two schemes, joined" },
    { ", NTLM YWJj", MAL, OTHER, NULL, 0, "an empty header joined with one" },
    { "=NTLM YWJj", MAL, OTHER, NULL, 0, "no token character first" },
    { "NTLM=YWJj", MAL, OTHER, NULL, 0, "an equals sign instead of a blank" },
    { "NTLM:YWJj", MAL, OTHER, NULL, 0, "a colon" },
    { "NTLM\vYWJj", MAL, OTHER, NULL, 0, "a vertical tab is no blank" },
    { "NTLM\nYWJj", MAL, OTHER, NULL, 0, "a line feed is no blank" },
    { "\xc3\xa4 YWJj", MAL, OTHER, NULL, 0, "a scheme beyond ASCII" },
    { "NTLM\xa0YWJj", MAL, OTHER, NULL, 0, "a no-break space is no blank" },

    { "NTLM !!!!", MAL, NTLM, NULL, 0, "not the alphabet" },
    { "NTLM YWJ", MAL, NTLM, NULL, 0, "three characters" },
    { "NTLM YW", MAL, NTLM, NULL, 0, "two characters" },
    { "NTLM Y", MAL, NTLM, NULL, 0, "one character" },
    { "NTLM YWJjY", MAL, NTLM, NULL, 0, "five characters" },
    { "NTLM YWJ jYWJ", MAL, NTLM, NULL, 0, "a blank inside" },
    { "NTLM YWJj YWJj", MAL, NTLM, NULL, 0, "two tokens" },
    { "NTLM YW=j", MAL, NTLM, NULL, 0, "padding before a character" },
    { "NTLM =WJj", MAL, NTLM, NULL, 0, "padding first" },
    { "NTLM ====", MAL, NTLM, NULL, 0, "padding only" },
    { "NTLM Y===", MAL, NTLM, NULL, 0, "three of it" },
    { "NTLM YWI=YWJj", MAL, NTLM, NULL, 0, "padding in the middle" },
    { "NTLM YWJj====", MAL, NTLM, NULL, 0, "a quad of it behind a token" },
    { "NTLM YWJj=", MAL, NTLM, NULL, 0, "one too many" },
    { "NTLM YW-_", MAL, NTLM, NULL, 0, "the URL alphabet" },
    { "NTLM YW\xc3\xa4", MAL, NTLM, NULL, 0, "beyond ASCII" },
    { "NTLM YWJj\r\nYWJj", MAL, NTLM, NULL, 0, "line ends" },

    /* Placeholder tokens of RFC 4559 section 5 and [MS-NTHT] section 4 */
    { "Negotiate a87421000492aa874209af8bc028", TOKEN, NEGO, "a87421000492aa874209af8bc028", 21,
      "a placeholder that happens to be base64" },
    { "NTLM tESsBmE/yNY3lb6a0L6vVQEZNqwQn0s8Unew", TOKEN, NTLM,
      "tESsBmE/yNY3lb6a0L6vVQEZNqwQn0s8Unew", 27, "another" },
    { "Negotiate 749efa7b23409c20b92356", MAL, NEGO, NULL, 0, "a placeholder of wrong length" },
    { "Negotiate 89a8742aa8729a8b028", MAL, NEGO, NULL, 0, "another" },
    { "Negotiate ade0234568a4209af8bc0280289eca", MAL, NEGO, NULL, 0, "another" },
    { "NTLM kGaXHz6/owHcWRlvGFk8ReUZKHo=QEZNqwQn0s8U", MAL, NTLM, NULL, 0,
      "a placeholder with padding in the middle" },
};

static void split_table(void)
{
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const row *r = &rows[i];
        sample sam = sample_copy(r->value, strlen(r->value) + 1);
        const char *value = (const char *)sam.s.p;
        wa_header h;
        bool right;
        memset(&h, 0x5a, sizeof(h)); /* nothing of the caller's may shine through */
        wa_header_split(value, &h);
        right = (int)h.kind == r->kind && (r->kind == MAL || (int)h.scheme == r->scheme);
        if (r->kind == TOKEN) {
            right = right && h.base64.n == strlen(r->base64)
                    && memcmp(h.base64.p, r->base64, h.base64.n) == 0
                    && sample_holds(sam.s, h.base64) && h.decoded_len == r->decoded;
        }
        ok(right, "%s", r->why);
        sample_free(&sam);
    }
}

/* Nobody gets to see text that was found not to be base64. */
static void no_text_but_a_token(void)
{
    size_t i;
    int wrong = 0;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wa_header h;
        wa_header_split(rows[i].value, &h);
        wrong += h.kind != WA_HEADER_TOKEN && (h.base64.n != 0 || h.decoded_len != 0);
    }
    is_int(wrong, 0, "only a token has text");
}

static void absent(void)
{
    wa_header h;

    memset(&h, 0x5a, sizeof(h));
    wa_header_split(NULL, &h);
    ok(h.kind == WA_HEADER_ABSENT && h.scheme == WA_SCHEME_OTHER && h.base64.n == 0, "no header");
    is_int(WA_HEADER_MALFORMED, 0, "a value nobody filled in is malformed");
    is_int(WA_SCHEME_OTHER, 0, "and of no scheme of ours");
}

static void names(void)
{
    is_str(wa_scheme_name(WA_SCHEME_NEGOTIATE), "Negotiate", "name of Negotiate");
    is_str(wa_scheme_name(WA_SCHEME_NTLM), "NTLM", "name of NTLM");
    is_str(wa_scheme_name(WA_SCHEME_BASIC), "Basic", "name of Basic");
    is_str(wa_scheme_name(WA_SCHEME_OTHER), NULL, "no name for a foreign scheme");
    is_str(wa_scheme_name(WA_SCHEME_COUNT), NULL, "none beyond the table");
    is_str(wa_scheme_name((wa_scheme)-1), NULL, "none before it");
}

/* Every way to write a scheme of ours in upper and lower case. */
static void every_case(const char *scheme, wa_scheme want)
{
    size_t len = strlen(scheme);
    unsigned mask;
    int wrong = 0;

    for (mask = 0; mask < 1u << len; mask++) {
        char value[32];
        wa_header h;
        size_t i;
        for (i = 0; i < len; i++) {
            int c = (unsigned char)scheme[i];
            value[i] = (char)(mask >> i & 1 ? toupper(c) : tolower(c));
        }
        memcpy(value + len, " YWJj", 6);
        wa_header_split(value, &h);
        wrong += h.kind != WA_HEADER_TOKEN || h.scheme != want;
    }
    is_int(wrong, 0, "%s in every mixture of cases", scheme);
}

/* Every byte in the place of the first and of a later character of the scheme, and as separator.
 */
static void every_byte_of_scheme(void)
{
    int c;
    int wrong_first = 0;
    int wrong_later = 0;
    int wrong_separator = 0;

    for (c = 1; c < 256; c++) {
        bool word = isalnum(c) && c < 128;
        bool tchar = word || (c < 128 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
        bool blank = c == ' ' || c == '\t';
        char value[16] = "xyz YWJj";
        wa_header h;

        value[0] = (char)c;
        wa_header_split(value, &h);
        wrong_first += h.kind != (tchar || blank ? WA_HEADER_FOREIGN : WA_HEADER_MALFORMED);
        value[0] = 'x';
        value[1] = (char)c;
        wa_header_split(value, &h);
        wrong_later += h.kind != (tchar || blank ? WA_HEADER_FOREIGN : WA_HEADER_MALFORMED);
        memcpy(value, "NTLM.YWJj", 10);
        value[4] = (char)c;
        wa_header_split(value, &h);
        wrong_separator += h.kind
                           != (blank   ? WA_HEADER_TOKEN
                               : tchar ? WA_HEADER_FOREIGN
                                       : WA_HEADER_MALFORMED);
    }
    is_int(wrong_first, 0, "every byte as first character");
    is_int(wrong_later, 0, "every byte within the scheme");
    is_int(wrong_separator, 0, "every byte between scheme and token");
}

/* Base64 as RFC 4648 section 4 has it, said another way than in the code under test. */
static bool reference_len(const char *s, size_t n, size_t *len)
{
    size_t letters = 0;

    while (
        letters < n && s[letters] != '\0'
        && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", s[letters])
               != NULL) {
        letters++;
    }
    *len = letters * 6 / 8;
    return n > 0 && n % 4 == 0 && letters % 4 != 1 && letters + (4 - letters % 4) % 4 == n
           && memcmp(s + letters, "==", n - letters) == 0;
}

static bool same_as_reference(const char *s, size_t n)
{
    sample sam = sample_copy(s, n);
    size_t got_len = 77;
    size_t want_len;
    bool want = reference_len(s, n, &want_len);
    bool got = wa_header_base64_len(sam.s, &got_len);

    sample_free(&sam);
    return got == want && got_len == (want ? want_len : 0);
}

static void base64_every_shape(void)
{
    char text[48];
    size_t letters, pads, at;
    int c;
    int wrong = 0;

    for (letters = 0; letters <= 40; letters++) {
        for (pads = 0; pads <= 6; pads++) {
            memset(text, 'Q', letters);
            memset(text + letters, '=', pads);
            wrong += !same_as_reference(text, letters + pads);
        }
    }
    is_int(wrong, 0, "every number of letters with every number of padding characters");

    for (wrong = 0, at = 0; at < 12; at++) {
        for (c = 0; c < 256; c++) {
            memcpy(text, "QUFBQUFBQUE=", 12);
            text[at] = (char)c;
            wrong += !same_as_reference(text, 12);
        }
    }
    is_int(wrong, 0, "every byte in every place of a padded text");
}

static void base64_long(void)
{
    size_t n = 64 * 1024;
    char *text = malloc(n + 6);
    wa_header h;

    if (text == NULL) {
        sample_die("out of memory", "");
        return;
    }
    memcpy(text, "NTLM ", 5);
    memset(text + 5, 'A', n);
    text[n + 5] = '\0';
    wa_header_split(text, &h);
    ok(h.kind == WA_HEADER_TOKEN && h.base64.n == n && h.decoded_len == n / 4 * 3,
       "a long token; how long it may be is decided elsewhere");
    text[n + 4] = '.';
    wa_header_split(text, &h);
    is_int(h.kind, WA_HEADER_MALFORMED, "its last character is looked at too");
    free(text);
}

int main(void)
{
    absent();
    names();
    split_table();
    no_text_but_a_token();
    every_case("negotiate", WA_SCHEME_NEGOTIATE);
    every_case("ntlm", WA_SCHEME_NTLM);
    every_case("basic", WA_SCHEME_BASIC);
    every_byte_of_scheme();
    base64_every_shape();
    base64_long();
    return done_testing();
}
