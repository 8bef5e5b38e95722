#include "httpd/answer.h"

#include "httpd/channel.h"
#include "httpd/commons.h"
#include "httpd/config.h"
#include "httpd/publish.h"

#include <apr_encode.h>
#include <apr_atomic.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>
#include <util_filter.h>

APLOG_USE_MODULE(winauth);

static ap_filter_rec_t *settle; /* written once, while hooks are registered */

static const char leg_body[] =
    "<!DOCTYPE html>\n<html><head><title>Authentication</title></head>\n"
    "<body><p>The authentication exchange goes on.</p></body></html>\n";

/* What is not accepted, and what could not be continued, is not offered: NTLM without an
 * authority, on a stream, behind a proxy, on a connection that this server ends after each
 * request; a password over clear text. */
/* A client that ends the connection after each leg of NTLM takes an offer of it as an invitation
 * to try once more, and again (curl does); a bare Negotiate it takes for a refusal. */
static bool would_loop(const request_rec *r, wa_scheme scheme)
{
    const wa_request *record = wa_publish_find(r);

    return scheme == WA_SCHEME_NTLM && record != NULL
           && record->reason == WA_REASON_KEEPALIVE_OFF;
}

static bool offers(const request_rec *r, wa_scheme scheme)
{
    if (would_loop(r, scheme)) {
        return false;
    }
    if (scheme == WA_SCHEME_BASIC) {
        return wa_channel_is_confidential(r);
    }
    return scheme != WA_SCHEME_NTLM
           || (wa_config_of_server(r->server)->trust->authority != NULL
               && !wa_channel_is_stream(r) && !wa_channel_is_proxied(r)
               && wa_channel_server_ends(r) == NULL);
}

/* WinAuthOffer; an expression that cannot be evaluated is false, which offers less, not more. */
static bool is_wanted(request_rec *r)
{
    wa_kind_expr expr = wa_dir_offer(wa_config_of_request(r));
    const char *error = NULL;
    int truth;

    if (expr == NULL) {
        return true;
    }
    truth = ap_expr_exec(r, expr, &error);
    if (error != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "WA0107: WinAuthOffer: %s", error);
    }
    return truth > 0;
}

/* The line of a challenge without data; Basic has parameters (RFC 7617 section 2). */
static const char *bare(request_rec *r, wa_scheme scheme)
{
    const char *realm = ap_auth_name(r);

    if (scheme != WA_SCHEME_BASIC) {
        return wa_scheme_name(scheme);
    }
    return apr_psprintf(r->pool, "Basic realm=\"%s\", charset=\"UTF-8\"",
                        realm != NULL ? realm
                                      : ap_escape_quotes(r->pool, r->server->server_hostname));
}

int wa_answer_offer(request_rec *r)
{
    wa_providers providers = wa_dir_providers(wa_config_of_request(r));
    const char *header = wa_channel_role(r)->challenge;
    bool wanted = is_wanted(r);
    int count = 0;
    int i;

    apr_table_unset(r->err_headers_out, header);
    for (i = 0; i < providers.count; i++) {
        wa_scheme scheme = providers.offer[i];
        if (offers(r, scheme) && (wanted || scheme == WA_SCHEME_BASIC)) {
            apr_table_addn(r->err_headers_out, header, bare(r, scheme));
            count++;
        }
    }
    return count;
}

static void log_reason(request_rec *r, const wa_reason_row *row, const char *detail)
{
    static const int levels[] = {
        [WA_LOUD_QUIET] = APLOG_DEBUG,
        [WA_LOUD_NOTE] = APLOG_INFO,
        [WA_LOUD_WARN] = APLOG_WARNING,
        [WA_LOUD_ERROR] = APLOG_ERR,
    };

    ap_log_rerror(APLOG_MARK, levels[row->loud], 0, r, "WA0101: %s: %s%s%s", row->token,
                  row->advice, detail != NULL && *detail != '\0' ? ": " : "",
                  detail != NULL ? detail : "");
}

/* mod_http2 turns this into RST_STREAM(HTTP_1_1_REQUIRED), and the client comes back over
 * HTTP/1.1.  Of a look for an index mod_dir keeps the status alone. */
static int reset_stream(request_rec *r)
{
    apr_table_setn(wa_channel_top(r)->notes, "ssl-renegotiate-forbidden", "verify-client");
    return HTTP_FORBIDDEN;
}

