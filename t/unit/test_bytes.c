/* The one length check of the project, and the reader and writer on top of it. */
#include "core/bytes.h"

#include "sample.h"
#include "tap.h"

static void slice_table(void)
{
    /* clang-format off */
    static const struct {
        size_t n, off, len;
        bool inside;
    } rows[] = {
        { 8, 0, 0, true },         { 8, 0, 8, true },          { 8, 8, 0, true },
        { 8, 7, 1, true },         { 8, 8, 1, false },         { 8, 9, 0, false },
        { 8, 0, 9, false },        { 8, 1, 8, false },         { 8, 4, 5, false },
        { 8, SIZE_MAX, 0, false }, { 8, 0, SIZE_MAX, false },  { 8, SIZE_MAX, 1, false },
        { 8, 1, SIZE_MAX, false }, { 8, 8, SIZE_MAX, false },  { 8, SIZE_MAX, SIZE_MAX, false },
        { 0, 0, 0, true },         { 0, 0, 1, false },         { 0, 1, 0, false },
        { 8, 4, SIZE_MAX - 3, false },                         { 8, SIZE_MAX - 3, 4, false },
        { 8, 4, SIZE_MAX / 2 + 1, false },                     { 8, SIZE_MAX / 2 + 1, 4, false },
    };
    /* clang-format on */
    sample eight = sample_copy("abcdefgh", 8);
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wa_span out = wa_span_of("x", 1);
        bool got =
            wa_span_slice(wa_span_of(eight.s.p, rows[i].n), rows[i].off, rows[i].len, &out);
        size_t want_n = rows[i].inside ? rows[i].len : 0;
        ok(got == rows[i].inside && out.n == want_n
               && out.p == (want_n > 0 ? eight.s.p + rows[i].off : NULL),
           "slice of %zu at %zu, %zu long", rows[i].n, rows[i].off, rows[i].len);
    }
    sample_free(&eight);
}

/* Every small case against arithmetic that cannot overflow. */
static void slice_exhaustive(void)
{
    unsigned char buf[12] = { 0 };
    size_t n, off, len;
    int wrong = 0;

    for (n = 0; n <= 12; n++) {
        for (off = 0; off <= 14; off++) {
            for (len = 0; len <= 14; len++) {
                wa_span out;
                bool inside = (unsigned)off + (unsigned)len <= (unsigned)n;
                bool got = wa_span_slice(wa_span_of(buf, n), off, len, &out);
                wrong += got != inside || out.n != (inside ? len : 0)
                         || (out.n > 0 && out.p != buf + off);
            }
        }
    }
    is_int(wrong, 0, "every slice of up to 12 bytes");
}

static void compare(void)
{
    wa_span none = wa_span_of(NULL, 0);
    wa_span abc = wa_span_of("abc", 3);

    ok(wa_span_equal(none, none), "two unset spans are equal");
    ok(wa_span_equal(none, wa_span_of("", 0)), "unset equals empty");
    ok(wa_span_equal(abc, wa_span_of("abcd", 3)), "equality looks no further than the length");
    ok(!wa_span_equal(abc, wa_span_of("abd", 3)), "the last byte differs");
    ok(!wa_span_equal(abc, wa_span_of("Abc", 3)), "the first byte differs");
    ok(!wa_span_equal(abc, wa_span_of("abcd", 4)), "a longer one is another");
    ok(!wa_span_equal(abc, none) && !wa_span_equal(none, abc), "something is not nothing");
    ok(wa_span_begins(abc, none) && wa_span_begins(none, none), "everything begins with nothing");
    ok(wa_span_begins(abc, wa_span_of("ab", 2)), "a true prefix");
    ok(wa_span_begins(abc, abc), "begins with itself");
    ok(!wa_span_begins(abc, wa_span_of("abcd", 4)), "not with something longer");
    ok(!wa_span_begins(none, abc), "nothing begins with something: no");
    ok(!wa_span_begins(abc, wa_span_of("b", 1)) && !wa_span_begins(abc, wa_span_of("abd", 3)),
       "a prefix that differs");
}

