#include "engine/trust.h"

#include "engine/gsscred.h"
#include "engine/keytab.h"

#include <string.h>

const char *wa_trust_domain(const wa_trust *trust, const char *realm)
{
    const apr_array_header_t *rows = apr_table_elts(trust->realms);
    int i;

    for (i = 0; i < rows->nelts; i++) {
        const apr_table_entry_t *e = &APR_ARRAY_IDX(rows, i, apr_table_entry_t);
        if (strcmp(e->key, realm) == 0) {
            return e->val;
        }
    }
    return NULL;
}

bool wa_trust_calls(const wa_trust *trust, const char *domain)
{
    const apr_array_header_t *rows = apr_table_elts(trust->realms);
    bool found = false;
    int i;

    for (i = 0; i < rows->nelts && !found; i++) {
        found = wa_account_same_domain(APR_ARRAY_IDX(rows, i, apr_table_entry_t).val, domain);
    }
    return found;
}

void wa_trust_open(wa_trust *trust, int threads, apr_pool_t *pchild)
{
    /* half of them may hang in a daemon, the others go on serving */
    apr_uint32_t limit = threads > 1 ? (apr_uint32_t)threads / 2 : 1;

    trust->keytab_name = wa_keytab_name(trust, pchild);
    trust->krb5_possible = wa_keytab_possible(trust);
    wa_gsscred_open(trust, pchild);
    trust->kdc.limit = limit;
    if (trust->authority != NULL) {
        trust->authority->open(trust->authority, pchild);
    }
}
