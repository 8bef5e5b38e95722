/* What clients delegate, on its way to the application: where it lies, and who sees its name. */
#ifndef WA_HTTPD_DELEGATION_H
#define WA_HTTPD_DELEGATION_H

#include "engine/engine.h"
#include "httpd/config.h"

#include <ap_mpm.h>
#include <httpd.h>

/* NULL, or why a server's directory cannot be used; nothing is made. */
const char *wa_delegation_check(apr_pool_t *pconf, const server_rec *s);

/* Makes the directories of all servers, if the configuration asks for any delegation, and removes
 * what an earlier httpd left there.  NULL, or why one cannot be used: start-up must stop. */
const char *wa_delegation_start(apr_pool_t *pconf, server_rec *s);

/* child_init: this child's part of them. */
void wa_delegation_open(apr_pool_t *pchild, server_rec *s);

/* child_status and monitor hooks, in the parent: a child that died leaves nothing. */
void wa_delegation_child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                                mpm_child_status state);
int wa_delegation_monitor(apr_pool_t *pool, server_rec *s);

/* Makes a new exchange take what the section asks for. */
void wa_delegation_prepare(request_rec *r, wa_engine *gss);

/* True iff the section asks for what was not asked for when the login was proved: only a new one
 * can tell whether the client gives it. */
bool wa_delegation_is_missing(const wa_dir_config *section, const wa_identity *identity);

/* Sets KRB5CCNAME, if the section asks for it and the login has brought it. */
void wa_delegation_export(request_rec *r, const wa_identity *identity);

/* A login that is not bound to its connection has what it delegated until the request ends. */
void wa_delegation_end_with(request_rec *r, const wa_identity *identity);

/* Takes it away again from a part of a page, or an error page, whose own section does not ask for
 * it; origin is what the request it comes from has proved. */
void wa_delegation_hide(request_rec *r, const wa_identity *origin);

#endif