static void secrets(void)
{
    unsigned char a[16];
    unsigned char b[16];
    size_t i;
    int bit;
    int wrong = 0;

    for (i = 0; i < sizeof(a); i++) {
        a[i] = b[i] = (unsigned char)(i * 17);
    }
    ok(wa_secret_equal(a, b, sizeof(a)), "equal secrets");
    ok(wa_secret_equal(a, b, 0), "no bytes are equal");
    for (i = 0; i < sizeof(a); i++) {
        for (bit = 1; bit < 256; bit <<= 1) {
            b[i] ^= (unsigned char)bit;
            wrong += wa_secret_equal(a, b, sizeof(a));
            b[i] ^= (unsigned char)bit;
        }
    }
    is_int(wrong, 0, "one flipped bit anywhere makes them differ");
    b[0] ^= 0x55;
    b[1] ^= 0x55;
    ok(!wa_secret_equal(a, b, sizeof(a)), "two differences do not cancel out");
    ok(wa_secret_equal(a + 2, b + 2, 14), "only the bytes asked for count");

    memset(b, 0xaa, sizeof(b));
    wa_secret_wipe(b + 4, 8);
    for (wrong = 0, i = 0; i < sizeof(b); i++) {
        wrong += b[i] != (i >= 4 && i < 12 ? 0 : 0xaa);
    }
    is_int(wrong, 0, "wiping clears what it is told to and no more");
    wa_secret_wipe(b, 0);
    is_int(b[0], 0xaa, "wiping nothing");
}

static void reader_values(void)
{
    sample sam = sample_hex("01 0302 07060504 0f0e0d0c0b0a0908"
                            "ff ffff ffffffff ffffffffffffffff aabb");
    wa_reader r;
    wa_span s;

    wa_reader_init(&r, sam.s);
    is_int(wa_reader_left(&r), 32, "all is left at the start");
    is_int(wa_reader_u8(&r), 0x01, "u8");
    is_int(wa_reader_le16(&r), 0x0203, "le16");
    is_int(wa_reader_le32(&r), 0x04050607, "le32");
    ok(wa_reader_le64(&r) == 0x08090a0b0c0d0e0full, "le64");
    is_int(wa_reader_u8(&r), 0xff, "largest u8");
    is_int(wa_reader_le16(&r), 0xffff, "largest le16");
    is_int(wa_reader_le32(&r), 0xffffffffLL, "largest le32");
    ok(wa_reader_le64(&r) == UINT64_MAX, "largest le64");
    is_int(wa_reader_left(&r), 2, "two bytes left");
    s = wa_reader_bytes(&r, 2);
    ok(s.n == 2 && s.p == sam.s.p + 30, "the last bytes, as a view");
    s = wa_reader_bytes(&r, 0);
    ok(!r.bad && s.n == 0 && wa_reader_left(&r) == 0, "nothing more at the end is not an error");
    sample_free(&sam);
}

/* Each width over each length: whole or bad, never a byte too many. */
static void reader_ends(void)
{
    static const size_t widths[] = { 1, 2, 4, 8 };
    size_t w, n;
    int wrong = 0;

    for (w = 0; w < 4; w++) {
        for (n = 0; n <= 9; n++) {
            sample sam = sample_copy("\xff\xff\xff\xff\xff\xff\xff\xff\xff", n);
            uint64_t got;
            wa_reader r;
            wa_reader_init(&r, sam.s);
            got = widths[w] == 1   ? wa_reader_u8(&r)
                  : widths[w] == 2 ? wa_reader_le16(&r)
                  : widths[w] == 4 ? wa_reader_le32(&r)
                                   : wa_reader_le64(&r);
            wrong += r.bad != (n < widths[w]);
            wrong += got != (r.bad ? 0 : UINT64_MAX >> (64 - 8 * widths[w]));
            wrong += wa_reader_left(&r) != (r.bad ? 0 : n - widths[w]);
            sample_free(&sam);
        }
    }
    is_int(wrong, 0, "every width from every length");
}

static void reader_sticky(void)
{
    sample sam = sample_hex("0102030405");
    wa_reader r;
    wa_span s;

    wa_reader_init(&r, sam.s);
    (void)wa_reader_le16(&r);
    s = wa_reader_bytes(&r, 4);
    ok(r.bad && s.p == NULL && s.n == 0, "four bytes of three: bad and empty");
    is_int(r.pos, 2, "a failed read does not move");
    is_int(wa_reader_left(&r), 0, "nothing is left in a bad reader");
    is_int(wa_reader_u8(&r), 0, "what would have fitted reads as zero");
    ok(wa_reader_bytes(&r, 0).p == NULL && r.bad, "and it stays bad");
    wa_reader_init(&r, sam.s);
    (void)wa_reader_u8(&r);
    ok(wa_reader_bytes(&r, SIZE_MAX).n == 0 && r.bad, "a length that would wrap around");
    wa_reader_init(&r, sam.s);
    is_int(wa_reader_u8(&r), 1, "a fresh start");
    wa_reader_init(&r, wa_span_of(NULL, 0));
    ok(!r.bad && wa_reader_left(&r) == 0 && wa_reader_u8(&r) == 0 && r.bad, "an unset span");
    sample_free(&sam);
}

