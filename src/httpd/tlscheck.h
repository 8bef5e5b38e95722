/* Finds, before anything is served, sections that nobody could ever log in to: those that require
 * a channel binding of connections without TLS. */
#ifndef WA_HTTPD_TLSCHECK_H
#define WA_HTTPD_TLSCHECK_H

#include <httpd.h>
#include <http_config.h>

/* "FILE line N" of a WinAuthExtendedProtection Require without Proxy that stands where no TLS is
 * configured, or NULL.  Sections that some servers with TLS may inherit are left to the answer
 * at run time, 403. */
const char *wa_tlscheck_find(server_rec *main_server, apr_pool_t *pool);

#endif
