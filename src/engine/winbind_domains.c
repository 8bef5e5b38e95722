/* Which domains there are, in winbindd's words: whose an account is, and whether a domain
 * answers. Source: wbclient.h.
 *
 * winbindd has one word for what it does not know and for a controller that does not answer; its
 * list of domains alone it has at hand.  A member's list also has domains that it has only heard
 * of, by a logon, from their own controllers; on the other hand the member asks ours for names
 * and SIDs of domains, which a domain controller's winbindd knows only from its list. */
#include "engine/winbind.h"

#include "core/domain.h"

#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

enum { RID_DOMAIN_USERS = 513 };

static bool has_short_name(const struct wbcDomainInfo *d, const char *name)
{
    return wa_account_same_domain(d->short_name, name);
}

static bool has_any_name(const struct wbcDomainInfo *d, const char *name)
{
    return has_short_name(d, name) || wa_account_same_domain(d->dns_name, name);
}

/* The SID of the first domain on winbindd's list that has the name. */
static bool find_listed(struct wbcContext *ctx,
                        bool (*has_name)(const struct wbcDomainInfo *d, const char *name),
                        const char *name, struct wbcDomainSid *sid)
{
    struct wbcDomainInfo *list = NULL;
    size_t count = 0;
    bool found = false;
    size_t i;

    if (wbcCtxListTrusts(ctx, &list, &count) != WBC_ERR_SUCCESS) {
        return false;
    }
    for (i = 0; i < count && !found; i++) {
        found = has_name(&list[i], name);
        *sid = list[i].sid;
    }
    wbcFreeMemory(list);
    return found && sid->num_auths > 0;
}

wbcErr wa_winbind_domain_sid(struct wbcContext *ctx, const char *name, struct wbcDomainSid *sid)
{
    struct wbcDomainInfo *info = NULL;
    wbcErr rc;

    if (find_listed(ctx, has_short_name, name, sid)) {
        return WBC_ERR_SUCCESS;
    }
    rc = wbcCtxDomainInfo(ctx, name, &info);
    if (rc == WBC_ERR_SUCCESS) {
        *sid = info->sid;
        wbcFreeMemory(info);
    }
    return rc == WBC_ERR_SUCCESS && sid->num_auths == 0 ? WBC_ERR_DOMAIN_NOT_FOUND : rc;
}

/* ---- whose an account is ---- */

typedef struct asked_name {
    char *name; /* or NULL */
    struct wbcDomainSid sid;
    enum wbcSidType type; /* DOMAIN: the SID is one's */
} asked_name;

typedef struct origin_query {
    wa_winbind_query base;
    struct wbcDomainSid sid; /* of the account's domain */
    char *told;              /* its name */
    enum wbcSidType told_type;
    asked_name claimed; /* the names that it gives itself */
    asked_name dns;
    struct wbcDomainInfo *list;
    size_t count;
} origin_query;

static wbcErr or_nothing(wbcErr rc)
{
    return rc == WBC_ERR_DOMAIN_NOT_FOUND ? WBC_ERR_SUCCESS : rc;
}

/* A domain itself has the empty name in it. */
static wbcErr ask_for_name(struct wbcContext *ctx, asked_name *n)
{
    return n->name != NULL ? or_nothing(wbcCtxLookupName(ctx, n->name, "", &n->sid, &n->type))
                           : WBC_ERR_SUCCESS;
}

static wbcErr ask_origin(struct wbcContext *ctx, wa_winbind_query *query)
{
    origin_query *q = (origin_query *)query;
    char *empty = NULL;
    wbcErr rc = or_nothing(wbcCtxLookupSid(ctx, &q->sid, &q->told, &empty, &q->told_type));

    wbcFreeMemory(empty);
    rc = rc == WBC_ERR_SUCCESS ? ask_for_name(ctx, &q->claimed) : rc;
    rc = rc == WBC_ERR_SUCCESS ? ask_for_name(ctx, &q->dns) : rc;
    return rc == WBC_ERR_SUCCESS ? wbcCtxListTrusts(ctx, &q->list, &q->count) : rc;
}

static void end_origin(wa_winbind_query *query)
{
    origin_query *q = (origin_query *)query;

    wbcFreeMemory(q->told);
    wbcFreeMemory(q->list);
    free(q->claimed.name);
    free(q->dns.name);
    free(q);
}

/* About the domain of that account, by these names of its own; dns may be NULL. */
static origin_query *make_origin(const struct wbcDomainSid *account, const char *claimed,
                                 const char *dns)
{
    origin_query *q = calloc(1, sizeof(*q));

    if (q != NULL) {
        q->base.ask = ask_origin;
        q->base.end = end_origin;
        q->sid = *account;
        q->sid.num_auths--;
        q->claimed.name = strdup(claimed);
        q->dns.name = dns != NULL ? strdup(dns) : NULL;
        if (q->claimed.name == NULL || (q->dns.name == NULL) != (dns == NULL)) {
            end_origin(&q->base);
            q = NULL;
        }
    }
    return q;
}

static const char *usable(const char *name, apr_pool_t *pool)
{
    return name != NULL && wa_account_name_ok(name) ? apr_pstrdup(pool, name) : NULL;
}

