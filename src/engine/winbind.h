/* winbindd, as the parts of the winbind authority know it: how it is asked, and the other
 * questions besides logons, what names and SIDs mean. */
#ifndef WA_ENGINE_WINBIND_H
#define WA_ENGINE_WINBIND_H

#include "core/domain.h"
#include "engine/authority.h"
#include "engine/offload.h"
#include "engine/spares.h"

#include <apr_thread_mutex.h>
#include <stdint.h>
#include <wbclient.h>

typedef struct wa_winbind {
    wa_authority base;
    wa_spares *contexts;
    apr_thread_mutex_t *mutex; /* guards all below */
    wa_ntlm_target names;      /* of the machine account; in pool */
    wa_sid sid;                /* of our own domain */
    apr_time_t fetched;        /* 0: never */
    apr_pool_t *pool;          /* of names; cleared with them */
} wa_winbind;

/* How it is found at start-up; see wa_authority_winbind. */
wa_winbind_state wa_winbind_probe(wa_winbind *a, void (*as_child)(void), apr_pool_t *pool,
                                  const char **detail);

typedef struct wa_winbind_query wa_winbind_query;

/* One question to winbindd and its answer: all that the call touches, in one piece of memory. */
typedef struct wa_winbind_question wa_winbind_question;
struct wa_winbind_question {
    wa_job job;
    wbcErr (*ask)(wa_winbind_question *q);
    struct wbcContext *ctx;
    struct wbcAuthUserParams params; /* points into text */
    wbcErr rc;
    struct wbcInterfaceDetails *names;
    struct wbcDomainSid sid; /* of our own domain; or of an account, iff found */
    bool found;
    struct wbcAuthUserInfo *info;
    struct wbcAuthErrorInfo *error;
    wa_winbind_query *query; /* any other question; NULL: none */
    size_t size;             /* of text */
    char text[];
};

/* A question with room for so much text; NULL when there is no memory. */
wa_winbind_question *wa_winbind_make(wa_winbind *a, wbcErr (*ask)(wa_winbind_question *q),
                                     size_t size);

/* Puts it; q may be NULL.  Anything but WA_REASON_OK: nobody has answered, *detail, in pool, says
 * why, and there is no question any more; *late: it was put, and nobody knows what will come of
 * it.  Otherwise the caller ends it. */
wa_reason wa_winbind_submit(wa_winbind *a, wa_winbind_question *q, apr_pool_t *pool,
                            const char **detail, bool *late);
wa_reason wa_winbind_ask(wa_winbind *a, wa_winbind_question *q, apr_pool_t *pool,
                         const char **detail);

/* Wipes and frees a question and its answer. */
void wa_winbind_end(wa_winbind_question *q);

/* Members of the authority. */
wa_reason wa_winbind_target(wa_authority *authority, apr_pool_t *pool, wa_ntlm_target *out,
                            const char **detail);
bool wa_winbind_ready(wa_authority *authority, apr_pool_t *pool, const char **detail);
void wa_winbind_open(wa_authority *authority, apr_pool_t *pchild);

/* A question and its answer.  It owns whatever it touches, in memory of malloc: it may be
 * answered when nobody waits for it any more.  The first member of a struct with the rest. */
struct wa_winbind_query {
    wbcErr (*ask)(struct wbcContext *ctx, wa_winbind_query *query);
    void (*end)(wa_winbind_query *query); /* frees everything, the query included */
    wbcErr rc;                            /* of ask: SUCCESS or DOMAIN_NOT_FOUND */
};

/* Puts it to the winbindd of that authority.  False: nobody has answered, *detail, in pool, says
 * why, and there is no query any more.  Otherwise the caller ends it. */
bool wa_winbind_put(wa_authority *authority, wa_winbind_query *query, apr_pool_t *pool,
                    const char **detail);

/* The two look-ups of an authority. */
wa_lookup wa_winbind_group(wa_authority *authority, const char *domain, const char *name,
                           apr_pool_t *pool, wa_sid *out, const char **detail);
bool wa_winbind_group_names(wa_authority *authority, const wa_sid *sids, size_t n,
                            apr_pool_t *pool, const char **names_out, const char **detail);

/* The SID of a domain that winbindd knows by that NetBIOS name, also while none of its
 * controllers answers. */
wbcErr wa_winbind_domain_sid(struct wbcContext *ctx, const char *name, struct wbcDomainSid *sid);

/* Our own domain, in pool. */
wa_reason wa_winbind_own(wa_winbind *a, apr_pool_t *pool, wa_domain *out, const char **detail);

/* The domain of an account, in pool, whose first SID has a domain's; *home: it is our own.
 * UNKNOWN_USER: it claims to be another one; anything else but OK: it cannot be told. */
wa_reason wa_winbind_origin(wa_winbind *a, const struct wbcAuthUserInfo *info, apr_pool_t *pool,
                            wa_domain *out, bool *home, const char **detail);

/* True iff a domain that winbindd knows, or winbindd itself, does not answer: *detail, in pool,
 * says so. */
bool wa_winbind_is_away(wa_authority *authority, const char *domain, apr_pool_t *pool,
                        const char **detail);

void wa_winbind_read_sid(const struct wbcDomainSid *from, wa_sid *to);

#endif
