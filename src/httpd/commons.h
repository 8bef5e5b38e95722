/* What all child processes have in common: memory they share, and the bounds that stand on it. */
#ifndef WA_HTTPD_COMMONS_H
#define WA_HTTPD_COMMONS_H

#include "engine/lockout.h"
#include "engine/pending.h"

#include <ap_mpm.h>
#include <httpd.h>

/* Makes what is shared, or finds it: it is kept over restarts.  For the real start only; false
 * after a message when there is no memory. */
bool wa_commons_make(apr_pool_t *pconf, server_rec *s);

/* Who puts questions that may hang; NULL before wa_commons_make. */
wa_offload *wa_commons_offload(void);

/* The memory itself; NULL before wa_commons_make. */
wa_shared *wa_commons_shared(void);

/* WinAuthPendingLimit. */
const wa_pending *wa_commons_pending(void);

/* WinAuthLockout, or NULL where it is off. */
const wa_lockout *wa_commons_lockout(void);

/* In child_init, before there are threads. */
void wa_commons_open(apr_pool_t *pchild, int threads);

/* The hook child_status, in the parent: what a child has left behind is to be freed. */
void wa_commons_bury(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                     mpm_child_status status);

#endif
