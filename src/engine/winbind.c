/* What winbindd is asked with: connections, questions that may hang, and its own names.
 *
 * A libwbclient context is one socket and serves one thread at a time; idle ones are kept.  Below
 * authority_winbind.c, which asks about logons, and winbind_names.c, which asks what names and
 * SIDs mean.  Source: wbclient.h. */
#include "engine/winbind.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDLE_CONTEXTS = 16,
    NAMES_LIFETIME = 60 /* seconds until winbindd is asked for its names again */
};

static void release_context(void *handle)
{
    wbcCtxFree(handle);
}

static struct wbcContext *take(wa_winbind *a)
{
    struct wbcContext *ctx = a->contexts != NULL ? wa_spares_take(a->contexts) : NULL;

    return ctx != NULL ? ctx : wbcCtxCreate();
}

/* A context that failed in any way is not used again: its socket may be out of step. */
static void give_back(wa_winbind *a, struct wbcContext *ctx, bool good)
{
    if (good && a->contexts != NULL) {
        wa_spares_put(a->contexts, ctx);
    }
    else {
        wbcCtxFree(ctx);
    }
}

static const char *explain(wbcErr rc, apr_pool_t *pool)
{
    if (rc == WBC_ERR_DOMAIN_NOT_FOUND) {
        return "winbindd does not know its domain, or no controller of that answers";
    }
    return apr_psprintf(pool,
                        "%s: is winbindd running, and may httpd's user enter its "
                        "winbindd_privileged directory?",
                        wbcErrorString(rc));
}

