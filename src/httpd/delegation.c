#include "httpd/delegation.h"

#include "httpd/channel.h"
#include "httpd/publish.h"

#include <apr_hash.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>
#include <string.h>
#include <unixd.h>

APLOG_USE_MODULE(winauth);

static const char variable[] = "KRB5CCNAME";
static const char redirected[] = "REDIRECT_KRB5CCNAME";

/* Path -> wa_ccache_dir; in pconf.  Written at start-up, read-only afterwards but for each
 * child's own part, set before it has threads.  NULL: nothing is delegated. */
static apr_hash_t *directories;

/* The parent's: a child has ended, and what it left could not be removed yet. */
static bool sweep_is_due;

static apr_status_t forget(void *unused)
{
    (void)unused;
    directories = NULL;
    return APR_SUCCESS;
}

static const char *directory_of(const wa_server_config *c, apr_pool_t *pconf)
{
    const char *path = wa_server_delegation_dir(c);

    if (path == NULL && wa_values_delegates(pconf)) {
        path = ap_runtime_dir_relative(pconf, "winauth-delegation");
    }
    return path;
}

const char *wa_delegation_check(apr_pool_t *pconf, const server_rec *s)
{
    const char *path = directory_of(wa_config_of_server(s), pconf);

    return path != NULL ? wa_ccache_check(path, ap_unixd_config.user_id, pconf) : NULL;
}

const char *wa_delegation_start(apr_pool_t *pconf, server_rec *s)
{
    directories = apr_hash_make(pconf);
    apr_pool_cleanup_register(pconf, NULL, forget, apr_pool_cleanup_null);
    for (; s != NULL; s = s->next) {
        wa_server_config *c = wa_config_of_server(s);
        const char *path = directory_of(c, pconf);
        const char *error;

        if (path == NULL) {
            continue;
        }
        c->ccaches = apr_hash_get(directories, path, APR_HASH_KEY_STRING);
        if (c->ccaches != NULL) {
            continue;
        }
        error = wa_ccache_prepare(path, ap_unixd_config.user_id, ap_unixd_config.group_id, pconf);
        if (error != NULL) {
            return error;
        }
        sweep_is_due = !wa_ccache_sweep(path) || sweep_is_due;
        c->ccaches = apr_pcalloc(pconf, sizeof(*c->ccaches));
        c->ccaches->path = path;
        apr_hash_set(directories, path, APR_HASH_KEY_STRING, c->ccaches);
    }
    return NULL;
}

void wa_delegation_open(apr_pool_t *pchild, server_rec *s)
{
    apr_hash_index_t *i;

    if (directories == NULL) {
        return;
    }
    for (i = apr_hash_first(pchild, directories); i != NULL; i = apr_hash_next(i)) {
        wa_ccache_dir *dir = apr_hash_this_val(i);
        apr_status_t status = wa_ccache_open(dir, pchild);
        if (status != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, status, s,
                         "WA0150: WinAuthDelegationDir %s cannot be used: nothing is delegated",
                         dir->path);
        }
    }
}

/* A child that starts just then keeps others away: what was left is removed later. */
static void sweep_all(void)
{
    apr_hash_index_t *i;

    sweep_is_due = false;
    for (i = directories != NULL ? apr_hash_first(NULL, directories) : NULL; i != NULL;
         i = apr_hash_next(i)) {
        const wa_ccache_dir *dir = apr_hash_this_val(i);
        sweep_is_due = !wa_ccache_sweep(dir->path) || sweep_is_due;
    }
}

void wa_delegation_child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                                mpm_child_status state)
{
    (void)s;
    (void)pid;
    (void)generation;
    (void)slot;
    if (state == MPM_CHILD_EXITED) {
        sweep_all();
    }
}

int wa_delegation_monitor(apr_pool_t *pool, server_rec *s)
{
    (void)pool;
    (void)s;
    if (sweep_is_due) {
        sweep_all();
    }
    return DECLINED;
}

void wa_delegation_prepare(request_rec *r, wa_engine *gss)
{
    wa_delegate delegate = (wa_delegate)wa_dir_delegation(wa_config_of_request(r));
    const wa_ccache_dir *dir = wa_config_of_server(r->server)->ccaches;

    if (delegate == WA_DELEGATE_OFF) {
        return;
    }
    if (dir == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "WA0151: nothing is delegated: WinAuthDelegation in a .htaccess file needs "
                      "WinAuthDelegationDir in the server's configuration");
        return;
    }
    wa_gss_delegate(gss, delegate, dir);
}

bool wa_delegation_is_missing(const wa_dir_config *section, const wa_identity *identity)
{
    wa_delegate delegate = (wa_delegate)wa_dir_delegation(section);

    return delegate != WA_DELEGATE_OFF && identity->package == WA_PACKAGE_KERBEROS
           && identity->delegate != delegate;
}

void wa_delegation_export(request_rec *r, const wa_identity *identity)
{
    if (identity->ccache != NULL
        && identity->delegate == (wa_delegate)wa_dir_delegation(wa_config_of_request(r))) {
        apr_table_set(r->subprocess_env, variable, identity->ccache);
    }
}

void wa_delegation_end_with(request_rec *r, const wa_identity *identity)
{
    if (identity->ccache != NULL) {
        wa_ccache_end_with(identity->ccache, wa_channel_top(r)->pool);
    }
}

static void unset(request_rec *r, const char *name, const char *ccache)
{
    const char *value = apr_table_get(r->subprocess_env, name);

    if (value != NULL && strcmp(value, ccache) == 0) {
        apr_table_unset(r->subprocess_env, name);
    }
}

void wa_delegation_hide(request_rec *r, const wa_identity *origin)
{
    const wa_request *record = wa_publish_find(r);
    bool own = record != NULL && record->identity != NULL
               && (wa_delegate)wa_dir_delegation(wa_config_of_request(r)) == origin->delegate;

    if (origin->ccache == NULL) {
        return;
    }
    unset(r, redirected, origin->ccache);
    if (!own) {
        unset(r, variable, origin->ccache);
    }
}
