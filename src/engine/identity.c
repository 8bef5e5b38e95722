#include "engine/identity.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <stdlib.h>
#include <string.h>

static const wa_sidset *copy_sids(const wa_sidset *sids, apr_pool_t *pool)
{
    wa_sidset *copy;

    if (sids == NULL) {
        return NULL;
    }
    copy = apr_pmemdup(pool, sids, sizeof(*sids));
    copy->domains =
        apr_pmemdup(pool, sids->domains, sids->domain_count * sizeof(sids->domains[0]));
    copy->rids = apr_pmemdup(pool, sids->rids, sids->count * sizeof(sids->rids[0]));
    return copy;
}

wa_identity *wa_identity_copy(const wa_identity *identity, apr_pool_t *pool)
{
    wa_identity *copy = apr_pmemdup(pool, identity, sizeof(*identity));

    copy->account.name = apr_pstrdup(pool, identity->account.name);
    copy->account.domain = apr_pstrdup(pool, identity->account.domain); /* NULL stays NULL */
    copy->account.realm = apr_pstrdup(pool, identity->account.realm);
    copy->evidence.spn = apr_pstrdup(pool, identity->evidence.spn);
    copy->delegate = WA_DELEGATE_OFF; /* the file goes with the original */
    copy->ccache = NULL;
    copy->account.upn = apr_pstrdup(pool, identity->account.upn);
    copy->account.sid = apr_pstrdup(pool, identity->account.sid);
    copy->account.sids = copy_sids(identity->account.sids, pool);
    return copy;
}

static int compare(const void *a, const void *b)
{
    return wa_sid_compare(a, b);
}

/* Sorts, and drops what comes twice and what is none; how many are left. */
static size_t settle(wa_sid *sids, size_t n)
{
    size_t kept = 0;
    size_t i;

    qsort(sids, n, sizeof(sids[0]), compare);
    for (i = 0; i < n; i++) {
        if (sids[i].count > 0 && (kept == 0 || wa_sid_compare(&sids[kept - 1], &sids[i]) != 0)) {
            sids[kept++] = sids[i];
        }
    }
    return kept;
}

void wa_identity_set_sids(wa_account *account, wa_sid *sids, size_t n, apr_pool_t *pool)
{
    wa_sidset *set = apr_palloc(pool, sizeof(*set));
    size_t kept = settle(sids, n);
    wa_sidset_domain *domains =
        apr_palloc(pool, wa_sidset_domains(sids, kept) * sizeof(domains[0]));
    uint32_t *rids = apr_palloc(pool, kept * sizeof(rids[0]));

    wa_sidset_fill(sids, kept, domains, rids, set);
    account->sids = set;
}

static const char *lower(const char *s, apr_pool_t *pool)
{
    char *out = apr_pstrdup(pool, s);
    char *p;

    for (p = out; *p != '\0'; p++) {
        *p = (char)apr_tolower(*p);
    }
    return out;
}

static bool is_believed(const wa_account *account, const char *upn, const char *dns)
{
    return upn != NULL && wa_account_upn_ok(upn)
           && (account->home || wa_account_same_domain(strchr(upn, '@') + 1, dns));
}

void wa_identity_set_upn(wa_account *account, const char *upn, const char *dns, apr_pool_t *pool)
{
    if (is_believed(account, upn, dns)) {
        account->upn = apr_pstrdup(pool, upn);
    }
    else if (dns != NULL && *dns != '\0' && wa_account_name_ok(account->name)) {
        account->upn = apr_pstrcat(pool, account->name, "@", lower(dns, pool), NULL);
    }
}

const char *wa_package_name(wa_package package)
{
    static const char *const names[WA_PACKAGE_COUNT] = { NULL, "Kerberos", "NTLM" };

    return package < WA_PACKAGE_COUNT ? names[package] : NULL;
}
