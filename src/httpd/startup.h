/* From configuration to what requests stand on: trusts, checked and shared; children, prepared.
 */
#ifndef WA_HTTPD_STARTUP_H
#define WA_HTTPD_STARTUP_H

#include <httpd.h>

int wa_startup_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *s);
int wa_startup_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);
void wa_startup_child_init(apr_pool_t *pchild, server_rec *s);
void wa_startup_dump(apr_pool_t *pconf, server_rec *s); /* httpd -t -D DUMP_WINAUTH */

#endif
