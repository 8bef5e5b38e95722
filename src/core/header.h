/* Splits the value of an Authorization header: scheme, and the base64 text behind it.
 *
 * What the words mean for the exchange is decided elsewhere; here a value is only well-formed or
 * not. Sources: RFC 7235 section 2.1 (grammar, schemes compare without case), RFC 4559
 * section 4.2. */
#ifndef WA_CORE_HEADER_H
#define WA_CORE_HEADER_H

#include "core/bytes.h"

typedef enum {
    WA_SCHEME_OTHER = 0, /* none of the below: not ours */
    WA_SCHEME_NEGOTIATE,
    WA_SCHEME_NTLM,
    WA_SCHEME_BASIC,
    WA_SCHEME_COUNT
} wa_scheme;

typedef enum {
    WA_HEADER_MALFORMED = 0, /* no scheme name, or text behind ours that is not base64: 400 */
    WA_HEADER_ABSENT,        /* no header at all */
    WA_HEADER_NO_DATA,       /* a scheme of ours with nothing behind it */
    WA_HEADER_FOREIGN,       /* a scheme that is not ours; what follows it was not looked at */
    WA_HEADER_TOKEN          /* a scheme of ours and well-formed base64 */
} wa_header_kind;

typedef struct wa_header {
    wa_header_kind kind;
    wa_scheme scheme;
    wa_span base64;     /* into the header's value; set iff kind == WA_HEADER_TOKEN */
    size_t decoded_len; /* bytes the base64 text stands for; set with base64 */
} wa_header;

/* Name of a scheme as it is written in a challenge; NULL for WA_SCHEME_OTHER. */
const char *wa_scheme_name(wa_scheme scheme);

/* Splits value, which may be NULL (no such header).  Two headers of one name arrive here joined
 * by a comma, which is not in the base64 alphabet, and so come out malformed when the first is
 * ours. */
void wa_header_split(const char *value, wa_header *out);

/* True iff text is RFC 4648 section 4 base64, whole quads, padded, at most two '=' and only at
 * the end; then *decoded_len_out is the length of what it stands for. */
bool wa_header_base64_len(wa_span text, size_t *decoded_len_out);

#endif
