#include "httpd/values.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <string.h>
#include <strings.h>

APLOG_USE_MODULE(winauth); /* expressions log under it */

/* ---- flag ---- */

const char *wa_parse_flag(cmd_parms *cmd, int argc, char *const argv[], wa_kind_flag *out)
{
    (void)cmd;
    if (argc == 1 && strcasecmp(argv[0], "on") == 0) {
        *out = 1;
        return NULL;
    }
    if (argc == 1 && strcasecmp(argv[0], "off") == 0) {
        *out = 0;
        return NULL;
    }
    return "takes On or Off";
}

bool wa_is_set_flag(const wa_kind_flag *value)
{
    return *value != -1;
}

void wa_unset_flag(wa_kind_flag *value)
{
    *value = -1;
}

const char *wa_print_flag(const wa_kind_flag *value, apr_pool_t *pool)
{
    (void)pool;
    return *value == 1 ? "On" : "Off";
}

/* ---- bytes and other counts ---- */

/* Digits only, 1 to max. */
static bool parse_count(const char *text, apr_int64_t max, apr_int64_t *out)
{
    char *end = NULL;

    if (*text < '0' || *text > '9' || strlen(text) > 18) {
        return false;
    }
    *out = apr_strtoi64(text, &end, 10);
    return *end == '\0' && *out >= 1 && *out <= max;
}

const char *wa_parse_bytes(cmd_parms *cmd, int argc, char *const argv[], wa_kind_bytes *out)
{
    (void)cmd;
    return argc == 1 && parse_count(argv[0], 1 << 30, out)
               ? NULL
               : "takes a number of bytes from 1 to 1073741824";
}

bool wa_is_set_bytes(const wa_kind_bytes *value)
{
    return *value != -1;
}

void wa_unset_bytes(wa_kind_bytes *value)
{
    *value = -1;
}

const char *wa_print_bytes(const wa_kind_bytes *value, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, *value);
}

/* ---- format ---- */

static const char *const format_names[WA_FORMAT_COUNT] = { "Windows", "Principal", "SAM", "UPN",
                                                           "SID" };

const char *wa_parse_format(cmd_parms *cmd, int argc, char *const argv[], wa_kind_format *out)
{
    int i;

    (void)cmd;
    for (i = 0; argc == 1 && i < WA_FORMAT_COUNT; i++) {
        if (strcasecmp(argv[0], format_names[i]) == 0) {
            *out = i;
            return NULL;
        }
    }
    return "takes Windows, UPN, SAM, Principal or SID";
}

bool wa_is_set_format(const wa_kind_format *value)
{
    return *value != -1;
}

void wa_unset_format(wa_kind_format *value)
{
    *value = -1;
}

const char *wa_print_format(const wa_kind_format *value, apr_pool_t *pool)
{
    (void)pool;
    return *value >= 0 && *value < WA_FORMAT_COUNT ? format_names[*value] : "";
}

/* ---- exports ---- */

static const char *const export_names[] = { "groups", "group-names" }; /* of each bit */

const char *wa_parse_exports(cmd_parms *cmd, int argc, char *const argv[], wa_kind_exports *out)
{
    static const char usage[] = "takes groups and/or group-names, or none";
    int i, k;

    (void)cmd;
    *out = 0;
    if (argc == 1 && strcasecmp(argv[0], "none") == 0) {
        return NULL;
    }
    for (i = 0; i < argc; i++) {
        int bit = 0;
        for (k = 0; k < 2; k++) {
            bit |= strcasecmp(argv[i], export_names[k]) == 0 ? 1 << k : 0;
        }
        if (bit == 0 || (*out & bit) != 0) {
            return usage;
        }
        *out |= bit;
    }
    return argc > 0 ? NULL : usage;
}

bool wa_is_set_exports(const wa_kind_exports *value)
{
    return *value != -1;
}

void wa_unset_exports(wa_kind_exports *value)
{
    *value = -1;
}