static const wa_domain *read_list(const origin_query *q, apr_pool_t *pool)
{
    wa_domain *list = apr_pcalloc(pool, (q->count + 1) * sizeof(*list));
    size_t i;

    for (i = 0; i < q->count; i++) {
        list[i].name = usable(q->list[i].short_name, pool);
        list[i].dns = usable(q->list[i].dns_name, pool);
        list[i].hearsay =
            q->list[i].trust_type == WBC_DOMINFO_TRUSTTYPE_NONE || list[i].name == NULL;
        wa_winbind_read_sid(&q->list[i].sid, &list[i].sid);
    }
    return list;
}

static void read_origin(const origin_query *q, apr_pool_t *pool, wa_domain_facts *facts)
{
    if (q->told_type == WBC_SID_NAME_DOMAIN) {
        facts->told = usable(q->told, pool);
    }
    if (q->claimed.type == WBC_SID_NAME_DOMAIN) {
        wa_winbind_read_sid(&q->claimed.sid, &facts->claimed_sid);
    }
    if (q->dns.type == WBC_SID_NAME_DOMAIN) {
        wa_winbind_read_sid(&q->dns.sid, &facts->dns_sid);
    }
    facts->listed = read_list(q, pool);
    facts->count = q->count;
}

/* What is to be known of a domain that is not our own. */
static bool gather(wa_winbind *a, const struct wbcDomainSid *account, apr_pool_t *pool,
                   wa_domain_facts *facts, const char **detail)
{
    origin_query *q = make_origin(account, facts->claimed, facts->claimed_dns);

    if (q == NULL) {
        *detail = "no memory";
        return false;
    }
    if (!wa_winbind_put(&a->base, &q->base, pool, detail)) {
        return false;
    }
    read_origin(q, pool, facts);
    end_origin(&q->base);
    return true;
}

wa_reason wa_winbind_origin(wa_winbind *a, const struct wbcAuthUserInfo *info, apr_pool_t *pool,
                            wa_domain *out, bool *home, const char **detail)
{
    wa_domain_facts facts = { 0 };
    wa_domain own = { 0 };
    wa_domain_kind kind;
    wa_reason reason = wa_winbind_own(a, pool, &own, detail);

    if (reason != WA_REASON_OK) {
        return reason;
    }
    facts.own = &own;
    wa_winbind_read_sid(&info->sids[0].sid, &facts.account);
    facts.claimed = info->domain_name;
    facts.claimed_dns = usable(info->dns_domain_name, pool);
    kind = wa_domain_decide(&facts, out);
    if (kind != WA_DOMAIN_HOME) { /* there is more to be known */
        if (!gather(a, &info->sids[0].sid, pool, &facts, detail)) {
            return WA_REASON_AUTHORITY_DOWN;
        }
        kind = wa_domain_decide(&facts, out);
    }
    *home = kind == WA_DOMAIN_HOME;
    if (kind == WA_DOMAIN_REFUSED) {
        *detail =
            apr_psprintf(pool,
                         "an account of another domain, whose controllers call it %s, which "
                         "is not its name",
                         info->domain_name);
        return WA_REASON_UNKNOWN_USER;
    }
    return WA_REASON_OK;
}

/* ---- whether a domain answers ---- */

typedef struct presence_query {
    wa_winbind_query base;
    char *domain;
    bool listed;
    bool answers;
} presence_query;

/* A member has no way to ping a domain that is not its own: it asks for a group that each domain
 * has, and our controllers ask those of that domain. */
static wbcErr ask_presence(struct wbcContext *ctx, wa_winbind_query *query)
{
    presence_query *q = (presence_query *)query;
    enum wbcSidType type = WBC_SID_NAME_USE_NONE;
    struct wbcDomainSid users;
    char *domain = NULL;
    char *name = NULL;

    q->listed =
        find_listed(ctx, has_any_name, q->domain, &users) && users.num_auths < WBC_MAXSUBAUTHS;
    if (q->listed) {
        users.sub_auths[users.num_auths++] = RID_DOMAIN_USERS;
        q->answers = wbcCtxLookupSid(ctx, &users, &domain, &name, &type) == WBC_ERR_SUCCESS;
        wbcFreeMemory(domain);
        wbcFreeMemory(name);
    }
    return WBC_ERR_SUCCESS;
}

static void end_presence(wa_winbind_query *query)
{
    presence_query *q = (presence_query *)query;

    free(q->domain);
    free(q);
}

static presence_query *make_presence(const char *domain)
{
    presence_query *q = calloc(1, sizeof(*q));

    if (q != NULL) {
        q->base.ask = ask_presence;
        q->base.end = end_presence;
        q->domain = strdup(domain);
        if (q->domain == NULL) {
            end_presence(&q->base);
            q = NULL;
        }
    }
    return q;
}

bool wa_winbind_is_away(wa_authority *authority, const char *domain, apr_pool_t *pool,
                        const char **detail)
{
    presence_query *q = make_presence(domain);
    bool away;

    if (q == NULL) {
        *detail = "no memory";
        return true;
    }
    if (!wa_winbind_put(authority, &q->base, pool, detail)) {
        return true;
    }
    away = q->listed && !q->answers;
    if (away) {
        *detail = apr_psprintf(pool, "no domain controller of %s answers", domain);
    }
    end_presence(&q->base);
    return away;
}
