/* UTF-8 and UTF-16LE, strict both ways: compared with encoders and a validator of another make.
 */
#include "core/utf.h"

#include "sample.h"
#include "tap.h"

/* ---- the reference: from the code point, by table ---- */

static size_t ref_utf8(uint32_t c, unsigned char *out)
{
    static const struct {
        uint32_t below;
        unsigned lead;
    } rows[] = { { 0x80, 0 }, { 0x800, 0xc0 }, { 0x10000, 0xe0 }, { 0x110000, 0xf0 } };
    size_t n = 0;
    size_t i;

    while (c >= rows[n].below) {
        n++;
    }
    for (i = n; i > 0; i--, c /= 64) {
        out[i] = (unsigned char)(0x80 + c % 64);
    }
    out[0] = (unsigned char)(rows[n].lead + c);
    return n + 1;
}

static size_t ref_utf16(uint32_t c, unsigned char *out)
{
    uint32_t high = 0xd800 - 0x40 + c / 0x400;
    uint32_t unit = c < 0x10000 ? c : 0xdc00 + c % 0x400;
    size_t n = 0;

    if (c >= 0x10000) {
        out[n++] = (unsigned char)(high % 256);
        out[n++] = (unsigned char)(high / 256);
    }
    out[n++] = (unsigned char)(unit % 256);
    out[n++] = (unsigned char)(unit / 256);
    return n;
}

