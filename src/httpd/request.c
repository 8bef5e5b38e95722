#include "httpd/request.h"

#include "httpd/admit.h"
#include "httpd/answer.h"
#include "httpd/audit.h"
#include "httpd/channel.h"
#include "httpd/commons.h"
#include "httpd/delegation.h"
#include "httpd/facts.h"
#include "httpd/handshakes.h"
#include "httpd/memo.h"
#include "httpd/origin.h"
#include "httpd/publish.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>
#include <strings.h>

APLOG_USE_MODULE(winauth);

/* Legs without a login between them that cost nothing of MaxKeepAliveRequests: enough for any
 * client, not for one that only wants challenges. */
enum { FREE_LEGS = 100 };

static void drop(wa_facts *f)
{
    if (f->slot != NULL) {
        wa_slot_drop(f->slot);
    }
}

static void log_transition(request_rec *r, const wa_facts *f, wa_state to)
{
    ap_log_rerror(
        APLOG_MARK, APLOG_TRACE1, 0, r, "WA0104: [%s] -- %s (%" APR_SIZE_T_FMT " bytes) --> [%s]",
        wa_state_name(f->state), wa_event_name(f->event), f->token.n, wa_state_name(to));
}

static void remember(request_rec *r, const wa_facts *f, const wa_identity *identity)
{
    if (!f->stream && !f->proxied && !wa_dir_persist_single_request(f->section)) {
        wa_memo_keep(r, f->trust, f->token, identity);
    }
}

/* A right proof that the section does not take. */
static int turn_away(request_rec *r, wa_facts *f, wa_reason reason, const wa_identity *identity)
{
    const wa_account *who = &identity->account;
    const char *spn = identity->evidence.spn;
    const char *detail =
        apr_psprintf(r->pool, "%s%s%s%s%s%s", who->domain != NULL ? who->domain : "",
                     who->domain != NULL ? "\\" : "", who->name, spn != NULL ? " wanted " : "",
                     spn != NULL ? spn : "", f->tls ? "" : ", over clear text");

    if (identity->evidence.binding == WA_BINDING_UNDEFINED) {
        detail = apr_pstrcat(r->pool, detail,
                             ", and no channel binding is defined for this server's certificate, "
                             "whose signature names no hash: use RSA or ECDSA",
                             NULL);
    }
    drop(f);
    return wa_answer_refuse(r, reason, detail);
}

/* The verdict DONE: here, and only here, a login comes into being. */
static int log_in(request_rec *r, wa_facts *f, const wa_step *step)
{
    wa_identity *identity = step->identity;
    wa_reason reason;
    bool bind;

    identity->scheme = f->header.scheme;
    if (f->proxied && identity->package == WA_PACKAGE_NTLM
        && identity->scheme != WA_SCHEME_BASIC) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_UNTRUSTED_PROXY, NULL);
    }
    reason = wa_facts_accepts(r, f, identity);
    if (reason != WA_REASON_OK) {
        return turn_away(r, f, reason, identity);
    }
    if (!wa_admit(r, identity)) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_UNKNOWN_USER, "no domain and no realm is known");
    }
    wa_channel_stay_http1(r);
    bind = wa_facts_may_bind(f, identity);
    f->slot->legs = 0;
    wa_handshakes_end(f->slot);
    apr_atomic_inc32(identity->package == WA_PACKAGE_KERBEROS
                         ? &wa_commons_shared()->logins_kerberos
                         : &wa_commons_shared()->logins_ntlm);
    f->slot->engine = NULL; /* it has nothing more to say; its pool holds the identity */
    f->slot->identity = bind ? identity : NULL;
    f->slot->state = wa_exchange_after(WA_VERDICT_DONE, f->event, bind);
    log_transition(r, f, f->slot->state);
    if (!bind) {
        wa_delegation_end_with(r, identity);
    }
    if (step->detail != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "WA0152: %s delegates nothing: %s",
                      r->user, step->detail);
    }
    if (identity->scheme == WA_SCHEME_BASIC) { /* which has neither final token nor persistence */
        remember(r, f, identity);
    }
    else {
        wa_answer_final_token(r, f->header.scheme, step->token);
        wa_publish_persistence(r, bind);
    }
    wa_audit_ntlm(r, f, identity);
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "WA0105: %s logged in by %s", r->user,
                  wa_package_name(identity->package));
    return OK;
}

