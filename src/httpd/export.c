#include "httpd/export.h"

#include "engine/names.h"
#include "httpd/config.h"
#include "httpd/publish.h"
#include "mod_winauth.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <string.h>

APLOG_USE_MODULE(winauth);

/* One string of the environment of a program may have 131072 bytes, its name and NUL included;
 * with a longer one the program is not started at all. */
enum { VALUE_MAX = 128 * 1024 - 64 };

/* The n strings in pieces, with commas between them: neither a SID nor an account name has one.
 */
static const char *join(const char **pieces, size_t n, apr_pool_t *pool)
{
    size_t length = 1;
    size_t i;
    char *out, *at;

    for (i = 0; i < n; i++) {
        length += strlen(pieces[i]) + 1;
    }
    out = at = apr_palloc(pool, length);
    *at = '\0';
    for (i = 0; i < n; i++) {
        size_t piece = strlen(pieces[i]);
        if (i > 0) {
            *at++ = ',';
        }
        memcpy(at, pieces[i], piece + 1);
        at += piece;
    }
    return out;
}

/* Half a list would be worse than none: whoever is kept out by it would be let in. */
static void set_list(request_rec *r, const char *name, const char **pieces, size_t n)
{
    const char *value = join(pieces, n, r->pool);

    if (strlen(value) > VALUE_MAX) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "WA0162: %s of %s is not set: %" APR_SIZE_T_FMT
                      " bytes are more than a program can be started with",
                      name, r->user, strlen(value));
        return;
    }
    wa_publish_variable(r, name, value);
}

/* The groups of a set, without the user: text of the SIDs, and where names has one, that. */
static size_t list(const wa_account *account, const char **names, apr_pool_t *pool,
                   const char **out)
{
    char text[WA_SID_TEXT_MAX];
    size_t n = 0;
    uint32_t i;

    for (i = 0; i < account->sids->count; i++) {
        wa_sid sid;
        (void)wa_sidset_at(account->sids, i, &sid);
        wa_sid_format(&sid, text);
        if (account->sid == NULL || strcmp(text, account->sid) != 0) {
            out[n++] = names != NULL && names[i] != NULL ? names[i] : apr_pstrdup(pool, text);
        }
    }
    return n;
}

void wa_export_groups(request_rec *r, const wa_identity *identity)
{
    int wanted = wa_dir_export(wa_config_of_request(r));
    const wa_account *account = &identity->account;
    const char **pieces, **names;

    if (wanted == 0 || account->sids == NULL) {
        return;
    }
    pieces = apr_palloc(r->pool, account->sids->count * sizeof(*pieces));
    if ((wanted & WA_EXPORT_GROUPS) != 0) {
        set_list(r, "WINAUTH_GROUPS", pieces, list(account, NULL, r->pool, pieces));
    }
    if ((wanted & WA_EXPORT_GROUP_NAMES) != 0) {
        names = apr_palloc(r->pool, account->sids->count * sizeof(*names));
        wa_names_list(wa_config_of_server(r->server)->trust->authority, account->sids, r->pool,
                      names);
        set_list(r, "WINAUTH_GROUP_NAMES", pieces, list(account, names, r->pool, pieces));
    }
}

static const winauth_user *winauth_user_of(request_rec *r)
{
    const wa_identity *identity = wa_publish_identity_of(r);
    char upn[WA_ACCOUNT_MAX];
    winauth_user *user;

    if (identity == NULL) {
        return NULL;
    }
    user = apr_pcalloc(r->pool, sizeof(*user));
    user->package = wa_package_name(identity->package);
    user->account = apr_pstrdup(r->pool, identity->account.name);
    user->domain = apr_pstrdup(r->pool, identity->account.domain); /* NULL stays NULL */
    user->sid = apr_pstrdup(r->pool, identity->account.sid);
    if (wa_account_format(&identity->account, WA_FORMAT_UPN, upn)) {
        user->upn = apr_pstrdup(r->pool, upn);
    }
    user->channel_bound = identity->evidence.binding == WA_BINDING_MATCH;
    user->sids_known = identity->account.sids != NULL;
    return user;
}

static int winauth_each_sid(request_rec *r, int (*visit)(void *baton, const char *sid),
                            void *baton)
{
    const wa_identity *identity = wa_publish_identity_of(r);
    const wa_sidset *sids = identity != NULL ? identity->account.sids : NULL;
    char text[WA_SID_TEXT_MAX];
    int result = 0;
    wa_sid sid;
    size_t i;

    for (i = 0; result == 0 && wa_sidset_at(sids, i, &sid); i++) {
        wa_sid_format(&sid, text);
        result = visit(baton, text);
    }
    return result;
}

static int winauth_is_member(request_rec *r, const char *sid)
{
    const wa_identity *identity = wa_publish_identity_of(r);
    wa_sid parsed;

    return identity != NULL && wa_sid_parse(sid, &parsed)
           && wa_sidset_has(identity->account.sids, &parsed);
}

void wa_export_register(void)
{
    APR_REGISTER_OPTIONAL_FN(winauth_user_of);
    APR_REGISTER_OPTIONAL_FN(winauth_each_sid);
    APR_REGISTER_OPTIONAL_FN(winauth_is_member);
}