/* The Unicode standard's table of well-formed byte sequences, less U+0000.  Length, or 0. */
static size_t ref_sequence(const unsigned char *p, size_t n)
{
    /* clang-format off */
    static const struct {
        unsigned char first_low, first_high, second_low, second_high, len;
    } rows[] = {
        { 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
        { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
        { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    /* clang-format on */
    size_t i, k;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (n < rows[i].len || p[0] < rows[i].first_low || p[0] > rows[i].first_high) {
            continue;
        }
        if (rows[i].len > 1 && (p[1] < rows[i].second_low || p[1] > rows[i].second_high)) {
            return 0;
        }
        for (k = 2; k < rows[i].len; k++) {
            if (p[k] < 0x80 || p[k] > 0xbf) {
                return 0;
            }
        }
        return rows[i].len;
    }
    return 0;
}

static bool ref_valid(const unsigned char *p, size_t n)
{
    while (n > 0) {
        size_t len = ref_sequence(p, n);
        if (len == 0) {
            return false;
        }
        p += len;
        n -= len;
    }
    return true;
}

/* ---- every code point, every short sequence ---- */

static bool converts(bool (*convert)(wa_span, wa_writer *), const unsigned char *in, size_t in_n,
                     const unsigned char *want, size_t want_n)
{
    unsigned char buf[8];
    wa_writer w;

    wa_writer_init(&w, buf, want_n);
    return convert(wa_span_of(in, in_n), &w) && w.n == want_n && memcmp(buf, want, want_n) == 0;
}

static void every_code_point(void)
{
    unsigned char u8[4];
    unsigned char u16[4];
    uint32_t c;
    int to16 = 0;
    int to8 = 0;
    int valid = 0;
    int surrogates = 0;

    for (c = 1; c <= 0x10ffff; c++) {
        size_t n8 = ref_utf8(c, u8);
        size_t n16 = ref_utf16(c, u16);
        if (c >= 0xd800 && c <= 0xdfff) {
            surrogates += wa_utf8_valid(wa_span_of(u8, n8))
                          || converts(wa_utf8_to_utf16, u8, n8, u16, n16)
                          || converts(wa_utf16_to_utf8, u16, n16, u8, n8);
            continue;
        }
        to16 += !converts(wa_utf8_to_utf16, u8, n8, u16, n16);
        to8 += !converts(wa_utf16_to_utf8, u16, n16, u8, n8);
        valid += !wa_utf8_valid(wa_span_of(u8, n8));
    }
    is_int(to16, 0, "every code point from UTF-8 to UTF-16");
    is_int(to8, 0, "every code point from UTF-16 to UTF-8");
    is_int(valid, 0, "every code point is valid");
    is_int(surrogates, 0, "but the surrogates are no code points");
}

/* Validity and conversion must say the same as the reference. */
static int disagrees(const unsigned char *p, size_t n)
{
    sample sam = sample_copy(p, n);
    unsigned char buf[32];
    bool want = ref_valid(p, n);
    wa_writer w;
    int wrong;

    wa_writer_init(&w, buf, sizeof(buf));
    wrong = (wa_utf8_valid(sam.s) != want) + (wa_utf8_to_utf16(sam.s, &w) != want);
    sample_free(&sam);
    return wrong;
}

static void every_sequence(void)
{
    static const unsigned char leads3[] = { 0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
                                            0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xff };
    static const unsigned char leads4[] = { 0xe0, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
                                            0xf7, 0xf8, 0xfb, 0xfc, 0xfe, 0xff };
    static const unsigned char edges[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
                                           0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff };
    unsigned char b[4];
    size_t i, j, k;
    int one = 0;
    int two = 0;
    int three = 0;
    int four = 0;
    int v;

    for (v = 0; v < 256; v++) {
        b[0] = (unsigned char)v;
        one += disagrees(b, 1);
    }
    for (v = 0; v < 65536; v++) {
        b[0] = (unsigned char)(v >> 8);
        b[1] = (unsigned char)v;
        two += disagrees(b, 2);
    }
    for (i = 0; i < sizeof(leads3); i++) {
        for (v = 0; v < 65536; v++) {
            b[0] = leads3[i];
            b[1] = (unsigned char)(v >> 8);
            b[2] = (unsigned char)v;
            three += v % 7 == 0 || (b[1] & 0xc0) == 0x80 ? disagrees(b, 3) : 0;
        }
    }
    for (i = 0; i < sizeof(leads4); i++) {
        for (v = 0; v < 256; v++) {
            for (j = 0; j < sizeof(edges); j++) {
                for (k = 0; k < sizeof(edges); k++) {
                    b[0] = leads4[i];
                    b[1] = (unsigned char)v;
                    b[2] = edges[j];
                    b[3] = edges[k];
                    four += disagrees(b, 4);
                }
            }
        }
    }
    is_int(one, 0, "every byte alone");
    is_int(two, 0, "every two bytes");
    is_int(three, 0, "three bytes");
    is_int(four, 0, "four bytes");
}

static void every_unit(void)
{
    uint32_t a;
    uint32_t b;
    int alone = 0;
    int pair = 0;

    for (a = 0; a < 0x10000; a++) {
        unsigned char in[4] = { (unsigned char)a, (unsigned char)(a >> 8), 'x', 0 };
        bool surrogate = a >= 0xd800 && a <= 0xdfff;
        unsigned char buf[16];
        sample sam = sample_copy(in, 2);
        wa_writer w;
        wa_writer_init(&w, buf, sizeof(buf));
        alone += wa_utf16_to_utf8(sam.s, &w) != (a != 0 && !surrogate);
        sample_free(&sam);
        wa_writer_init(&w, buf, sizeof(buf));
        alone += wa_utf16_to_utf8(wa_span_of(in, 4), &w) != (a != 0 && !surrogate);
    }
    for (a = 0xd7f0; a < 0xe010; a += 15) {
        for (b = 0xd7f0; b < 0xe010; b += 15) {
            unsigned char in[4] = { (unsigned char)a, (unsigned char)(a >> 8), (unsigned char)b,
                                    (unsigned char)(b >> 8) };
            bool plain = (a < 0xd800 || a > 0xdfff) && (b < 0xd800 || b > 0xdfff);
            bool proper = a >= 0xd800 && a <= 0xdbff && b >= 0xdc00 && b <= 0xdfff;
            unsigned char buf[16];
            wa_writer w;
            wa_writer_init(&w, buf, sizeof(buf));
            pair += wa_utf16_to_utf8(wa_span_of(in, 4), &w) != (plain || proper);
        }
    }
    for (a = 0; a < 36; a++) {
        static const uint32_t edges[] = { 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000 };
        uint32_t h = edges[a / 6];
        uint32_t l = edges[a % 6];
        bool plain = (h == 0xd7ff || h == 0xe000) && (l == 0xd7ff || l == 0xe000);
        bool proper = (h == 0xd800 || h == 0xdbff) && (l == 0xdc00 || l == 0xdfff);
        unsigned char in[4] = { (unsigned char)h, (unsigned char)(h >> 8), (unsigned char)l,
                                (unsigned char)(l >> 8) };
        unsigned char buf[16];
        wa_writer w;
        wa_writer_init(&w, buf, sizeof(buf));
        pair += wa_utf16_to_utf8(wa_span_of(in, 4), &w) != (plain || proper);
    }
    is_int(alone, 0, "every 16-bit unit, alone and before a letter");
    is_int(pair, 0, "pairs of units around the surrogates");
}

/* ---- named cases ---- */

static void bad_utf8(void)
{
    /* clang-format off */
    static const struct {
        const char *hex, *why;
    } rows[] = {
        { "c080", "U+0000 in two bytes" },       { "e08080", "U+0000 in three" },
        { "f0808080", "U+0000 in four" },        { "c1bf", "U+007F in two" },
        { "e09fbf", "U+07FF in three" },         { "f08fbfbf", "U+FFFF in four" },
        { "eda080", "a high surrogate" },        { "edbfbf", "a low surrogate" },
        { "eda081edb080", "a pair of them" },    { "f4908080", "U+110000" },
        { "f8888080", "five bytes" },            { "fc8480808080", "six bytes" },
        { "80", "a continuation byte" },         { "c3", "cut off after one of two" },
        { "e282", "cut off after two of three" },{ "f09f98", "cut off after three of four" },
        { "c328", "no continuation" },           { "6100", "a NUL at the end" },
        { "006162", "a NUL first" },             { "610062", "a NUL inside" },
        { "6162c0", "bad only at the end" },     { "fe", "no lead byte" },
        { "ff", "another" },                     { "efbbbf00", "a mark, then NUL" },
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_hex(rows[i].hex);
        unsigned char buf[32];
        wa_writer w;
        wa_writer_init(&w, buf, sizeof(buf));
        ok(!wa_utf8_valid(sam.s) && !wa_utf8_to_utf16(sam.s, &w), "refused UTF-8: %s",
           rows[i].why);
        sample_free(&sam);
    }
}

static void bad_utf16(void)
{
    /* clang-format off */
    static const struct {
        const char *hex, *why;
    } rows[] = {
        { "61", "half a unit" },          { "610062", "one and a half" },
        { "0000", "U+0000" },             { "61000000", "U+0000 at the end" },
        { "3dd8", "a high surrogate" },   { "00de", "a low surrogate" },
        { "3dd800", "a high one and half a unit" },
        { "00de3dd8", "a pair the wrong way round" },
        { "3dd86100", "a high one before a letter" },
        { "3dd83dd8", "two high ones" },  { "3dd800de00de", "a pair and a low one" },
        { "3dd80000", "a high one before U+0000" },
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_hex(rows[i].hex);
        unsigned char buf[32];
        wa_writer w;
        wa_writer_init(&w, buf, sizeof(buf));
        ok(!wa_utf16_to_utf8(sam.s, &w), "refused UTF-16: %s", rows[i].why);
        sample_free(&sam);
    }
}

/* a, o umlaut, euro, grinning face: one code point of each length */
#define TEXT8 "a\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80"
#define TEXT16 "a\0\xf6\0\xac\x20\x3d\xd8\x00\xde"

static void room(void)
{
    unsigned char out[16] = { 0 };
    size_t cap;
    int wrong = 0;
    wa_writer w;

    for (cap = 0; cap <= 12; cap++) {
        sample sam = sample_copy(out, cap);
        wa_writer_init(&w, (unsigned char *)sam.s.p, cap);
        wrong += wa_utf8_to_utf16(wa_span_of(TEXT8, 10), &w) != (cap >= 10) || w.n > cap;
        wa_writer_init(&w, (unsigned char *)sam.s.p, cap);
        wrong += wa_utf16_to_utf8(wa_span_of(TEXT16, 10), &w) != (cap >= 10) || w.n > cap;
        sample_free(&sam);
    }
    is_int(wrong, 0, "too little room is a failure, never an overrun");
    wa_writer_init(&w, out, sizeof(out));
    ok(wa_utf8_to_utf16(wa_span_of(TEXT8, 10), &w), "one of each length to UTF-16");
    is_bytes(w.p, w.n, TEXT16, 10, "as it should be");
    wa_writer_init(&w, out, sizeof(out));
    ok(wa_utf16_to_utf8(wa_span_of(TEXT16, 10), &w), "and back");
    is_bytes(w.p, w.n, TEXT8, 10, "to what it was");
    wa_writer_init(&w, out, sizeof(out));
    w.bad = true;
    ok(!wa_utf8_to_utf16(wa_span_of("a", 1), &w) && !wa_utf16_to_utf8(wa_span_of("a", 2), &w)
           && w.n == 0,
       "a writer that was bad before stays so");
    wa_writer_init(&w, out, 0);
    ok(wa_utf8_to_utf16(wa_span_of("", 0), &w) && wa_utf16_to_utf8(wa_span_of(NULL, 0), &w)
           && wa_utf8_valid(wa_span_of(NULL, 0)),
       "empty text needs no room and is well-formed");
}

/* ---- upper case ---- */

static uint32_t up(uint32_t c)
{
    unsigned char s[2] = { (unsigned char)c, (unsigned char)(c >> 8) };

    wa_utf16_upcase(s, 2);
    return (uint32_t)(s[0] | s[1] << 8);
}

static void upcase_ascii(const char *when)
{
    uint32_t c;
    int wrong = 0;

    for (c = 0; c < 128; c++) {
        wrong += up(c) != (c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    is_int(wrong, 0, "ASCII %s", when);
}

static void upcase_before_init(void)
{
    uint32_t c;
    int wrong = 0;

    for (c = 0x80; c < 0x10000; c++) {
        wrong += up(c) != c;
    }
    is_int(wrong, 0, "without a table nothing beyond ASCII changes");
}

static void upcase_letters(void)
{
    /* clang-format off */
    static const struct {
        uint32_t from, to;
        const char *why;
    } rows[] = {
        { 0xf6, 0xd6, "o umlaut" },            { 0xd6, 0xd6, "O umlaut" },
        { 0xe9, 0xc9, "e acute" },             { 0xff, 0x178, "y diaeresis leaves Latin-1" },
        { 0xdf, 0xdf, "sharp s stays one letter" }, { 0x131, 0x131, "dotless i never becomes I" },
        { 0x17f, 0x17f, "long s never becomes S" }, { 0xf7, 0xf7, "the division sign" },
        { 0x130, 0x130, "I with dot" },        { 0x212a, 0x212a, "the Kelvin sign" },
        { 0x3b1, 0x391, "alpha" },             { 0x44f, 0x42f, "ya" },
        { 0x456, 0x406, "Ukrainian i" },       { 0x561, 0x531, "ayb" },
        { 0xfb01, 0xfb01, "the fi ligature stays one letter" },
        { 0x149, 0x149, "n preceded by apostrophe" },
        { 0x4e2d, 0x4e2d, "an ideograph" },    { 0xff41, 0xff21, "full-width a" },
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_int(up(rows[i].from), rows[i].to, "upper case: %s", rows[i].why);
    }
    is_int(up(0x10d0), 0x10d0, "upper case: Georgian an has none in Windows");
}

static void upcase_properties(void)
{
    uint32_t c;
    int ascii = 0;
    int twice = 0;
    int surrogates = 0;

    for (c = 0x80; c < 0x10000; c++) {
        ascii += up(c) < 0x80;
        twice += up(up(c)) != up(c);
        surrogates += c >= 0xd800 && c < 0xe000 && up(c) != c;
    }
    is_int(ascii, 0, "no letter beyond ASCII turns into one of ASCII");
    is_int(twice, 0, "doing it twice changes nothing more");
    is_int(surrogates, 0, "surrogates stay as they are");
}

static void upcase_strings(void)
{
    unsigned char joerg[] = "j\0\xf6\0r\0g\0";
    unsigned char odd[] = "a\0b";
    unsigned char across[] = "\0a\0\x4e";
    sample sam = sample_copy("u\0s\0e\0r\0", 8);

    wa_utf16_upcase(joerg, 8);
    is_bytes(joerg, 8, "J\0\xd6\0R\0G\0", 8, "a name with an umlaut");
    wa_utf16_upcase(odd, 3);
    is_bytes(odd, 4, "A\0b", 4, "half a unit at the end is left alone");
    wa_utf16_upcase(across, 4);
    is_bytes(across, 4, "\0a\0\x4e", 4, "what looks like a letter across two units is none");
    wa_utf16_upcase((unsigned char *)sam.s.p, 8);
    is_bytes(sam.s.p, 8, "U\0S\0E\0R\0", 8, "to the last letter and no further");
    wa_utf16_upcase((unsigned char *)sam.s.p, 0);
    wa_utf16_upcase((unsigned char *)sam.s.p + 7, 1);
    is_bytes(sam.s.p, 8, "U\0S\0E\0R\0", 8, "nothing, and half of something");
    sample_free(&sam);
}

int main(void)
{
    every_code_point();
    every_sequence();
    every_unit();
    bad_utf8();
    bad_utf16();
    room();
    upcase_ascii("before the table is there");
    upcase_before_init();
    ok(wa_utf_init(), "the C library has a UTF-8 locale");
    ok(wa_utf_init(), "asking twice is harmless");
    upcase_ascii("with the table");
    upcase_letters();
    upcase_properties();
    upcase_strings();
    return done_testing();
}