/* A leg costs nothing of MaxKeepAliveRequests.  Of a connection's first request that is settled
 * with the next one: while nothing is counted, httpd takes silence for a request that stalls. */
static void take_refund(request_rec *r, wa_slot *slot)
{
    if (slot != NULL && slot->refund && r->connection->keepalives > 0) {
        r->connection->keepalives--;
        slot->refund = false;
    }
}

/* NTLM inside SPNEGO shows only when its first token asks for a second leg. */
static int go_on(request_rec *r, wa_facts *f, const wa_step *step)
{
    wa_state next = wa_exchange_after(WA_VERDICT_CONTINUE, f->event, false);
    const char *ends = wa_channel_server_ends(r);
    const char *detail = NULL;

    ends = ends != NULL ? ends : wa_channel_client_ends(r);
    if (f->stream) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_HTTP11_REQUIRED, NULL);
    }
    if (f->proxied) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_UNTRUSTED_PROXY, NULL);
    }
    if (ends != NULL) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_KEEPALIVE_OFF, ends);
    }
    if (next == WA_STATE_NONE) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_BAD_TOKEN,
                                "the mechanism wants a leg it cannot have");
    }
    if (!wa_handshakes_admit(r, f->slot, &detail)) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_TOO_MANY_HANDSHAKES, detail);
    }
    f->slot->state = next;
    log_transition(r, f, next);
    f->slot->refund = f->slot->legs++ < FREE_LEGS;
    take_refund(r, f->slot);
    return wa_answer_leg(r, f->header.scheme, step->token);
}

static int step(request_rec *r, wa_facts *f)
{
    const char *error = NULL;
    wa_step result;
    int status;

    f->slot->engine->binding = wa_facts_binding(r, f, &error);
    if (error != NULL && f->event != WA_EVENT_BASIC) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_CREDENTIALS_UNAVAILABLE, error);
    }
    f->slot->engine->address = wa_channel_address(r, r->pool);
    f->slot->engine->step(f->slot->engine, f->token, r->pool, &result);
    switch (result.verdict) {
    case WA_VERDICT_DONE:
        return log_in(r, f, &result);
    case WA_VERDICT_CONTINUE:
        return go_on(r, f, &result);
    case WA_VERDICT_FAILED:
    case WA_VERDICT_UNAVAILABLE:
    case WA_VERDICT_COUNT:
        break;
    }
    log_transition(r, f, WA_STATE_NONE);
    status = wa_answer_refuse(r, result.reason, result.detail);
    drop(f); /* not before: the detail may live in there */
    return status;
}

static wa_engine *make_engine(request_rec *r, const wa_facts *f, apr_pool_t *pool)
{
    wa_engine *engine;

    if (f->event == WA_EVENT_BASIC) {
        return wa_basic_begin(f->trust, pool);
    }
    if (wa_facts_is_raw_ntlm(f->event)) {
        return wa_ntlm_begin(f->trust, pool);
    }
    engine = wa_gss_begin(f->trust, f->providers.kerberos_only, pool);
    wa_delegation_prepare(r, engine);
    return engine;
}

static int begin(request_rec *r, wa_facts *f)
{
    apr_pool_t *pool;

    if (f->slot == NULL) {
        f->slot = f->stream ? wa_slot_temporary(wa_channel_top(r)->pool) : wa_slot_make(r);
    }
    pool = wa_slot_fresh_pool(f->slot);
    f->slot->scheme = f->header.scheme;
    f->slot->trust = f->trust;
    f->slot->engine = make_engine(r, f, pool);
    return step(r, f);
}

