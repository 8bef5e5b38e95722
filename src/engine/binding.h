/* Channel bindings of the type tls-server-end-point: what ties a login to the certificate this
 * server has shown on the connection.  Sources: RFC 5929 section 4, RFC 4121 section 4.1.1.2. */
#ifndef WA_ENGINE_BINDING_H
#define WA_ENGINE_BINDING_H

#include "core/bytes.h"
#include "core/ntlm.h"
#include "core/protection.h"

#include <apr_pools.h>

enum { WA_BINDING_DIGEST_LEN = 16 };

typedef struct wa_binding {
    wa_span data; /* "tls-server-end-point:" and the certificate's digest; empty where its
                     signature names no hash (Ed25519 and the like), for which RFC 5929 defines no
                     binding */
    unsigned char digest[WA_BINDING_DIGEST_LEN]; /* MD5 of the GSS structure around it, as NTLM
                                                    and Kerberos carry it */
} wa_binding;

/* The binding of a certificate in PEM form, in pool.  NULL, and *error set: it cannot be made. */
const wa_binding *wa_binding_make(const char *pem, apr_pool_t *pool, const char **error);

/* What an AUTHENTICATE says about channel and service; binding is that of the connection, or NULL
 * when it is not to be compared.  The service's name goes to pool. */
void wa_binding_read_ntlm(const wa_ntlm_authenticate *message, const wa_binding *binding,
                          apr_pool_t *pool, wa_evidence *out);

#endif