/* Of a refusal; one for a reason that is none is a bug, and still a refusal. */
static int status_of(request_rec *r, wa_reason reason)
{
    if (reason == WA_REASON_HTTP11_REQUIRED) {
        return reset_stream(r);
    }
    switch (wa_reason_get(reason)->answer) {
    case WA_ANSWER_BAD_REQUEST:
        return HTTP_BAD_REQUEST;
    case WA_ANSWER_FORBIDDEN:
        return HTTP_FORBIDDEN;
    case WA_ANSWER_UNAVAILABLE:
        return HTTP_SERVICE_UNAVAILABLE;
    case WA_ANSWER_DENY:
    case WA_ANSWER_PASS:
        break;
    }
    return wa_channel_role(r)->status;
}

/* Why there is nothing to offer, for the administrator. */
static const char *nothing_because(request_rec *r)
{
    const wa_request *record = wa_publish_find(r);

    if (wa_dir_offer(wa_config_of_request(r)) != NULL
        || (record != NULL && record->reason == WA_REASON_KEEPALIVE_OFF)) {
        return NULL; /* as configured, or said already */
    }
    if (wa_channel_is_proxied(r)) {
        return "the request came through a proxy: see WinAuthTrustedProxy";
    }
    if (wa_channel_server_ends(r) != NULL) {
        return wa_channel_server_ends(r);
    }
    return "NTLM has no authority (WinAuthNTLMAuthority), or Basic no TLS";
}

/* 401 with the offers.  With nothing to offer a 401 would be against RFC 7235 section 3.1. */
static int deny(request_rec *r)
{
    const char *why;

    if (wa_answer_offer(r) > 0) {
        return wa_channel_role(r)->status;
    }
    if (wa_channel_is_stream(r)) {
        return wa_answer_refuse(r, WA_REASON_HTTP11_REQUIRED, NULL);
    }
    why = nothing_because(r);
    ap_log_rerror(APLOG_MARK, why != NULL ? APLOG_WARNING : APLOG_DEBUG, 0, r,
                  "WA0102: no scheme of WinAuthProviders can be offered here: %s",
                  why != NULL ? why : "WinAuthOffer, or keep-alive");
    return HTTP_FORBIDDEN;
}

int wa_answer_refuse(request_rec *r, wa_reason reason, const char *detail)
{
    const wa_reason_row *row = wa_reason_get(reason);
    int status;

    log_reason(r, row, detail);
    wa_publish_reason(r, reason);
    if (row->loud != WA_LOUD_QUIET) {
        apr_atomic_inc32(&wa_commons_shared()->refusals);
    }
    status = status_of(r, reason);
    return status == wa_channel_role(r)->status ? deny(r) : status;
}

int wa_answer_again(request_rec *r, wa_reason reason)
{
    wa_publish_reason(r, reason);
    return status_of(r, reason);
}

static const char *challenge(request_rec *r, wa_scheme scheme, wa_span token)
{
    return apr_pstrcat(
        r->pool, wa_scheme_name(scheme), " ",
        apr_pencode_base64_binary(r->pool, token.p, (apr_ssize_t)token.n, APR_ENCODE_NONE, NULL),
        NULL);
}

void wa_answer_final_token(request_rec *r, wa_scheme scheme, wa_span token)
{
    if (token.n > 0) {
        const char *line = challenge(r, scheme, token);
        wa_publish_record(r)->final_line = line;
        apr_table_setn(r->err_headers_out, wa_channel_role(r)->challenge, line);
    }
}

/* Reads and drops the body, at most limit bytes of it: OK, DONE when there is more, or the status
 * of an answer.  Must happen before the 401: httpd closes the connection on one while "Expect:
 * 100-continue" is unanswered. */
static int drain(request_rec *r, apr_int64_t limit)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_int64_t seen = 0;
    bool done = false;

    while (!done && seen <= limit) {
        apr_off_t length = 0;
        apr_status_t rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES, APR_BLOCK_READ,
                                         HUGE_STRING_LEN);
        if (rv != APR_SUCCESS || APR_BRIGADE_EMPTY(bb)) {
            return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        }
        done = APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb));
        apr_brigade_length(bb, 1, &length);
        seen += length;
        apr_brigade_cleanup(bb);
    }
    r->expecting_100 = 0; /* all of it is here, even if there was nothing to ask for */
    return seen <= limit ? OK : DONE;
}

int wa_answer_leg(request_rec *r, wa_scheme scheme, wa_span token)
{
    const wa_role *role = wa_channel_role(r);
    wa_request *record = wa_publish_record(r);
    int status = drain(r, wa_server_drain_limit(wa_config_of_server(r->server)));

    if (status != OK) {
        r->connection->keepalive = AP_CONN_CLOSE;
        return status == DONE ? wa_answer_refuse(r, WA_REASON_BODY_TOO_LARGE, NULL) : status;
    }
    apr_table_unset(r->err_headers_out, role->challenge);
    apr_table_setn(r->err_headers_out, role->challenge, challenge(r, scheme, token));
    ap_custom_response(wa_channel_top(r), role->status, leg_body); /* and no ErrorDocument */
    record->leg = true;
    record->hidden = !wa_dir_log_handshake(wa_config_of_request(r));
    wa_publish_reason(r, WA_REASON_HANDSHAKE);
    return role->status;
}