/* Has the login served its time?  The limits are those of the section it is about to serve. */
static bool is_spent(const wa_facts *f, const wa_identity *identity, apr_int64_t served)
{
    wa_limit limit = wa_dir_persist_limit(f->section);
    apr_time_t now = apr_time_now();

    return (identity->expires != 0 && now >= identity->expires)
           || (limit.seconds != 0 && now - identity->proved >= apr_time_from_sec(limit.seconds))
           || (limit.requests != 0 && served >= limit.requests);
}

/* A password that was right on this connection before: not asked about again, but no login
 * either, for a request without it gets nothing. */
static const wa_identity *recall(request_rec *r, const wa_facts *f)
{
    const wa_identity *identity;
    apr_int64_t *served = NULL;

    if (f->event != WA_EVENT_BASIC || f->slot == NULL || f->proxied
        || wa_dir_persist_single_request(f->section)) {
        return NULL;
    }
    identity = wa_memo_find(r, f->trust, f->token, &served);
    if (identity == NULL || is_spent(f, identity, *served)
        || wa_facts_accepts(r, f, identity) != WA_REASON_OK) {
        return NULL;
    }
    (*served)++;
    return identity;
}

/* Without credentials of ours: a challenge, or where they are optional an anonymous request. */
static int offer(request_rec *r, const wa_facts *f)
{
    if (!wa_dir_optional(f->section)) {
        return wa_answer_refuse(r, WA_REASON_ANONYMOUS, NULL);
    }
    wa_publish_reason(r, WA_REASON_ANONYMOUS);
    /* nor may a cache serve the anonymous answer to somebody who logs in */
    apr_table_mergen(r->err_headers_out, "Cache-Control", "private");
    return OK;
}

static int reuse(request_rec *r, wa_facts *f)
{
    const wa_identity *identity = f->slot->identity;
    wa_request *top = wa_publish_record(wa_channel_top(r));

    if (is_spent(f, identity, f->slot->served - top->counted)) {
        drop(f);
        return wa_answer_refuse(r, WA_REASON_PERSIST_LIMIT, NULL);
    }
    if (f->proxied) { /* the login stays, for requests that did not come through a proxy */
        return offer(r, f);
    }
    if (f->slot->trust != f->trust || wa_facts_accepts(r, f, identity) != WA_REASON_OK
        || wa_delegation_is_missing(f->section, identity) || !wa_facts_may_bind(f, identity)
        || !wa_admit(r, identity)) {
        return wa_answer_refuse(r, WA_REASON_POLICY_CHANGED, NULL);
    }
    wa_audit_ntlm(r, f, identity);
    f->slot->served += !top->counted;
    top->counted = true;
    wa_channel_stay_http1(r);
    /* caches take the absence of Authorization for a public answer */
    apr_table_mergen(r->err_headers_out, "Cache-Control", "private");
    return OK;
}

static int decide(request_rec *r, wa_facts *f)
{
    wa_cell cell = wa_exchange_lookup(f->state, f->event);
    const wa_identity *recalled;

    if (f->veto != WA_REASON_OK) {
        drop(f);
        return wa_answer_refuse(r, f->veto, NULL);
    }
    if (!wa_exchange_keeps(cell.action)) {
        if (f->state != WA_STATE_NONE) {
            log_transition(r, f, WA_STATE_NONE);
        }
        drop(f);
    }
    recalled = recall(r, f);
    if (recalled != NULL && wa_admit(r, recalled)) {
        return OK;
    }
    switch (cell.action) {
    case WA_ACTION_OFFER:
        return offer(r, f);
    case WA_ACTION_BEGIN:
        return begin(r, f);
    case WA_ACTION_STEP:
        return step(r, f);
    case WA_ACTION_REUSE:
        return reuse(r, f);
    case WA_ACTION_REFUSE:
        break;
    }
    return wa_answer_refuse(r, cell.reason, NULL);
}

