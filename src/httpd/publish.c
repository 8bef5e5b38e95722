#include "httpd/publish.h"

#include "httpd/channel.h"
#include "httpd/config.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <stdint.h>
#include <string.h>
#include <util_filter.h>

extern module AP_MODULE_DECLARE_DATA winauth_module;
APLOG_USE_MODULE(winauth);

static ap_filter_rec_t *persistence_filter;

/* Stands for the record of a request that has none, and whose page is being made. */
static const wa_request begun = { .begun = true };

wa_request *wa_publish_find(const request_rec *r)
{
    wa_request *record = ap_get_module_config(r->request_config, &winauth_module);

    return record != &begun ? record : NULL;
}

void wa_publish_begin(request_rec *r)
{
    wa_request *record = wa_publish_find(r);

    if (record != NULL) {
        record->begun = true;
    }
    else {
        ap_set_module_config(r->request_config, &winauth_module, (void *)(uintptr_t)&begun);
    }
}

bool wa_publish_has_begun(const request_rec *r)
{
    const wa_request *record = ap_get_module_config(r->request_config, &winauth_module);

    return record != NULL && record->begun;
}

wa_request *wa_publish_record(request_rec *r)
{
    wa_request *record = wa_publish_find(r);

    if (record == NULL) {
        record = apr_pcalloc(r->pool, sizeof(*record));
        record->begun = wa_publish_has_begun(r);
        ap_set_module_config(r->request_config, &winauth_module, record);
    }
    return record;
}

void wa_publish_variable(request_rec *r, const char *name, const char *value)
{
    apr_table_setn(r->subprocess_env, name, value);
    apr_table_setn(r->notes, name, value);
}

/* What is not known has no variable. */
static void set_known(request_rec *r, const char *name, const char *value)
{
    if (value != NULL) {
        wa_publish_variable(r, name, apr_pstrdup(r->pool, value));
    }
}

static void set_variables(request_rec *r, wa_reason reason)
{
    const wa_reason_row *row = wa_reason_get(reason);

    wa_publish_variable(r, "WINAUTH_REASON", row->token);
    wa_publish_variable(r, "WINAUTH_SUBSTATUS", apr_psprintf(r->pool, "%u", row->substatus));
    wa_publish_variable(r, "WINAUTH_WIN32", apr_psprintf(r->pool, "%u", row->win32));
}

void wa_publish_reason(request_rec *r, wa_reason reason)
{
    wa_publish_record(r)->reason = reason;
    set_variables(r, reason);
}

bool wa_publish_identity(request_rec *r, const wa_identity *identity)
{
    char user[WA_ACCOUNT_MAX];
    char upn[WA_ACCOUNT_MAX];
    wa_request *record = wa_publish_record(r);

    if (!wa_account_format(&identity->account,
                           (wa_format)wa_dir_user_format(wa_config_of_request(r)), user)) {
        return false;
    }
    record->identity = identity;
    r->user = apr_pstrdup(r->pool, user);
    r->ap_auth_type = (char *)wa_scheme_name(identity->scheme);
    wa_publish_variable(r, "WINAUTH_PACKAGE", wa_package_name(identity->package));
    wa_publish_variable(r, "WINAUTH_EPA",
                        identity->evidence.binding == WA_BINDING_MATCH ? "bound" : "none");
    set_known(r, "WINAUTH_SID", identity->account.sid);
    set_known(r, "WINAUTH_DOMAIN", identity->account.domain);
    set_known(r, "WINAUTH_ACCOUNT", identity->account.name);
    if (wa_account_format(&identity->account, WA_FORMAT_UPN, upn)) {
        set_known(r, "WINAUTH_UPN", upn);
    }
    wa_publish_reason(r, WA_REASON_OK);
    return true;
}

const wa_identity *wa_publish_identity_of(const request_rec *r)
{
    const char *user = r->user;

    for (; r != NULL && user != NULL; r = r->main != NULL ? r->main : r->prev) {
        const wa_request *record = wa_publish_find(r);
        if (r->user == NULL || strcmp(r->user, user) != 0) {
            return NULL;
        }
        if (record != NULL) {
            return record->identity;
        }
    }
    return NULL;
}

void wa_publish_persistence(request_rec *r, bool bound)
{
    request_rec *top = wa_channel_top(r); /* a sub-request's filters die with it */
    wa_request *record = wa_publish_record(top);

    record->bound = bound;
    /* a stream's login holds for the stream; for proxies the header is not defined */
    if (!wa_channel_is_stream(r) && wa_channel_role(r)->slot == 0) {
        ap_add_output_filter_handle(persistence_filter, record, top, top->connection);
    }
}

static bool begins_with_status_line(apr_bucket_brigade *bb)
{
    char start[7];
    apr_size_t n = sizeof(start);

    return apr_brigade_flatten(bb, start, &n) == APR_SUCCESS && n == sizeof(start)
           && memcmp(start, "HTTP/1.", n) == 0;
}

/* Inserts line before the empty line that ends a serialised header, which is the last two bytes
 * of the last bucket with data.  False: that is not what stands there. */