const char *wa_print_exports(const wa_kind_exports *value, apr_pool_t *pool)
{
    return *value <= 0 ? "none"
                       : apr_pstrcat(pool, (*value & 1) != 0 ? export_names[0] : "",
                                     *value == 3 ? " " : "",
                                     (*value & 2) != 0 ? export_names[1] : "", NULL);
}

/* ---- path ---- */

const char *wa_parse_path(cmd_parms *cmd, int argc, char *const argv[], wa_kind_path *out)
{
    if (argc != 1 || *argv[0] == '\0') {
        return "takes one file name";
    }
    *out = ap_server_root_relative(cmd->pool, argv[0]);
    return *out != NULL ? NULL : "takes a valid file name";
}

static bool is_set_string(const char *value)
{
    return value != NULL;
}

static const char *print_string(const char *value)
{
    return value != NULL ? value : "(default)";
}

/* The three kinds that are strings differ only in how they are parsed. */
#define STRING_KIND(kind)                                                      \
    bool wa_is_set_##kind(const wa_kind_##kind *value)                         \
    {                                                                          \
        return is_set_string(*value);                                          \
    }                                                                          \
    void wa_unset_##kind(wa_kind_##kind *value)                                \
    {                                                                          \
        *value = NULL;                                                         \
    }                                                                          \
    const char *wa_print_##kind(const wa_kind_##kind *value, apr_pool_t *pool) \
    {                                                                          \
        (void)pool;                                                            \
        return print_string(*value);                                           \
    }

STRING_KIND(path)
STRING_KIND(acceptor)
STRING_KIND(authority)

const char *wa_parse_acceptor(cmd_parms *cmd, int argc, char *const argv[], wa_kind_acceptor *out)
{
    if (argc == 1 && (strcasecmp(argv[0], "any") == 0 || strcasecmp(argv[0], "host") == 0)) {
        *out = strcasecmp(argv[0], "any") == 0 ? "any" : "host";
        return NULL;
    }
    if (argc == 1 && strcspn(argv[0], "/@") > 0 && strpbrk(argv[0], "/@") != NULL
        && strpbrk(argv[0], "/@")[1] != '\0') {
        *out = apr_pstrdup(cmd->pool, argv[0]);
        return NULL;
    }
    return "takes any, host, or a service such as HTTP/www.example.com";
}

const char *wa_parse_authority(cmd_parms *cmd, int argc, char *const argv[],
                               wa_kind_authority *out)
{
    const char *path;

    if (argc == 1 && (strcasecmp(argv[0], "winbind") == 0 || strcasecmp(argv[0], "none") == 0)) {
        *out = strcasecmp(argv[0], "none") == 0 ? "none" : "winbind";
        return NULL;
    }
    if (argc == 1 && strncasecmp(argv[0], "file:", 5) == 0 && argv[0][5] != '\0') {
        path = ap_server_root_relative(cmd->pool, argv[0] + 5);
        if (path != NULL) {
            *out = apr_pstrcat(cmd->pool, "file:", path, NULL);
            return NULL;
        }
    }
    return "takes winbind, file:PATH or none";
}

/* ---- expr ---- */

const char *wa_parse_expr(cmd_parms *cmd, int argc, char *const argv[], wa_kind_expr *out)
{
    const char *error = NULL;

    if (argc != 1) {
        return "takes one expression, in quotes";
    }
    *out = ap_expr_parse_cmd(cmd, argv[0], 0, &error, NULL);
    return error != NULL ? apr_pstrcat(cmd->pool, "cannot be understood: ", error, NULL) : NULL;
}

bool wa_is_set_expr(const wa_kind_expr *value)
{
    return *value != NULL;
}

void wa_unset_expr(wa_kind_expr *value)
{
    *value = NULL;
}

