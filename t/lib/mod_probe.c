/* A module that asks mod_winauth, as any other may: its handler "probe" prints what it is told about the user, and
 * whether they are in the group that the query names. */
#include "mod_winauth.h"

#include <ap_config.h>
#include <http_config.h>
#include <http_protocol.h>
#include <string.h>

static APR_OPTIONAL_FN_TYPE(winauth_user_of) *user_of;
static APR_OPTIONAL_FN_TYPE(winauth_each_sid) *each_sid;
static APR_OPTIONAL_FN_TYPE(winauth_is_member) *is_member;

static int print_sid(void *r, const char *sid)
{
    ap_rprintf(r, "sid=%s\n", sid);
    return 0;
}

static int stop_at_second(void *count, const char *sid)
{
    (void)sid;
    return ++*(int *)count == 2 ? 42 : 0;
}

static const char *shown(const char *s)
{
    return s != NULL ? s : "-";
}

static int handler(request_rec *r)
{
    const winauth_user *user;
    int count = 0;

    if (strcmp(r->handler, "probe") != 0) {
        return DECLINED;
    }
    ap_set_content_type(r, "text/plain");
    if (user_of == NULL) {
        ap_rputs("not loaded\n", r);
        return OK;
    }
    user = user_of(r);
    if (user != NULL) {
        ap_rprintf(r, "user=%s %s %s %s %s %d %d\n", user->package, user->account, shown(user->domain),
                   shown(user->upn), shown(user->sid), user->channel_bound, user->sids_known);
    }
    ap_rprintf(r, "each=%d\n", each_sid(r, print_sid, r));
    ap_rprintf(r, "stopped=%d\n", each_sid(r, stop_at_second, &count));
    ap_rprintf(r, "member=%d\n", is_member(r, r->args != NULL ? r->args : ""));
    return OK;
}

static int log_transaction(request_rec *r)
{
    if (user_of != NULL) {
        apr_table_setn(r->subprocess_env, "PROBE_LATE", user_of(r) != NULL ? "known" : "nobody");
    }
    return DECLINED;
}

static void retrieve(void)
{
    user_of = APR_RETRIEVE_OPTIONAL_FN(winauth_user_of);
    each_sid = APR_RETRIEVE_OPTIONAL_FN(winauth_each_sid);
    is_member = APR_RETRIEVE_OPTIONAL_FN(winauth_is_member);
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_optional_fn_retrieve(retrieve, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(log_transaction, NULL, NULL, APR_HOOK_FIRST);
}

module AP_MODULE_DECLARE_DATA probe_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0
};