static int add_line(void *lines, const char *header, const char *value)
{
    (void)header;
    APR_ARRAY_PUSH((apr_array_header_t *)lines, const char *) =
        apr_pstrdup(((apr_array_header_t *)lines)->pool, value);
    return 1;
}

apr_array_header_t *wa_answer_lines(request_rec *r, apr_pool_t *pool)
{
    apr_array_header_t *lines = apr_array_make(pool, WA_PROVIDERS_MAX, sizeof(const char *));

    apr_table_do(add_line, lines, r->err_headers_out, wa_channel_role(r)->challenge, NULL);
    return lines->nelts > 0 ? lines : NULL;
}

static void put_lines(request_rec *r, const char *header, const apr_array_header_t *lines,
                      const char *but)
{
    int i;

    for (i = 0; lines != NULL && i < lines->nelts; i++) {
        const char *line = APR_ARRAY_IDX(lines, i, const char *);
        if (but == NULL || strcmp(line, but) != 0) {
            apr_table_addn(r->err_headers_out, header, line);
        }
    }
}

/* A login's answer that is a 401 (or 407) all the same is the application's or authorization's
 * word. It must name a scheme and must not carry the proof of a login: the offers, unless there
 * are some already, or the application makes its own.  What it makes is kept where headers_out is
 * sent, which an error page of httpd's does not do. */
static void settle_refusal(request_rec *r, const wa_request *record, bool sends_headers_out)
{
    const char *header = wa_channel_role(r)->challenge;
    const apr_array_header_t *lines = wa_answer_lines(r, r->pool);

    if (record->final_line != NULL) {
        apr_table_unset(r->err_headers_out, header);
        put_lines(r, header, lines, record->final_line);
    }
    if (apr_table_get(r->err_headers_out, header) == NULL
        && (!sends_headers_out || apr_table_get(r->headers_out, header) == NULL)) {
        wa_answer_offer(r);
    }
}

/* mod_dir answers with the status of its look for an index and keeps the headers only where there
 * was one name to look for. */
static void restore_lines(request_rec *r, const wa_request *record, const char *header)
{
    if (apr_table_get(r->err_headers_out, header) == NULL
        && apr_table_get(r->headers_out, header) == NULL) {
        put_lines(r, header, record->lines, NULL);
    }
}

static void settle_answer(request_rec *r, bool sends_headers_out)
{
    const wa_role *role = wa_channel_role(r);
    const wa_request *record = wa_publish_find(r);

    if (record == NULL) {
        return;
    }
    if (record->identity == NULL) {
        if (r->status == role->status) {
            restore_lines(r, record, role->challenge);
        }
    }
    else if (r->status == role->status) {
        settle_refusal(r, record, sends_headers_out);
    }
    else if (record->final_line != NULL) {
        /* exactly this line: an application's own would be a second one with data, and httpd
         * forgets the error headers of an answer that becomes an error on its way out (a 416) */
        apr_table_unset(r->headers_out, role->challenge);
        apr_table_setn(r->err_headers_out, role->challenge, record->final_line);
    }
}

void wa_answer_settle(request_rec *r)
{
    settle_answer(r, false);
}

/* The error page for a login's 401 may stand where nobody is asked for one.  It has its error
 * headers from the request it stands for. */
void wa_answer_settle_origin(request_rec *r)
{
    request_rec *from = r->prev;
    const wa_request *record = from != NULL ? wa_publish_find(from) : NULL;

    if (record != NULL && record->identity != NULL
        && from->status == wa_channel_role(from)->status
        && from->err_headers_out == r->err_headers_out) {
        settle_refusal(from, record, false);
    }
}

/* The same for an answer that is no error of httpd's: a CGI program's or a back end's. */
static apr_status_t settle_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    settle_answer(f->r, true);
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

void wa_answer_watch(request_rec *r)
{
    if (r->main == NULL) {
        ap_add_output_filter_handle(settle, NULL, r, r->connection);
    }
}

void wa_answer_register(void)
{
    settle = ap_register_output_filter("WINAUTH_SETTLE", settle_filter, NULL,
                                       (ap_filter_type)(AP_FTYPE_PROTOCOL - 1));
}
