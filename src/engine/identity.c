#include "engine/identity.h"

#include <apr_strings.h>

wa_identity *wa_identity_copy(const wa_identity *identity, apr_pool_t *pool)
{
    wa_identity *copy = apr_pmemdup(pool, identity, sizeof(*identity));

    copy->account.name = apr_pstrdup(pool, identity->account.name);
    copy->account.domain = apr_pstrdup(pool, identity->account.domain); /* NULL stays NULL */
    copy->account.realm = apr_pstrdup(pool, identity->account.realm);
    copy->sid = apr_pstrdup(pool, identity->sid);
    copy->evidence.spn = apr_pstrdup(pool, identity->evidence.spn);
    copy->delegate = WA_DELEGATE_OFF; /* the file goes with the original */
    copy->ccache = NULL;
    return copy;
}

const char *wa_package_name(wa_package package)
{
    static const char *const names[WA_PACKAGE_COUNT] = { NULL, "Kerberos", "NTLM" };

    return package < WA_PACKAGE_COUNT ? names[package] : NULL;
}
