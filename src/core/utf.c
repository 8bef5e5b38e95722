#include "core/utf.h"

#include <locale.h>
#include <wctype.h>

/* Written once by wa_utf_init before any thread runs, read-only afterwards. */
static locale_t upcase_locale = (locale_t)0;

bool wa_utf_init(void)
{
    static const char *const names[] = { "C.UTF-8", "C.utf8", "en_US.UTF-8" };
    size_t i;

    for (i = 0; upcase_locale == (locale_t)0 && i < sizeof(names) / sizeof(names[0]); i++) {
        upcase_locale = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
    }
    return upcase_locale != (locale_t)0;
}

void wa_utf_done(void)
{
    if (upcase_locale != (locale_t)0) {
        freelocale(upcase_locale);
        upcase_locale = (locale_t)0;
    }
}

static void put_utf8(wa_writer *out, uint32_t c)
{
    unsigned char b[4];
    size_t n = 0;

    if (c < 0x80) {
        b[n++] = (unsigned char)c;
    }
    else if (c < 0x800) {
        b[n++] = (unsigned char)(0xc0 | c >> 6);
        b[n++] = (unsigned char)(0x80 | (c & 0x3f));
    }
    else if (c < 0x10000) {
        b[n++] = (unsigned char)(0xe0 | c >> 12);
        b[n++] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        b[n++] = (unsigned char)(0x80 | (c & 0x3f));
    }
    else {
        b[n++] = (unsigned char)(0xf0 | c >> 18);
        b[n++] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
        b[n++] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        b[n++] = (unsigned char)(0x80 | (c & 0x3f));
    }
    wa_writer_bytes(out, b, n);
}

bool wa_utf16_to_utf8(wa_span in, wa_writer *out)
{
    wa_reader r;

    wa_reader_init(&r, in);
    while (wa_reader_left(&r) > 0) {
        uint32_t c = wa_reader_le16(&r);
        if (c >= 0xd800 && c < 0xdc00) {
            uint32_t low = wa_reader_le16(&r);
            if (low < 0xdc00 || low > 0xdfff) {
                return false;
            }
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
        else if (c == 0 || (c >= 0xdc00 && c < 0xe000)) {
            return false;
        }
        put_utf8(out, c);
    }
    return !r.bad && !out->bad;
}

/* Next code point of r, or 0 when the text is not well-formed (0 itself is not allowed either).
 */
static uint32_t get_utf8(wa_reader *r)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    uint32_t c = wa_reader_u8(r);
    unsigned more = c < 0x80 ? 0 : (c & 0xe0) == 0xc0 ? 1 : (c & 0xf0) == 0xe0 ? 2 : 3;
    unsigned i;

    if (c >= 0x80 && (c < 0xc0 || c > 0xf7)) {
        return 0;
    }
    c = more == 0 ? c : c & (0x3fu >> more);
    for (i = 0; i < more; i++) {
        uint32_t b = wa_reader_u8(r);
        if ((b & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (b & 0x3f);
    }
    return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : c;
}

bool wa_utf8_to_utf16(wa_span in, wa_writer *out)
{
    wa_reader r;

    wa_reader_init(&r, in);
    while (wa_reader_left(&r) > 0) {
        uint32_t c = get_utf8(&r);
        if (c == 0) {
            return false;
        }
        if (c >= 0x10000) {
            wa_writer_le16(out, (uint16_t)(0xd800 + ((c - 0x10000) >> 10)));
            c = 0xdc00 + ((c - 0x10000) & 0x3ff);
        }
        wa_writer_le16(out, (uint16_t)c);
    }
    return !r.bad && !out->bad;
}

bool wa_utf8_valid(wa_span s)
{
    wa_reader r;

    wa_reader_init(&r, s);
    while (wa_reader_left(&r) > 0) {
        if (get_utf8(&r) == 0) {
            return false;
        }
    }
    return !r.bad;
}

static uint32_t upcase(uint32_t c)
{
    wint_t up;

    if (c < 0x80) {
        return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
    }
    if (upcase_locale == (locale_t)0 || (c >= 0xd800 && c < 0xe000)) {
        return c;
    }
    if (c >= 0x10d0 && c <= 0x10ff) {
        return c; /* Georgian got capitals after Windows' table was made ([MS-UCODEREF]) */
    }
    up = towupper_l((wint_t)c, upcase_locale);
    /* A letter whose capital is ASCII (long s, dotless i) stays: no name may turn into another.
     */
    return up >= 0x80 && up <= 0xffff ? (uint32_t)up : c;
}

void wa_utf16_upcase(unsigned char *s, size_t n)
{
    size_t i;

    for (i = 0; i + 1 < n; i += 2) {
        uint32_t c = upcase((uint32_t)(s[i] | s[i + 1] << 8));
        s[i] = (unsigned char)c;
        s[i + 1] = (unsigned char)(c >> 8);
    }
}
