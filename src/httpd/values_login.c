/* The value types that say what kind of login a section wants. */
#include "httpd/values.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

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
