#include "engine/keytab.h"

#include <apr_strings.h>
#include <krb5.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct opened {
    krb5_context context;
    krb5_keytab keytab;
} opened;

static bool open_keytab(const wa_trust *trust, opened *k)
{
    if (krb5_init_context(&k->context) != 0) {
        return false;
    }
    if (krb5_kt_resolve(k->context, trust->keytab_name, &k->keytab) != 0) {
        krb5_free_context(k->context);
        return false;
    }
    return true;
}

static void close_keytab(opened *k)
{
    krb5_kt_close(k->context, k->keytab);
    krb5_free_context(k->context);
}

const char *wa_keytab_name(const wa_trust *trust, apr_pool_t *pool)
{
    char name[APR_PATH_MAX] = "";
    krb5_context context;

    if (trust->keytab == NULL && krb5_init_context(&context) == 0) {
        krb5_kt_default_name(context, name, sizeof(name));
        krb5_free_context(context);
    }
    return trust->keytab != NULL ? trust->keytab : apr_pstrdup(pool, name);
}

/* What gssproxy's library takes for yes. */
static bool is_proxied(void)
{
    static const char *const yes[] = { "1", "on", "true", "yes" };
    const char *word = getenv("GSS_USE_PROXY");
    size_t i;

    for (i = 0; word != NULL && i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (strcasecmp(word, yes[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool wa_keytab_possible(const wa_trust *trust)
{
    bool possible = trust->keytab != NULL || is_proxied();
    opened k;

    if (!possible && open_keytab(trust, &k)) {
        possible = krb5_kt_have_content(k.context, k.keytab) == 0;
        close_keytab(&k);
    }
    return possible;
}

static bool equals(const krb5_data *data, const char *text)
{
    return data->length == strlen(text) && strncasecmp(data->data, text, data->length) == 0;
}

static char *unparse(krb5_context context, krb5_const_principal principal)
{
    char *name = NULL;

    return krb5_unparse_name(context, principal, &name) == 0 ? name : NULL;
}

/* *name_out is the full name of what is found, from libkrb5; or NULL. */
static wa_key search(const opened *k, const char *service, const char *host, char **name_out)
{
    wa_key found = WA_KEY_ABSENT;
    krb5_keytab_entry entry;
    krb5_kt_cursor cursor;

    if (krb5_kt_start_seq_get(k->context, k->keytab, &cursor) != 0) {
        return WA_KEY_UNKNOWN;
    }
    while (found == WA_KEY_ABSENT
           && krb5_kt_next_entry(k->context, k->keytab, &entry, &cursor) == 0) {
        const krb5_principal_data *name = entry.principal;
        if (name->length == 2 && equals(&name->data[0], service)
            && equals(&name->data[1], host)) {
            found = WA_KEY_PRESENT;
            *name_out = unparse(k->context, name);
        }
        krb5_free_keytab_entry_contents(k->context, &entry);
    }
    krb5_kt_end_seq_get(k->context, k->keytab, &cursor);
    return found;
}

/* The same on a keytab that is yet to be opened; *name_out comes from malloc. */
static wa_key find(const wa_trust *trust, const char *service, const char *host, char **name_out)
{
    wa_key found = WA_KEY_UNKNOWN;
    char *name = NULL;
    opened k;

    *name_out = NULL;
    if (open_keytab(trust, &k)) {
        found = search(&k, service, host, &name);
        *name_out = name != NULL ? strdup(name) : NULL;
        krb5_free_unparsed_name(k.context, name);
        close_keytab(&k);
    }
    return found;
}

wa_key wa_keytab_find(const wa_trust *trust, const char *service, const char *host)
{
    char *name;
    wa_key found = find(trust, service, host, &name);

    free(name);
    return found;
}

/* A service and a host are never left to libkrb5: it would ask the DNS for the host's canonical
 * name, and take the key of that.  It completes a principal only by its default realm. */
const char *wa_keytab_acceptor(const wa_trust *trust, apr_pool_t *pool, const char **detail)
{
    const char *at = strchr(trust->acceptor, '@');
    const char *service;
    const char *full;
    wa_key found;
    char *name;

    if (at == NULL || strchr(trust->acceptor, '/') != NULL) {
        return trust->acceptor;
    }
    service = apr_pstrmemdup(pool, trust->acceptor, (apr_size_t)(at - trust->acceptor));
    found = find(trust, service, at + 1, &name);
    full = name != NULL ? apr_pstrdup(pool, name) : apr_pstrcat(pool, service, "/", at + 1, NULL);
    free(name);
    if (found == WA_KEY_ABSENT && !is_proxied()) {
        *detail = apr_pstrcat(pool, trust->keytab_name, " has no key of ", full,
                              ", which is WinAuthAcceptorName", NULL);
        return NULL;
    }
    return full;
}