static const char *lower_fqdn(apr_pool_t *pool, const char *host, const char *domain)
{
    char *out = apr_pstrcat(pool, host, ".", domain, NULL);
    char *p;

    for (p = out; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    return out;
}

/* Under the mutex. */
static void copy_own(const wa_winbind *a, apr_pool_t *pool, wa_ntlm_target *to, wa_sid *sid)
{
    const wa_ntlm_target *from = &a->names;

    *sid = a->sid;
    to->netbios_domain = apr_pstrdup(pool, from->netbios_domain);
    to->netbios_computer = apr_pstrdup(pool, from->netbios_computer);
    to->dns_domain = apr_pstrdup(pool, from->dns_domain);
    to->dns_computer = apr_pstrdup(pool, from->dns_computer);
}

static void run_question(wa_job *job)
{
    wa_winbind_question *q = (wa_winbind_question *)job;

    q->rc = q->ask(q);
}

static void end_question(wa_job *job)
{
    wa_winbind_question *q = (wa_winbind_question *)job;

    if (q->info != NULL) {
        wa_secret_wipe(q->info->user_session_key, sizeof(q->info->user_session_key));
    }
    wbcFreeMemory(q->info);
    wbcFreeMemory(q->error);
    wbcFreeMemory(q->names);
    if (q->query != NULL) {
        q->query->end(q->query);
    }
    wbcCtxFree(q->ctx); /* NULL when it was given back */
    wa_secret_wipe(q->text, q->size);
    free(q);
}

void wa_winbind_end(wa_winbind_question *q)
{
    end_question(&q->job);
}

/* A question with room for so much text; NULL when there is no memory. */
wa_winbind_question *wa_winbind_make(wa_winbind *a, wbcErr (*ask)(wa_winbind_question *q),
                                     size_t size)
{
    wa_winbind_question *q = calloc(1, sizeof(*q) + size);

    if (q != NULL) {
        q->job.run = run_question;
        q->job.end = end_question;
        q->ask = ask;
        q->size = size;
        q->rc = WBC_ERR_UNKNOWN_FAILURE;
        q->ctx = take(a);
        if (q->ctx == NULL) {
            end_question(&q->job);
            q = NULL;
        }
    }
    return q;
}

/* Why there is no answer; whatever it is, it is not WA_REASON_OK, for the question is gone. */
static wa_reason unanswered(const wa_winbind *a, wa_offload_outcome outcome, apr_pool_t *pool,
                            const char **detail)
{
    wa_reason reason = wa_offload_reason(a->base.offload, outcome, pool, detail);

    return reason != WA_REASON_OK ? reason : WA_REASON_AUTHORITY_DOWN;
}

/* Puts the question; q may be NULL.  Anything but WA_REASON_OK: nobody has answered, *detail says
 * why, and there is no question any more.  Otherwise the caller ends it. */
wa_reason wa_winbind_submit(wa_winbind *a, wa_winbind_question *q, apr_pool_t *pool,
                            const char **detail, bool *late)
{
    wa_offload_outcome outcome;

    if (q == NULL) {
        *detail = explain(WBC_ERR_NO_MEMORY, pool);
        return WA_REASON_AUTHORITY_DOWN;
    }
    outcome = wa_offload_run(a->base.offload, &q->job);
    *late = outcome == WA_OFFLOAD_LATE;
    if (*late) {
        return unanswered(a, outcome, pool, detail);
    }
    if (outcome == WA_OFFLOAD_BUSY || q->rc == WBC_ERR_SUCCESS || q->rc == WBC_ERR_AUTH_ERROR) {
        give_back(a, q->ctx, true);
        q->ctx = NULL;
    }
    if (outcome == WA_OFFLOAD_BUSY) {
        end_question(&q->job);
        return unanswered(a, outcome, pool, detail);
    }
    if (q->rc != WBC_ERR_SUCCESS && q->error == NULL) {
        *detail = explain(q->rc, pool);
        end_question(&q->job);
        return WA_REASON_AUTHORITY_DOWN;
    }
    return WA_REASON_OK;
}

wa_reason wa_winbind_ask(wa_winbind *a, wa_winbind_question *q, apr_pool_t *pool,
                         const char **detail)
{
    bool late = false;

    return wa_winbind_submit(a, q, pool, detail, &late);
}

static wbcErr call_names(wa_winbind_question *q)
{
    wbcErr rc = wbcCtxInterfaceDetails(q->ctx, &q->names);

    return rc == WBC_ERR_SUCCESS
               ? wa_winbind_domain_sid(q->ctx, q->names->netbios_domain, &q->sid)
               : rc;
}

static wbcErr call_ping(wa_winbind_question *q)
{
    return wbcCtxPingDc(q->ctx, NULL, NULL);
}

/* Under the mutex. */
static void store_names(wa_winbind *a, const wa_winbind_question *q)
{
    const struct wbcInterfaceDetails *d = q->names;

    apr_pool_clear(a->pool);
    memset(&a->names, 0, sizeof(a->names));
    a->names.netbios_domain = apr_pstrdup(a->pool, d->netbios_domain);
    a->names.netbios_computer = apr_pstrdup(a->pool, d->netbios_name);
    if (d->dns_domain != NULL && d->dns_domain[0] != '\0') {
        a->names.dns_domain = apr_pstrdup(a->pool, d->dns_domain);
        a->names.dns_computer = lower_fqdn(a->pool, d->netbios_name, d->dns_domain);
    }
    wa_winbind_read_sid(&q->sid, &a->sid);
    a->fetched = apr_time_now();
}

/* Under the mutex.  False: the caller has taken it on to ask for new names; meanwhile the others
 * go on with the old ones, where there are any. */
static bool names_fresh(wa_winbind *a)
{
    apr_time_t now = apr_time_now();
    bool fresh = a->fetched != 0 && now - a->fetched <= apr_time_from_sec(NAMES_LIFETIME);

    if (!fresh && a->fetched != 0) {
        a->fetched = now;
    }
    return fresh;
}

/* Our names and the SID of our domain. */
static wa_reason fetch(wa_winbind *a, apr_pool_t *pool, wa_ntlm_target *out, wa_sid *sid,
                       const char **detail)
{
    wa_reason reason;
    wa_winbind_question *q;
    bool known;

    apr_thread_mutex_lock(a->mutex);
    known = names_fresh(a);
    if (known) {
        copy_own(a, pool, out, sid);
    }
    apr_thread_mutex_unlock(a->mutex);
    if (known) {
        return WA_REASON_OK;
    }
    q = wa_winbind_make(a, call_names, 0);
    reason = wa_winbind_ask(a, q, pool, detail); /* outside the mutex: it may hang */
    apr_thread_mutex_lock(a->mutex);
    if (reason == WA_REASON_OK) {
        store_names(a, q);
        copy_own(a, pool, out, sid);
    }
    else {
        a->fetched =
            0; /* who asks next asks winbindd: it says whether NTLM can be judged at all */
    }
    apr_thread_mutex_unlock(a->mutex);
    if (reason == WA_REASON_OK) {
        end_question(&q->job);
    }
    return reason;
}

wa_reason wa_winbind_target(wa_authority *authority, apr_pool_t *pool, wa_ntlm_target *out,
                            const char **detail)
{
    wa_sid ignored;

    return fetch((wa_winbind *)authority, pool, out, &ignored, detail);
}

wa_reason wa_winbind_own(wa_winbind *a, apr_pool_t *pool, wa_domain *out, const char **detail)
{
    wa_ntlm_target names = { NULL, NULL, NULL, NULL };
    wa_reason reason = fetch(a, pool, &names, &out->sid, detail);

    out->name = names.netbios_domain;
    out->dns = names.dns_domain;
    return reason;
}

bool wa_winbind_ready(wa_authority *authority, apr_pool_t *pool, const char **detail)
{
    wa_winbind *a = (wa_winbind *)authority;
    wa_winbind_question *q = wa_winbind_make(a, call_ping, 0);
    bool answers = wa_winbind_ask(a, q, pool, detail) == WA_REASON_OK;

    if (answers) {
        end_question(&q->job);
    }
    return answers;
}

/* Everything but logons. */
static wbcErr call_query(wa_winbind_question *q)
{
    q->query->rc = q->query->ask(q->ctx, q->query);
    /* a word about what was asked for: the socket is in step */
    return q->query->rc == WBC_ERR_DOMAIN_NOT_FOUND ? WBC_ERR_SUCCESS : q->query->rc;
}

bool wa_winbind_put(wa_authority *authority, wa_winbind_query *query, apr_pool_t *pool,
                    const char **detail)
{
    wa_winbind *a = (wa_winbind *)authority;
    wa_winbind_question *q = wa_winbind_make(a, call_query, 0);

    if (q == NULL) {
        query->end(query);
    }
    else {
        q->query = query;
    }
    if (wa_winbind_ask(a, q, pool, detail) != WA_REASON_OK) {
        return false;
    }
    q->query = NULL; /* the caller's again */
    end_question(&q->job);
    return true;
}

void wa_winbind_open(wa_authority *authority, apr_pool_t *pchild)
{
    wa_winbind *a = (wa_winbind *)authority;

    a->contexts = wa_spares_create(pchild, IDLE_CONTEXTS, release_context);
}