static bool insert_line(apr_bucket_brigade *bb, const char *line)
{
    apr_bucket *last = APR_BRIGADE_LAST(bb);
    const char *data;
    apr_size_t n;

    while (last != APR_BRIGADE_SENTINEL(bb) && APR_BUCKET_IS_METADATA(last)) {
        last = APR_BUCKET_PREV(last);
    }
    if (!begins_with_status_line(bb) || last == APR_BRIGADE_SENTINEL(bb)
        || apr_bucket_read(last, &data, &n, APR_BLOCK_READ) != APR_SUCCESS || n < 2
        || memcmp(data + n - 2, CRLF, 2) != 0) {
        return false;
    }
    if (n > 2) {
        apr_bucket_split(last, n - 2);
        last = APR_BUCKET_NEXT(last);
    }
    APR_BUCKET_INSERT_BEFORE(last,
                             apr_bucket_immortal_create(line, strlen(line), bb->bucket_alloc));
    return true;
}

/* Runs behind the filter that writes the header, for two reasons: only there has httpd decided
 * whether the connection stays open, so only there can Persistent-Auth be truthful; and a 304 is
 * written with a fixed list of headers, of which this is none. */
static apr_status_t announce_persistence(ap_filter_t *f, apr_bucket_brigade *bb)
{
    const wa_request *record = f->ctx; /* f->r may be another by now: an internal redirect's */
    bool stays = record->bound && f->c->keepalive == AP_CONN_KEEPALIVE;

    ap_remove_output_filter(f);
    if (!insert_line(bb, stays ? "Persistent-Auth: true" CRLF : "Persistent-Auth: false" CRLF)) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, f->r,
                      "WA0103: no Persistent-Auth: another module writes the header itself");
    }
    return ap_pass_brigade(f->next, bb);
}

void wa_publish_register(void)
{
    persistence_filter =
        ap_register_output_filter("WINAUTH_PERSISTENCE", announce_persistence, NULL,
                                  (ap_filter_type)(AP_FTYPE_TRANSCODE - 1));
}

/* True iff a login's answer is a 401 (or 407) that neither we nor authorization gave: the
 * application's own. */
static bool refused_by_application(const request_rec *first, const request_rec *last,
                                   const wa_request *record)
{
    return record->reason == WA_REASON_OK
           && (first->status == wa_channel_role(first)->status
               || last->status == wa_channel_role(last)->status);
}

/* True iff authorization answered 403 where it might have asked for another account
 * (AuthzSendForbiddenOnFailure): then it tells nobody of it. */
static bool is_forbidden(const request_rec *r)
{
    const wa_request *record = wa_publish_find(r);

    return r->status == HTTP_FORBIDDEN && record != NULL && record->judged
           && record->reason == WA_REASON_OK && r->user != NULL && !record->admitted;
}

/* From here on it may be gone: the connection goes on with its next request. */
static void forget_identity(const request_rec *r)
{
    wa_request *record = wa_publish_find(r);

    if (record != NULL) {
        record->identity = NULL;
    }
}

/* Whatever else waits for the end of a request has its turn: modules that count requests, say.
 * Only what writes the access log does not. */
static int log_elsewhere(request_rec *r)
{
    const apr_array_header_t *hooks = ap_hook_get_log_transaction();
    int status = OK;
    int i;

    for (i = 0; i < hooks->nelts && (status == OK || status == DECLINED); i++) {
        const ap_LINK_log_transaction_t *hook =
            &APR_ARRAY_IDX(hooks, i, ap_LINK_log_transaction_t);
        if (hook->pFunc != wa_publish_log && strcmp(hook->szName, "mod_log_config.c") != 0) {
            status = hook->pFunc(r);
        }
    }
    return DONE;
}

static const request_rec *last_of(const request_rec *r)
{
    while (r->next != NULL) {
        r = r->next;
    }
    return r;
}

/* Nothing but a leg: not a page on whose way one was met. */
static bool is_hidden_leg(const request_rec *r)
{
    const wa_request *record = wa_publish_find(r);

    return record != NULL && record->hidden && r->status == wa_channel_role(r)->status;
}

/* log_transaction, before every logger.  After an internal redirect the loggers look at the last
 * request of the chain, whose variables were renamed: they are set there again. */
int wa_publish_log(request_rec *r)
{
    const wa_request *record = wa_publish_find(r);
    request_rec *last = r;
    bool forbidden = is_forbidden(r);

    if (record == NULL && r->next == NULL) {
        return DECLINED;
    }
    if (is_hidden_leg(last_of(r))) {
        return log_elsewhere(r);
    }
    while (last->next != NULL) {
        forget_identity(last);
        last = last->next;
        forbidden = forbidden || is_forbidden(last);
        record = wa_publish_find(last) != NULL ? wa_publish_find(last) : record;
    }
    forget_identity(last);
    if (record == NULL) {
        return DECLINED;
    }
    if (last->user == NULL) {
        last->user = r->user; /* an error page has no user, the request for which it stands has */
    }
    if (forbidden || refused_by_application(r, last, record)) {
        /* IIS tells apart 401.3, Require's, and 401.5, the application's; 403.3 is another thing
         */
        set_variables(last, WA_REASON_NOT_AUTHORIZED);
        wa_publish_variable(last, "WINAUTH_SUBSTATUS", forbidden ? "0" : "5");
    }
    else {
        set_variables(last, record->reason);
    }
    return DECLINED;
}