static void writer_values(void)
{
    static const unsigned char want[] = { 'a',  'b',  0x02, 0x01, 0x06, 0x05, 0x04,
                                          0x03, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09,
                                          0x08, 0x07, 0,    0,    0 };
    unsigned char *buf = malloc(sizeof(want));
    wa_writer w;

    if (buf == NULL) {
        sample_die("out of memory", "");
        return;
    }
    memset(buf, 0xee, sizeof(want));
    wa_writer_init(&w, buf, sizeof(want));
    wa_writer_bytes(&w, "ab", 2);
    wa_writer_le16(&w, 0x0102);
    wa_writer_le32(&w, 0x03040506u);
    wa_writer_le64(&w, 0x0708090a0b0c0d0eull);
    wa_writer_zeros(&w, 3);
    ok(!w.bad, "what fits exactly is not bad");
    is_bytes(w.p, w.n, want, sizeof(want), "values, little-endian, in order");
    wa_writer_bytes(&w, NULL, 0);
    wa_writer_zeros(&w, 0);
    ok(!w.bad && w.n == sizeof(want), "nothing fits into a full buffer");
    wa_writer_zeros(&w, 1);
    ok(w.bad && w.n == sizeof(want), "one byte more does not");
    is_bytes(w.p, w.n, want, sizeof(want), "and spoils nothing");
    free(buf);
}

static void put(wa_writer *w, int kind, size_t n)
{
    switch (kind) {
    case 0:
        wa_writer_bytes(w, "12345678", n);
        break;
    case 1:
        wa_writer_zeros(w, n);
        break;
    case 2:
        wa_writer_le16(w, 0x1111);
        break;
    case 3:
        wa_writer_le32(w, 0x22222222u);
        break;
    default:
        wa_writer_le64(w, 0x3333333333333333ull);
        break;
    }
}

/* Each kind into each room: all of it or none, and after none nothing ever again. */
static void writer_ends(void)
{
    static const size_t sizes[] = { 8, 8, 2, 4, 8 };
    size_t cap;
    int kind;
    int wrong = 0;

    for (kind = 0; kind < 5; kind++) {
        for (cap = 0; cap <= 9; cap++) {
            sample sam = sample_copy("\xee\xee\xee\xee\xee\xee\xee\xee\xee", cap);
            bool fits = sizes[kind] <= cap;
            wa_writer w;
            size_t i;
            wa_writer_init(&w, (unsigned char *)sam.s.p, cap);
            put(&w, kind, 8);
            wrong += w.bad == fits || w.n != (fits ? sizes[kind] : 0);
            if (!fits) {
                put(&w, 0, cap > 0 ? 1 : 0);
                wrong += !w.bad || w.n != 0;
                for (i = 0; i < cap; i++) {
                    wrong += sam.s.p[i] != 0xee;
                }
            }
            sample_free(&sam);
        }
    }
    is_int(wrong, 0, "every kind of value into every room");
}

static void writer_extremes(void)
{
    unsigned char buf[4] = { 1, 2, 3, 4 };
    wa_writer w;

    wa_writer_init(&w, buf, sizeof(buf));
    wa_writer_zeros(&w, 2);
    wa_writer_zeros(&w, SIZE_MAX);
    ok(w.bad && w.n == 2, "a length that would wrap around");
    wa_writer_init(&w, buf, sizeof(buf));
    wa_writer_zeros(&w, 2);
    wa_writer_zeros(&w, SIZE_MAX - 1);
    ok(w.bad && w.n == 2 && buf[2] == 3, "and one that would wrap to the start");
    wa_writer_init(&w, NULL, 0);
    wa_writer_zeros(&w, 1);
    ok(w.bad && w.n == 0, "no buffer takes nothing");
    wa_writer_init(&w, NULL, 0);
    wa_writer_bytes(&w, NULL, 0);
    ok(!w.bad && w.n == 0, "and nothing fits into it");
}

int main(void)
{
    slice_table();
    slice_exhaustive();
    compare();
    secrets();
    reader_values();
    reader_ends();
    reader_sticky();
    writer_values();
    writer_ends();
    writer_extremes();
    return done_testing();
}
