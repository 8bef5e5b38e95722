/* The value types that are lists of names and addresses. */
#include "httpd/values.h"

#include <apr_strings.h>
#include <string.h>

/* ---- spns: kept as hosts, for that is all that is compared ---- */

const char *wa_parse_spns(cmd_parms *cmd, int argc, char *const argv[], wa_kind_spns *out)
{
    apr_array_header_t *hosts = apr_array_make(cmd->pool, argc + 1, sizeof(const char *));
    int i;

    for (i = 0; i < argc; i++) {
        wa_span host = wa_protection_host(argv[i]);
        if (host.n == 0 || host.p + host.n != (const unsigned char *)argv[i] + strlen(argv[i])) {
            return apr_psprintf(
                cmd->pool, "takes service names such as HTTP/www.example.com, not '%s'", argv[i]);
        }
        APR_ARRAY_PUSH(hosts, const char *) =
            apr_pstrmemdup(cmd->pool, (const char *)host.p, host.n);
    }
    *out = hosts;
    return argc > 0 ? NULL : "takes service names such as HTTP/www.example.com";
}

bool wa_is_set_spns(const wa_kind_spns *value)
{
    return *value != NULL;
}

void wa_unset_spns(wa_kind_spns *value)
{
    *value = NULL;
}

const char *wa_print_spns(const wa_kind_spns *value, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; *value != NULL && i < (*value)->nelts; i++) {
        text = apr_pstrcat(pool, text, i > 0 ? " HTTP/" : "HTTP/",
                           APR_ARRAY_IDX(*value, i, const char *), NULL);
    }
    return text;
}

/* ---- realms: may be given more than once, each adds one ---- */

const char *wa_parse_realms(cmd_parms *cmd, int argc, char *const argv[], wa_kind_realms *out)
{
    apr_table_t *realms;

    if (argc != 2 || !wa_account_name_ok(argv[0]) || !wa_account_name_ok(argv[1])
        || strlen(argv[1]) > 15) {
        return "takes a realm and its NetBIOS domain name";
    }
    if (*out != NULL && apr_table_get(*out, argv[0]) != NULL) {
        return "names this realm a second time";
    }
    realms = *out != NULL ? apr_table_copy(cmd->pool, *out) : apr_table_make(cmd->pool, 2);
    apr_table_set(realms, argv[0], argv[1]);
    *out = realms;
    return NULL;
}

bool wa_is_set_realms(const wa_kind_realms *value)
{
    return *value != NULL;
}

void wa_unset_realms(wa_kind_realms *value)
{
    *value = NULL;
}

const char *wa_print_realms(const wa_kind_realms *value, apr_pool_t *pool)
{
    const apr_array_header_t *rows = *value != NULL ? apr_table_elts(*value) : NULL;
    const char *text = "";
    int i;

    for (i = 0; rows != NULL && i < rows->nelts; i++) {
        const apr_table_entry_t *e = &APR_ARRAY_IDX(rows, i, apr_table_entry_t);
        text = apr_pstrcat(pool, text, i > 0 ? ", " : "", e->key, " ", e->val, NULL);
    }
    return text;
}

/* ---- networks: may be given more than once, each adds some ---- */

const char *wa_parse_networks(cmd_parms *cmd, int argc, char *const argv[], wa_kind_networks *out)
{
    apr_array_header_t *networks = *out != NULL
                                       ? apr_array_copy(cmd->pool, *out)
                                       : apr_array_make(cmd->pool, 2, sizeof(wa_network));
    int i;

    if (argc == 0) {
        return "takes addresses such as 192.0.2.10 or 192.0.2.0/24";
    }
    for (i = 0; i < argc; i++) {
        char *address = apr_pstrdup(cmd->pool, argv[i]);
        char *mask = strchr(address, '/');
        wa_network network = { apr_pstrdup(cmd->pool, argv[i]), NULL };

        if (mask != NULL) {
            *mask++ = '\0';
        }
        if (apr_ipsubnet_create(&network.subnet, address, mask, cmd->pool) != APR_SUCCESS) {
            return apr_psprintf(cmd->pool, "does not understand the address '%s'", argv[i]);
        }
        APR_ARRAY_PUSH(networks, wa_network) = network;
    }
    *out = networks;
    return NULL;
}

bool wa_is_set_networks(const wa_kind_networks *value)
{
    return *value != NULL;
}

void wa_unset_networks(wa_kind_networks *value)
{
    *value = NULL;
}

const char *wa_print_networks(const wa_kind_networks *value, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; *value != NULL && i < (*value)->nelts; i++) {
        text = apr_pstrcat(pool, text, i > 0 ? " " : "",
                           APR_ARRAY_IDX(*value, i, wa_network).text, NULL);
    }
    return text;
}
