#include "httpd/origin.h"

#include "httpd/admit.h"
#include "httpd/answer.h"
#include "httpd/channel.h"
#include "httpd/config.h"
#include "httpd/delegation.h"
#include "httpd/facts.h"

#include <apr_strings.h>
#include <string.h>

/* The request this one was made from, if our hook has decided about that: a sub-request, an
 * internal redirect or an ErrorDocument stands on what its origin proved and never runs an
 * exchange. */
const wa_request *wa_origin_of(const request_rec *r)
{
    const request_rec *from = r;

    while ((from = from->main != NULL ? from->main : from->prev) != NULL) {
        const wa_request *record = wa_publish_find(from);
        if (record != NULL && record->judged) {
            return record;
        }
    }
    return NULL;
}

bool wa_origin_is_error_document(const request_rec *r)
{
    return r->prev != NULL && r->prev->status != HTTP_OK;
}

/* mod_dir looks by sub-request for what stands for a directory, or for a file that is not there,
 * and then answers with it: such a look is made for the client.  Any other sub-request is a part
 * of a page, as those of a listing or of a page from elsewhere are, that is being made. */
bool wa_origin_is_index_lookup(request_rec *r)
{
    const request_rec *top = wa_channel_top(r);

    return top != r && (top->finfo.filetype == APR_DIR || top->finfo.filetype == APR_NOFILE)
           && !wa_publish_has_begun(top);
}

/* Serves r to whom its origin is served. */
static bool succeed(request_rec *r, const wa_request *origin)
{
    if (!wa_admit(r, origin->identity)) {
        return false;
    }
    wa_publish_record(r)->final_line = origin->final_line;
    return true;
}

int wa_origin_inherit(request_rec *r, const wa_request *origin)
{
    wa_facts f;

    wa_facts_section(r, &f);
    if (wa_facts_lacks_tls(&f)) {
        return wa_answer_refuse(r, WA_REASON_TLS_REQUIRED, NULL);
    }
    if (origin->identity != NULL && wa_facts_accepts(r, &f, origin->identity) == WA_REASON_OK
        && succeed(r, origin)) {
        return OK;
    }
    if (origin->identity == NULL && origin->reason == WA_REASON_ANONYMOUS
        && wa_dir_optional(f.section)) {
        wa_publish_reason(r, WA_REASON_ANONYMOUS);
        return OK;
    }
    if (origin->identity != NULL && r->main == NULL && !wa_origin_is_error_document(r)) {
        return wa_answer_refuse(r, WA_REASON_POLICY_CHANGED, NULL);
    }
    return wa_answer_again(r, origin->reason);
}

/* What a sub-request proves, or is refused for, counts for the request the client sent: mod_dir
 * looks for an index by sub-request, and another sub-request must not judge the same token again.
 */
void wa_origin_hand_up(request_rec *r, const wa_request *own)
{
    request_rec *top = wa_channel_top(r);
    wa_request *record = wa_publish_record(top);

    wa_publish_reason(top, own->reason);
    record->identity = own->identity;
    record->final_line = apr_pstrdup(top->pool, own->final_line); /* NULL stays NULL */
    record->leg = own->leg;
    record->hidden = own->hidden;
    record->ahead = true;
    if (own->identity != NULL && top->user == NULL) {
        top->user = apr_pstrdup(top->pool, r->user);
        top->ap_auth_type = r->ap_auth_type;
        wa_answer_watch(top);
    }
    record->lines = wa_answer_lines(r, top->pool);
}

/* Has a login come of r's credentials, or of those of the request it was made from? */
static bool is_served_to_somebody(const request_rec *r)
{
    const wa_request *record = wa_publish_find(r);

    if (record == NULL || record->identity == NULL) {
        record = wa_origin_of(r);
    }
    return record != NULL && record->identity != NULL;
}

/* httpd authenticates no request whose configuration is that of the one it was made from, and
 * hands on the user, and to a sub-request all variables: the rest is ours to hand on. */
static const request_rec *unchanged_origin(const request_rec *r)
{
    if (r->prev != NULL && r->prev->per_dir_config == r->per_dir_config) {
        return r->prev;
    }
    return r->main != NULL && r->main->per_dir_config == r->per_dir_config ? r->main : NULL;
}

/* Whom authorization has refused is not logged in for the error page. */
static void continue_redirect(request_rec *r, const wa_request *origin)
{
    bool refused = origin->reason == WA_REASON_OK && !origin->admitted;

    if (refused) {
        wa_publish_reason(r, WA_REASON_NOT_AUTHORIZED);
    }
    else if (origin->identity == NULL || !origin->admitted || !succeed(r, origin)) {
        wa_publish_reason(r, origin->reason);
    }
}

static void continue_origin(request_rec *r)
{
    const request_rec *from = unchanged_origin(r);
    const wa_request *origin = from != NULL ? wa_publish_find(from) : NULL;
    wa_request *record;

    if (origin == NULL || !origin->judged || !wa_config_is_ours(r)) {
        return;
    }
    record = wa_publish_record(r);
    record->judged = true;
    if (from == r->prev) {
        continue_redirect(r, origin);
    }
    else {
        record->reason = origin->reason;
        record->identity = origin->identity;
    }
}

/* A look for an index that is let in is what the directory is answered with. */
int wa_origin_admitted(request_rec *r)
{
    wa_request *record = wa_publish_find(r);
    wa_request *top = wa_publish_find(wa_channel_top(r));

    if (record == NULL) {
        continue_origin(r);
        record = wa_publish_find(r);
    }
    if (record != NULL) {
        record->admitted = true;
    }
    if (top != NULL && top->ahead) {
        top->admitted = true;
    }
    return DECLINED;
}

void wa_origin_begun(request_rec *r)
{
    if (r->main == NULL) {
        wa_publish_begin(r);
        wa_answer_settle_origin(r);
    }
}

int wa_origin_shield(request_rec *r)
{
    const wa_request *record;
    const char *header = wa_channel_role(r)->credentials;
    bool proxied = r->proxyreq == PROXYREQ_REVERSE
                   || (r->handler != NULL && strncmp(r->handler, "proxy:", 6) == 0);

    if (proxied && is_served_to_somebody(r)) {
        apr_table_unset(r->headers_in, header);
    }
    if (r->main != NULL || r->prev != NULL) {
        record = wa_origin_of(r);
        if (record != NULL && record->identity != NULL) {
            wa_delegation_hide(r, record->identity);
        }
    }
    return DECLINED;
}