static int judge(request_rec *r)
{
    wa_request *top = wa_publish_record(wa_channel_top(r));
    const wa_request *own;
    wa_facts f;
    int status;

    wa_facts_gather(r, &f);
    top->judged = true;
    take_refund(r, f.slot);
    status = decide(r, &f);
    own = wa_publish_find(r);
    if (own != NULL && own != top) {
        wa_origin_hand_up(r, own);
    }
    return status;
}

/* Before a request has its turn, mod_rewrite may look ahead by sub-request (LA-U, -U), and that
 * has judged the credentials, which must not be judged again.  What they proved was proved to
 * another section: this one is asked as well. */
static int take_over(request_rec *r)
{
    wa_request *record = wa_publish_record(r);
    const wa_request seen = *record;

    record->ahead = false;
    record->admitted = false;
    record->identity = NULL;
    if (seen.reason == WA_REASON_ANONYMOUS
        || apr_table_get(r->headers_in, wa_channel_role(r)->credentials) == NULL) {
        return judge(r); /* there was nothing to judge */
    }
    if (seen.leg) {
        return wa_channel_role(r)->status; /* its line is kept in the record */
    }
    return seen.identity != NULL ? wa_origin_inherit(r, &seen)
                                 : wa_answer_refuse(r, seen.reason, NULL);
}

int wa_request_authenticate(request_rec *r)
{
    const wa_request *record = wa_publish_find(r);
    static const wa_request nobody = { .reason = WA_REASON_ANONYMOUS };

    if (!wa_config_is_ours(r)) {
        return DECLINED;
    }
    if (record != NULL && record->ahead) {
        return take_over(r);
    }
    if (record != NULL && record->judged) { /* by wa_request_authenticate_early */
        return record->identity != NULL ? OK : wa_answer_refuse(r, WA_REASON_ANONYMOUS, NULL);
    }
    record = wa_origin_of(r);
    wa_publish_record(r)->judged = true;
    if (record == NULL
        && (wa_origin_is_error_document(wa_channel_top(r))
            || (r->main != NULL && !wa_origin_is_index_lookup(r)))) {
        record = &nobody; /* the page asked for is not ours: no exchange for a part or an error of
                             it */
    }
    return record != NULL ? wa_origin_inherit(r, record) : judge(r);
}

int wa_request_authenticate_early(request_rec *r)
{
    wa_request *record = wa_publish_find(r);
    int status;

    if (record != NULL && record->ahead) {
        r->user = NULL; /* or Require would be content, and nobody asked */
        r->ap_auth_type = NULL;
        if (!wa_config_is_ours(r)) {
            memset(record, 0, sizeof(*record));
        }
    }
    if (!wa_config_is_ours(r) || !wa_dir_optional(wa_config_of_request(r))) {
        return DECLINED;
    }
    status = wa_request_authenticate(r);
    return status == OK ? DECLINED : status;
}

/* httpd would now ask who gets in without a user, and forbid it to one who does not. */
int wa_request_authorize_early(request_rec *r)
{
    const wa_request *record = wa_publish_find(r);

    return record != NULL && record->judged && record->identity != NULL && r->user != NULL
                   && wa_config_is_ours(r) && wa_dir_optional(wa_config_of_request(r))
               ? ap_run_auth_checker(r)
               : DECLINED;
}

int wa_request_note_failure(request_rec *r, const char *auth_type)
{
    const wa_request *record = wa_publish_find(r);

    if (strcasecmp(auth_type, "WinAuth") != 0) {
        return DECLINED;
    }
    if (record != NULL && record->identity != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "WA0106: %s is not authorized here", r->user);
        wa_publish_reason(r, WA_REASON_NOT_AUTHORIZED);
    }
    wa_answer_offer(r);
    return OK;
}
