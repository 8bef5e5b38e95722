/* What names of groups and SIDs mean, in winbindd's words.  Source: wbclient.h. */
#include "engine/winbind.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

void wa_winbind_read_sid(const struct wbcDomainSid *from, wa_sid *to)
{
    size_t i;

    memset(to, 0, sizeof(*to));
    for (i = 0; i < sizeof(from->id_auth); i++) {
        to->authority = to->authority << 8 | from->id_auth[i];
    }
    to->count = from->num_auths <= WA_SID_SUBAUTHS_MAX ? from->num_auths : 0;
    memcpy(to->subs, from->sub_auths, to->count * sizeof(to->subs[0]));
}

static void write_sid(const wa_sid *from, struct wbcDomainSid *to)
{
    size_t i;

    memset(to, 0, sizeof(*to));
    to->sid_rev_num = 1;
    to->num_auths = (uint8_t)from->count;
    for (i = 0; i < sizeof(to->id_auth); i++) {
        to->id_auth[i] = (uint8_t)(from->authority >> (8 * (sizeof(to->id_auth) - 1 - i)));
    }
    memcpy(to->sub_auths, from->subs, from->count * sizeof(from->subs[0]));
}

static bool is_group(enum wbcSidType type)
{
    return type == WBC_SID_NAME_DOM_GRP || type == WBC_SID_NAME_ALIAS
           || type == WBC_SID_NAME_WKN_GRP;
}

/* ---- from a name to a SID ---- */

typedef struct name_query {
    wa_winbind_query base;
    char *domain;
    char *name;
    struct wbcDomainSid sid;
    enum wbcSidType type;
} name_query;

static wbcErr ask_name(struct wbcContext *ctx, wa_winbind_query *query)
{
    name_query *q = (name_query *)query;

    return wbcCtxLookupName(ctx, q->domain, q->name, &q->sid, &q->type);
}

static void end_name(wa_winbind_query *query)
{
    name_query *q = (name_query *)query;

    free(q->domain);
    free(q->name);
    free(q);
}

static name_query *make_name(const char *domain, const char *name)
{
    name_query *q = calloc(1, sizeof(*q));

    if (q != NULL) {
        q->base.ask = ask_name;
        q->base.end = end_name;
        q->domain = strdup(domain);
        q->name = strdup(name);
        if (q->domain == NULL || q->name == NULL) {
            end_name(&q->base);
            q = NULL;
        }
    }
    return q;
}

/* winbindd has one word for a name that does not exist and for a controller that does not answer:
 * what it does not know is unknown only while one does, ours and that domain's. */
static wa_lookup rule_name(wa_authority *authority, const name_query *q, apr_pool_t *pool,
                           wa_sid *out, const char **detail)
{
    if (q->base.rc != WBC_ERR_SUCCESS) {
        if (!authority->ready(authority, pool, detail)
            || wa_winbind_is_away(authority, q->domain, pool, detail)) {
            return WA_LOOKUP_UNAVAILABLE;
        }
        *detail = "winbindd knows no such name";
        return WA_LOOKUP_UNKNOWN;
    }
    if (!is_group(q->type)) {
        *detail = apr_psprintf(pool, "it is no group: %s", wbcSidTypeString(q->type));
        return WA_LOOKUP_UNKNOWN;
    }
    wa_winbind_read_sid(&q->sid, out);
    return WA_LOOKUP_FOUND;
}

wa_lookup wa_winbind_group(wa_authority *authority, const char *domain, const char *name,
                           apr_pool_t *pool, wa_sid *out, const char **detail)
{
    wa_ntlm_target own = { NULL, NULL, NULL, NULL };
    wa_lookup found;
    name_query *q;

    if (*domain == '\0' && authority->target(authority, pool, &own, detail) != WA_REASON_OK) {
        return WA_LOOKUP_UNAVAILABLE;
    }
    q = make_name(*domain != '\0' ? domain : own.netbios_domain, name);
    if (q == NULL) {
        *detail = "no memory";
        return WA_LOOKUP_UNAVAILABLE;
    }
    if (!wa_winbind_put(authority, &q->base, pool, detail)) {
        return WA_LOOKUP_UNAVAILABLE;
    }
    found = rule_name(authority, q, pool, out, detail);
    end_name(&q->base);
    return found;
}

/* ---- from SIDs to names ---- */

typedef struct rids_query {
    wa_winbind_query base;
    struct wbcDomainSid domain;
    const char *domain_name;
    const char **names;
    enum wbcSidType *types;
    int count; /* of rids */
    uint32_t rids[];
} rids_query;

static wbcErr ask_rids(struct wbcContext *ctx, wa_winbind_query *query)
{
    rids_query *q = (rids_query *)query;

    return wbcCtxLookupRids(ctx, &q->domain, q->count, q->rids, &q->domain_name, &q->names,
                            &q->types);
}

static void end_rids(wa_winbind_query *query)
{
    rids_query *q = (rids_query *)query;

    wbcFreeMemory((void *)(uintptr_t)q->domain_name);
    wbcFreeMemory((void *)q->names);
    wbcFreeMemory(q->types);
    free(q);
}

/* About n SIDs of one domain. */
static rids_query *make_rids(const wa_sid *sids, size_t n)
{
    rids_query *q = calloc(1, sizeof(*q) + n * sizeof(q->rids[0]));
    wa_sid prefix = sids[0];
    size_t i;

    if (q != NULL) {
        q->base.ask = ask_rids;
        q->base.end = end_rids;
        prefix.count--;
        write_sid(&prefix, &q->domain);
        q->count = (int)n;
        for (i = 0; i < n; i++) {
            q->rids[i] = sids[i].subs[sids[i].count - 1];
        }
    }
    return q;
}

static const char *full_name(const char *domain, const char *name, enum wbcSidType type,
                             apr_pool_t *pool)
{
    if ((!is_group(type) && type != WBC_SID_NAME_USER) || name == NULL
        || !wa_account_name_ok(name)) {
        return NULL;
    }
    if (domain == NULL || *domain == '\0') {
        return apr_pstrdup(pool, name);
    }
    return wa_account_name_ok(domain) ? apr_pstrcat(pool, domain, "\\", name, NULL) : NULL;
}

/* n SIDs of one domain.  False: nobody answers. */
static bool name_domain(wa_authority *authority, const wa_sid *sids, size_t n, apr_pool_t *pool,
                        const char **names_out, const char **detail)
{
    rids_query *q = make_rids(sids, n);
    bool answered;
    size_t i;

    if (q == NULL || !wa_winbind_put(authority, &q->base, pool, detail)) {
        return false;
    }
    answered = q->base.rc == WBC_ERR_SUCCESS || authority->ready(authority, pool, detail);
    for (i = 0; q->base.rc == WBC_ERR_SUCCESS && i < n; i++) {
        names_out[i] = full_name(q->domain_name, q->names[i], q->types[i], pool);
    }
    end_rids(&q->base);
    return answered;
}

/* By domains, one question each: winbindd knows a question about many SIDs, too, but answers none
 * of them when it does not know one. */
bool wa_winbind_group_names(wa_authority *authority, const wa_sid *sids, size_t n,
                            apr_pool_t *pool, const char **names_out, const char **detail)
{
    size_t first, behind;

    for (first = 0; first < n; first = behind) {
        behind = first + 1;
        while (behind < n && wa_sid_same_domain(&sids[first], &sids[behind])) {
            behind++;
        }
        if (!name_domain(authority, &sids[first], behind - first, pool, &names_out[first],
                         detail)) {
            return false;
        }
    }
    return true;
}
