/* What a client's connection remembers between requests.
 *
 * The slot is made when the first exchange starts, never before: a connection that does not use
 * the module costs nothing.  It lives in the connection's pool; everything in it lives in one
 * sub-pool per exchange, which is destroyed whole.  Nothing in it points into a request.  Only
 * the thread that serves the connection's current request touches it: HTTP/1.x requests are
 * serial. */
#ifndef WA_HTTPD_CONNECTION_H
#define WA_HTTPD_CONNECTION_H

#include "engine/engine.h"

#include <httpd.h>

typedef struct wa_memo wa_memo; /* httpd/memo.h */

typedef struct wa_handshake wa_handshake; /* httpd/handshakes.h */

typedef struct wa_slot {
    wa_state state;
    wa_scheme scheme;        /* of the headers the exchange runs in */
    unsigned legs;           /* intermediate ones since the last login; survives wa_slot_drop */
    bool refund;             /* the last leg is still counted as a request; likewise */
    const wa_trust *trust;   /* under which it runs or ran */
    wa_engine *engine;       /* != NULL iff an exchange is open */
    wa_handshake *handshake; /* in pool; != NULL iff an exchange waits for its client */
    const wa_identity *identity; /* != NULL iff state == WA_STATE_BOUND */
    const wa_binding *binding; /* of the TLS channel; survives wa_slot_drop; NULL: not made yet */
    const char *ntlm_why;      /* why the login was not by Kerberos; NULL: not asked; in pool */
    wa_memo *memo;             /* passwords; survives wa_slot_drop; NULL iff there was none */
    apr_int64_t served;        /* requests served by the login, not counting its own */
    apr_pool_t *parent;        /* of pool */
    apr_pool_t *pool;          /* of the exchange or login; NULL iff there is neither */
} wa_slot;

/* The slot of r's connection for the role r is served in, or NULL when it has none. */
wa_slot *wa_slot_find(const request_rec *r);

/* The same, made if need be. */
wa_slot *wa_slot_make(const request_rec *r);

/* A slot for one request only, for streams of a shared connection. */
wa_slot *wa_slot_temporary(apr_pool_t *pool);

/* Forgets whatever the slot holds. */
void wa_slot_drop(wa_slot *slot);

/* Drops, and makes an empty pool for a new exchange. */
apr_pool_t *wa_slot_fresh_pool(wa_slot *slot);

#endif
