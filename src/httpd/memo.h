/* Passwords that were right on this connection: HTTP clients repeat them with every request, and
 * a domain controller need not be asked every time.  Only a salted digest is kept, only for as
 * long as the connection, and never shared: another connection's password is judged anew. */
#ifndef WA_HTTPD_MEMO_H
#define WA_HTTPD_MEMO_H

#include "engine/engine.h"

#include <httpd.h>

/* The identity that these credentials ("user:password") proved before on r's connection under
 * trust, or NULL.  It lives until the next wa_memo_keep there.  *served_out counts how often it
 * was recalled; the caller's to raise. */
const wa_identity *wa_memo_find(const request_rec *r, const wa_trust *trust, wa_span credentials,
                                apr_int64_t **served_out);

/* Remembers that they proved identity, which is copied. */
void wa_memo_keep(const request_rec *r, const wa_trust *trust, wa_span credentials,
                  const wa_identity *identity);

#endif
