#include "httpd/authz.h"

#include "engine/names.h"
#include "httpd/config.h"
#include "httpd/publish.h"

#include <ap_provider.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <http_request.h>
#include <mod_auth.h>
#include <string.h>
#include <strings.h>

APLOG_USE_MODULE(winauth);

/* One of the words behind winauth-group. */
typedef struct group {
    const char *name; /* as written; NULL when it is a SID */
    const char *key;  /* of name, for wa_names_sid */
    wa_sid sid;
} group;

typedef struct groups {
    const apr_array_header_t *any; /* of group */
    authz_status unknown;          /* the answer when it is not known who is in them */
} groups;

/* What is not known, a name without a SID or a login without groups, must not let anybody pass:
 * neither by a Require nor by one that keeps people out, "Require not" or one inside of
 * <RequireNone>.  Which of the two an alias will be used for is open: then it is an error. */
static authz_status for_unknown(const cmd_parms *cmd)
{
    const ap_directive_t *d = cmd->directive;
    const char *args = d->args;
    bool negated = strcasecmp(ap_getword_conf(cmd->temp_pool, &args), "not") == 0;

    if (strcasecmp(d->directive, "<AuthzProviderAlias") == 0) {
        return AUTHZ_GENERAL_ERROR;
    }
    for (d = d->parent; d != NULL; d = d->parent) {
        negated = negated != (strcasecmp(d->directive, "<RequireNone") == 0);
    }
    return negated ? AUTHZ_GRANTED : AUTHZ_DENIED;
}

/* NAME, DOMAIN\NAME or S-1-… */
static const char *parse_group(cmd_parms *cmd, const char *word, group *out)
{
    const char *backslash = strchr(word, '\\');
    bool good = wa_account_name_ok(backslash != NULL ? backslash + 1 : word);

    memset(out, 0, sizeof(*out));
    if (strncasecmp(word, "S-1-", 4) == 0) {
        return wa_sid_parse(word, &out->sid)
                   ? NULL
                   : apr_psprintf(cmd->pool, "winauth-group: '%s' is no SID", word);
    }
    if (backslash != NULL) {
        const char *domain = apr_pstrmemdup(cmd->temp_pool, word, (apr_size_t)(backslash - word));
        good = good && wa_account_name_ok(domain);
    }
    if (!good) {
        return apr_psprintf(cmd->pool,
                            "winauth-group: '%s' is neither NAME, DOMAIN\\NAME nor a SID", word);
    }
    out->name = word;
    out->key = wa_names_key(word, cmd->pool);
    return NULL;
}

static const char *parse_groups(cmd_parms *cmd, const char *line, const void **parsed)
{
    apr_array_header_t *any = apr_array_make(cmd->pool, 2, sizeof(group));
    groups *g = apr_pcalloc(cmd->pool, sizeof(*g));
    const char *error = NULL;
    const char *word;

    while (error == NULL && *(word = ap_getword_conf(cmd->pool, &line)) != '\0') {
        error = parse_group(cmd, word, apr_array_push(any));
    }
    g->any = any;
    g->unknown = for_unknown(cmd);
    *parsed = g;
    return error == NULL && any->nelts == 0 ? "winauth-group takes names or SIDs of groups"
                                            : error;
}

/* FOUND and *sid, or not. */
static wa_lookup resolve(request_rec *r, const group *g, wa_sid *sid)
{
    const char *detail = NULL;
    wa_lookup found;

    if (g->name == NULL) {
        *sid = g->sid;
        return WA_LOOKUP_FOUND;
    }
    found = wa_names_sid(wa_config_of_server(r->server)->trust->authority, g->key, r->pool, sid,
                         &detail);
    if (found != WA_LOOKUP_FOUND && detail != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "WA0160: Require winauth-group %s: the group %s: %s", g->name,
                      found == WA_LOOKUP_UNKNOWN ? "does not exist" : "cannot be looked up",
                      detail);
    }
    return found;
}

static authz_status check_groups(request_rec *r, const char *line, const void *parsed)
{
    const wa_identity *identity = wa_publish_identity_of(r);
    const groups *g = parsed;
    bool all_known = true;
    int i;

    (void)line;
    if (r->user == NULL) {
        return AUTHZ_DENIED_NO_USER;
    }
    if (identity == NULL || identity->account.sids == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      "WA0161: Require winauth-group: the groups of %s are not known", r->user);
        return g->unknown;
    }
    for (i = 0; i < g->any->nelts; i++) {
        wa_sid sid;
        if (resolve(r, &APR_ARRAY_IDX(g->any, i, group), &sid) != WA_LOOKUP_FOUND) {
            all_known = false;
        }
        else if (wa_sidset_has(identity->account.sids, &sid)) {
            return AUTHZ_GRANTED;
        }
    }
    return all_known ? AUTHZ_DENIED : g->unknown;
}

static const char *parse_packages(cmd_parms *cmd, const char *line, const void **parsed)
{
    bool *wanted = apr_pcalloc(cmd->pool, WA_PACKAGE_COUNT * sizeof(*wanted));
    const char *word;
    int count = 0;
    int i;

    while (*(word = ap_getword_conf(cmd->temp_pool, &line)) != '\0') {
        bool known = false;
        for (i = WA_PACKAGE_NONE + 1; i < WA_PACKAGE_COUNT; i++) {
            if (strcasecmp(word, wa_package_name((wa_package)i)) == 0) {
                known = wanted[i] = true;
            }
        }
        if (!known) {
            count = 0;
            break;
        }
        count++;
    }
    *parsed = wanted;
    return count > 0 ? NULL : "winauth-package takes Kerberos or NTLM";
}

static authz_status check_package(request_rec *r, const char *line, const void *parsed)
{
    const wa_identity *identity = wa_publish_identity_of(r);
    const bool *wanted = parsed;

    (void)line;
    if (r->user == NULL) {
        return AUTHZ_DENIED_NO_USER;
    }
    return identity != NULL && identity->package < WA_PACKAGE_COUNT && wanted[identity->package]
               ? AUTHZ_GRANTED
               : AUTHZ_DENIED;
}

static const char *parse_epa(cmd_parms *cmd, const char *line, const void **parsed)
{
    *parsed = NULL;
    return *ap_getword_conf(cmd->temp_pool, &line) == '\0' ? NULL
                                                           : "winauth-epa takes no argument";
}

static authz_status check_epa(request_rec *r, const char *line, const void *parsed)
{
    const wa_identity *identity = wa_publish_identity_of(r);

    (void)line;
    (void)parsed;
    if (r->user == NULL) {
        return AUTHZ_DENIED_NO_USER;
    }
    return identity != NULL && identity->evidence.binding == WA_BINDING_MATCH ? AUTHZ_GRANTED
                                                                              : AUTHZ_DENIED;
}

static const authz_provider group_provider = { check_groups, parse_groups };
static const authz_provider package_provider = { check_package, parse_packages };
static const authz_provider epa_provider = { check_epa, parse_epa };

void wa_authz_register(apr_pool_t *pool)
{
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "winauth-group", AUTHZ_PROVIDER_VERSION,
                              &group_provider, AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "winauth-package",
                              AUTHZ_PROVIDER_VERSION, &package_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, "winauth-epa", AUTHZ_PROVIDER_VERSION,
                              &epa_provider, AP_AUTH_INTERNAL_PER_CONF);
}
