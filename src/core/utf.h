/* UTF-8 and UTF-16LE, and the upper case NTLM hashes names in.
 *
 * Strict both ways: surrogates out of pair, overlong forms and U+0000 are errors, because a name
 * that two programs read differently is a name that can be confused.  Sources: RFC 3629, RFC
 * 2781, [MS-NLMP] 2.2 (Unicode strings are UTF-16LE without terminator). */
#ifndef WA_CORE_UTF_H
#define WA_CORE_UTF_H

#include "core/bytes.h"

/* Writes in (UTF-16LE) to out as UTF-8.  False: not well-formed, or out too small. */
bool wa_utf16_to_utf8(wa_span in, wa_writer *out);

/* Writes in (UTF-8) to out as UTF-16LE.  False: not well-formed, or out too small. */
bool wa_utf8_to_utf16(wa_span in, wa_writer *out);

/* True iff s is well-formed UTF-8 without U+0000. */
bool wa_utf8_valid(wa_span s);

/* Upper-cases UTF-16LE in place, one 16-bit unit to one, as Windows does (no unit ever becomes
 * two). Letters beyond ASCII are mapped by the C library's table for C.UTF-8. */
void wa_utf16_upcase(unsigned char *s, size_t n);

/* Prepares the table wa_utf16_upcase uses; call once before threads exist.  False: the C library
 * has no UTF-8 locale, and only ASCII will be mapped. */
bool wa_utf_init(void);

/* Undoes wa_utf_init. */
void wa_utf_done(void);

#endif
