#include "httpd/commons.h"

#include "httpd/config.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>

APLOG_USE_MODULE(winauth);

/* Written while the configuration is read, by one thread; read-only afterwards. */
static wa_shared *shared;
static wa_offload *offload;
static wa_pending *pending;
static wa_lockout *lockout; /* NULL: off */

/* Children of the configuration before may still be at work, so the memory outlives it.  One that
 * was made by another version of the module is of no use to this one. */
static wa_shared *shared_memory(server_rec *s)
{
    const char *key = apr_psprintf(s->process->pool, "mod_winauth_%d_%" APR_SIZE_T_FMT,
                                   WA_SHARED_LAYOUT, sizeof(wa_shared));
    wa_shared **retained = ap_retained_data_get(key);
    const char *error = NULL;

    if (retained == NULL) {
        retained = ap_retained_data_create(key, sizeof(*retained));
    }
    if (*retained == NULL) {
        *retained = wa_shared_make(s->process->pool, &error);
        if (*retained == NULL) {
            ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s, "WA0009: %s", error);
        }
    }
    return *retained;
}

/* Half of all threads the server may ever have. */
static apr_uint32_t half_of_all(void)
{
    int daemons = 1;
    int threads = 1;

    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &daemons);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    threads = threads > 0 ? threads : 1;
    return daemons * threads > 1 ? (apr_uint32_t)(daemons * threads) / 2 : 1;
}

static wa_lockout *make_lockout(apr_pool_t *pconf, const wa_server_config *c)
{
    wa_lockout_value value = wa_server_lockout(c);
    wa_lockout *l = apr_pcalloc(pconf, sizeof(*l));

    l->offload = offload;
    l->attempts = (apr_uint32_t)value.attempts;
    l->seconds = (apr_uint32_t)value.window;
    l->per_address = value.per_address;
    return l->attempts != 0 ? l : NULL;
}

static wa_pending *make_pending(apr_pool_t *pconf, const wa_server_config *c)
{
    wa_pending_value value = wa_server_pending_limit(c);
    wa_pending *p = apr_pcalloc(pconf, sizeof(*p));

    p->shared = shared;
    p->total = (apr_uint32_t)value.total;
    p->per_address = (apr_uint32_t)value.address;
    p->seconds = (apr_uint32_t)value.seconds;
    return p;
}

bool wa_commons_make(apr_pool_t *pconf, server_rec *s)
{
    wa_concurrency bound = wa_server_ntlm_concurrency(wa_config_of_server(s));

    shared = shared_memory(s);
    if (shared == NULL) {
        return false;
    }
    offload = apr_pcalloc(pconf, sizeof(*offload));
    offload->shared = shared;
    offload->limit = bound.most != 0 ? (apr_uint32_t)bound.most : half_of_all();
    offload->seconds = (apr_uint32_t)bound.deadline;
    lockout = make_lockout(pconf, wa_config_of_server(s));
    pending = make_pending(pconf, wa_config_of_server(s));
    return true;
}

wa_shared *wa_commons_shared(void)
{
    return shared;
}

const wa_pending *wa_commons_pending(void)
{
    return pending;
}

const wa_lockout *wa_commons_lockout(void)
{
    return lockout;
}

wa_offload *wa_commons_offload(void)
{
    return offload;
}

void wa_commons_open(apr_pool_t *pchild, int threads)
{
    wa_offload_open(offload, threads, pchild);
}

void wa_commons_bury(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                     mpm_child_status status)
{
    (void)s;
    (void)generation;
    (void)slot;
    if (status == MPM_CHILD_EXITED && shared != NULL) {
        wa_shared_reap(shared, pid);
    }
}
