/* The keytab, read by ourselves: which keys there are, and what the acceptor's full name is. */
#ifndef WA_ENGINE_KEYTAB_H
#define WA_ENGINE_KEYTAB_H

#include "engine/trust.h"

/* The keytab's name, also where it is libkrb5's default; in pool. */
const char *wa_keytab_name(const wa_trust *trust, apr_pool_t *pool);

/* Whether there may be Kerberos keys at all: a keytab that is configured may come back, and what
 * gssproxy holds cannot be seen; libkrb5's default must be there, readable, and not empty. */
bool wa_keytab_possible(const wa_trust *trust);

typedef enum {
    WA_KEY_UNKNOWN = 0, /* the keytab cannot be read */
    WA_KEY_ABSENT,
    WA_KEY_PRESENT
} wa_key;

/* Whether the keytab has a key of SERVICE/host, in whatever realm and case.  Reads the file. */
wa_key wa_keytab_find(const wa_trust *trust, const char *service, const char *host);

/* WinAuthAcceptorName as a principal's text, in pool: SERVICE@host becomes the name of the
 * keytab's first such key.  NULL when it has none; *detail, in pool, says which.  Reads the file.
 */
const char *wa_keytab_acceptor(const wa_trust *trust, apr_pool_t *pool, const char **detail);

#endif
