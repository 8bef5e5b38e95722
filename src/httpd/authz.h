/* Authorization by what the login proved: Require winauth-group, winauth-package, winauth-epa.
 *
 * Arguments are understood while the configuration is read; a request costs a binary search. Each
 * asks for a login first when there is none, and refuses whoever another module let in. */
#ifndef WA_HTTPD_AUTHZ_H
#define WA_HTTPD_AUTHZ_H

#include <apr_pools.h>

/* Registers the providers. */
void wa_authz_register(apr_pool_t *pool);

#endif