const char *wa_print_expr(const wa_kind_expr *value, apr_pool_t *pool)
{
    (void)pool;
    return *value != NULL ? "(an expression)" : "(always)";
}

/* ---- limit ---- */

const char *wa_parse_limit(cmd_parms *cmd, int argc, char *const argv[], wa_kind_limit *out)
{
    static const char usage[] = "takes seconds=N and/or requests=N, N from 1 to 1000000000";
    int i;

    (void)cmd;
    memset(out, 0, sizeof(*out));
    for (i = 0; i < argc; i++) {
        apr_int64_t *count;
        const char *text = strchr(argv[i], '=');
        if (strncasecmp(argv[i], "seconds=", 8) == 0) {
            count = &out->seconds;
        }
        else if (strncasecmp(argv[i], "requests=", 9) == 0) {
            count = &out->requests;
        }
        else {
            return usage;
        }
        if (*count != 0 || !parse_count(text + 1, 1000000000, count)) {
            return usage;
        }
    }
    out->set = argc > 0;
    return argc > 0 ? NULL : usage;
}

bool wa_is_set_limit(const wa_kind_limit *value)
{
    return value->set != 0;
}

void wa_unset_limit(wa_kind_limit *value)
{
    memset(value, 0, sizeof(*value));
}

const char *wa_print_limit(const wa_kind_limit *value, apr_pool_t *pool)
{
    return apr_psprintf(pool, "seconds=%" APR_INT64_T_FMT " requests=%" APR_INT64_T_FMT,
                        value->seconds, value->requests);
}

/* ---- providers ---- */

static bool parse_provider(const char *word, wa_scheme *scheme, bool *kerberos_only)
{
    *kerberos_only = strcasecmp(word, "Negotiate:Kerberos") == 0;
    if (*kerberos_only || strcasecmp(word, "Negotiate") == 0) {
        *scheme = WA_SCHEME_NEGOTIATE;
        return true;
    }
    *scheme = strcasecmp(word, "Basic") == 0 ? WA_SCHEME_BASIC : WA_SCHEME_NTLM;
    return *scheme == WA_SCHEME_BASIC || strcasecmp(word, "NTLM") == 0;
}

const char *wa_parse_providers(cmd_parms *cmd, int argc, char *const argv[],
                               wa_kind_providers *out)
{
    static const char usage[] = "takes one or more of Negotiate or Negotiate:Kerberos, NTLM "
                                "and Basic, each once";
    int i;
    int k;

    (void)cmd;
    memset(out, 0, sizeof(*out));
    for (i = 0; i < argc; i++) {
        wa_scheme scheme;
        bool kerberos_only;
        if (out->count == WA_PROVIDERS_MAX || !parse_provider(argv[i], &scheme, &kerberos_only)) {
            return usage;
        }
        for (k = 0; k < out->count; k++) {
            if (out->offer[k] == scheme) {
                return usage;
            }
        }
        out->offer[out->count++] = scheme;
        out->kerberos_only = out->kerberos_only || kerberos_only;
    }
    return out->count > 0 ? NULL : usage;
}

bool wa_is_set_providers(const wa_kind_providers *value)
{
    return value->count > 0;
}

void wa_unset_providers(wa_kind_providers *value)
{
    memset(value, 0, sizeof(*value));
}

const char *wa_print_providers(const wa_kind_providers *value, apr_pool_t *pool)
{
    const char *text = "";
    int i;

    for (i = 0; i < value->count; i++) {
        bool only = value->kerberos_only && value->offer[i] == WA_SCHEME_NEGOTIATE;
        text = apr_pstrcat(pool, text, i > 0 ? " " : "", wa_scheme_name(value->offer[i]),
                           only ? ":Kerberos" : "", NULL);
    }
    return text;
}

/* ---- protection ---- */

static const char *const protect_names[WA_PROTECT_COUNT] = { "Require", "Allow", "None" };

