/* What carries a request: the role we play for it, and what its connection can and cannot do. */
#ifndef WA_HTTPD_CHANNEL_H
#define WA_HTTPD_CHANNEL_H

#include <httpd.h>
#include <stdbool.h>

/* An origin server and a forward proxy do the same under other names (RFC 7235 sections 3 and 4).
 * A connection's logins of the two roles never mix: each has a slot of its own. */
typedef struct wa_role {
    int slot;                /* index of the slot in the connection */
    int status;              /* of a challenge */
    const char *credentials; /* request header */
    const char *challenge;   /* response header */
} wa_role;

enum { WA_ROLES = 2 };

const wa_role *wa_channel_role(const request_rec *r);

/* The request that the client sent, behind r when r is a sub-request of it. */
request_rec *wa_channel_top(const request_rec *r);

/* True iff r is a stream of a shared (HTTP/2) connection. */
bool wa_channel_is_stream(const request_rec *r);

/* True iff r came through a proxy that is not known to pin connections. */
bool wa_channel_is_proxied(const request_rec *r);

/* The client's address as bounds count it, in pool: as mod_remoteip says, of IPv6 the first 64
 * bits, which one client has for itself.  NULL: a proxy that is known to pin connections, behind
 * which are many clients. */
const char *wa_channel_address(const request_rec *r, apr_pool_t *pool);

/* True iff the client's connection is encrypted by this server. */
bool wa_channel_is_tls(const request_rec *r);

/* True iff the client is on this very machine, as far as the connection tells. */
bool wa_channel_is_local(const request_rec *r);

/* True iff nobody between the client and us can read what it sends: TLS, or the client is on this
 * very machine and no proxy in between. */
bool wa_channel_is_confidential(const request_rec *r);

/* The certificate this server has shown on r's connection, as PEM in pool; NULL without TLS. */
const char *wa_channel_certificate(const request_rec *r, apr_pool_t *pool);

/* NULL when the connection can carry another request after this one, else what ends it: a setting
 * of this server. */
const char *wa_channel_server_ends(const request_rec *r);

/* The same, where the client ends it. */
const char *wa_channel_client_ends(const request_rec *r);

/* Keeps an authenticated connection from becoming HTTP/2 by Upgrade: the request would be served
 * a second time, as a stream, where its token is a replay and its login does not count. */
void wa_channel_stay_http1(request_rec *r);

/* Finds what other modules offer; call once while hooks are registered. */
void wa_channel_register(void);

#endif