static bool parse_mode(const char *word, wa_protect *out)
{
    int i;

    for (i = 0; i < WA_PROTECT_COUNT; i++) {
        if (strcasecmp(word, protect_names[i]) == 0) {
            *out = (wa_protect)i;
            return true;
        }
    }
    return false;
}

/* The flag of this name in p, or NULL. */
static bool *flag_named(wa_protection *p, const char *word)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = { { "Proxy", &p->proxy },
                  { "ProxyCohosting", &p->cohosting },
                  { "NoServiceNameCheck", &p->any_service },
                  { "AllowDotlessSpn", &p->allow_dotless } };
    size_t i;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcasecmp(word, flags[i].name) == 0) {
            return flags[i].flag;
        }
    }
    return NULL;
}

const char *wa_parse_protection(cmd_parms *cmd, int argc, char *const argv[],
                                wa_kind_protection *out)
{
    static const char usage[] = "takes None, Allow or Require, then any of Proxy, "
                                "ProxyCohosting, NoServiceNameCheck and AllowDotlessSpn";
    int i;

    (void)cmd;
    memset(out, 0, sizeof(*out));
    if (argc == 0 || !parse_mode(argv[0], &out->policy.mode)) {
        return usage;
    }
    for (i = 1; i < argc; i++) {
        bool *flag = flag_named(&out->policy, argv[i]);
        if (flag == NULL || *flag) {
            return usage;
        }
        *flag = true;
    }
    if (out->policy.mode == WA_PROTECT_NONE && argc > 1) {
        return "None looks at nothing: it takes no flags";
    }
    if (out->policy.cohosting && !out->policy.proxy) {
        return "knows ProxyCohosting only beside Proxy";
    }
    out->set = 1;
    return NULL;
}

bool wa_is_set_protection(const wa_kind_protection *value)
{
    return value->set != 0;
}

void wa_unset_protection(wa_kind_protection *value)
{
    memset(value, 0, sizeof(*value));
}

const char *wa_print_protection(const wa_kind_protection *value, apr_pool_t *pool)
{
    const wa_protection *p = &value->policy;

    return apr_pstrcat(pool, p->mode < WA_PROTECT_COUNT ? protect_names[p->mode] : "",
                       p->proxy ? " Proxy" : "", p->cohosting ? " ProxyCohosting" : "",
                       p->any_service ? " NoServiceNameCheck" : "",
                       p->allow_dotless ? " AllowDotlessSpn" : "", NULL);
}

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

/* ---- delegation ---- */

static const char *const delegation_names[WA_DELEGATE_COUNT] = { "off", "forwarded",
                                                                 "constrained" };
static const char delegation_key[] = "winauth_delegation";

const char *wa_parse_delegation(cmd_parms *cmd, int argc, char *const argv[],
                                wa_kind_delegation *out)
{
    apr_pool_t *pconf = cmd->server->process->pconf;
    int i;

    for (i = 0; argc == 1 && i < WA_DELEGATE_COUNT; i++) {
        if (strcasecmp(argv[0], delegation_names[i]) == 0) {
            *out = i;
            if (i != WA_DELEGATE_OFF
                && cmd->pool == pconf) { /* a .htaccess has a request's pool */
                apr_pool_userdata_setn("", delegation_key, NULL, pconf);
            }
            return NULL;
        }
    }
    return "takes off, forwarded or constrained";
}

bool wa_is_set_delegation(const wa_kind_delegation *value)
{
    return *value != -1;
}

void wa_unset_delegation(wa_kind_delegation *value)
{
    *value = -1;
}

const char *wa_print_delegation(const wa_kind_delegation *value, apr_pool_t *pool)
{
    (void)pool;
    return *value >= 0 && *value < WA_DELEGATE_COUNT ? delegation_names[*value] : "";
}

bool wa_values_delegates(apr_pool_t *pconf)
{
    void *found = NULL;

    apr_pool_userdata_get(&found, delegation_key, pconf);
    return found != NULL;
}
