#include "httpd/facts.h"

#include "httpd/channel.h"

#include <apr_encode.h>
#include <string.h>

static bool lists(const wa_providers *providers, wa_scheme scheme)
{
    int i;

    for (i = 0; i < providers->count; i++) {
        if (providers->offer[i] == scheme) {
            return true;
        }
    }
    return false;
}

bool wa_facts_accepts(const wa_facts *f, const wa_identity *identity)
{
    if (!lists(&f->providers, identity->scheme)) {
        return false;
    }
    if (identity->package == WA_PACKAGE_KERBEROS) {
        return true;
    }
    return identity->package == WA_PACKAGE_NTLM && f->trust->authority != NULL
           && !(identity->scheme == WA_SCHEME_NEGOTIATE && f->providers.kerberos_only);
}

bool wa_facts_may_bind(const wa_facts *f, const wa_identity *identity)
{
    return identity->scheme != WA_SCHEME_BASIC && !f->stream && !f->proxied
           && !wa_dir_persist_single_request(f->section)
           && (identity->package == WA_PACKAGE_NTLM || wa_dir_persist_non_ntlm(f->section));
}

/* Decodes the token; WA_REASON_OK or why not.  The base64 text was found well-formed before. */
static wa_reason decode(request_rec *r, wa_facts *f)
{
    wa_span text = f->header.base64;
    unsigned char *buf;
    apr_size_t n = 0;

    if (f->header.decoded_len > (apr_size_t)wa_server_max_token(wa_config_of_server(r->server))) {
        return WA_REASON_TOKEN_TOO_LARGE;
    }
    buf = apr_palloc(r->pool, f->header.decoded_len + 4);
    if (apr_decode_base64_binary(buf, (const char *)text.p, (apr_ssize_t)text.n, APR_ENCODE_NONE,
                                 &n)
            != APR_SUCCESS
        || n != f->header.decoded_len) {
        return WA_REASON_BAD_ENCODING;
    }
    f->token = wa_span_of(buf, n);
    return WA_REASON_OK;
}

bool wa_facts_is_raw_ntlm(wa_event event)
{
    return event == WA_EVENT_NTLM_NEGOTIATE || event == WA_EVENT_NTLM_AUTHENTICATE;
}

/* Raw NTLM is refused for what it is before anything else looks at it. */
static wa_reason veto_ntlm(const wa_facts *f)
{
    if (f->trust->authority == NULL
        || (f->header.scheme == WA_SCHEME_NEGOTIATE && f->providers.kerberos_only)) {
        return WA_REASON_NTLM_NOT_ALLOWED;
    }
    if (f->stream) {
        return WA_REASON_HTTP11_REQUIRED;
    }
    return f->proxied ? WA_REASON_UNTRUSTED_PROXY : WA_REASON_OK;
}

static void classify_token(request_rec *r, wa_facts *f)
{
    if (!lists(&f->providers, f->header.scheme)) {
        f->event = WA_EVENT_FOREIGN;
        f->veto = f->header.scheme == WA_SCHEME_NTLM ? WA_REASON_NTLM_NOT_ALLOWED : WA_REASON_OK;
        return;
    }
    f->event = WA_EVENT_BAD_TOKEN;
    f->veto = decode(r, f);
    if (f->veto != WA_REASON_OK) {
        return;
    }
    f->event = wa_exchange_event(f->header.scheme, wa_token_sniff(f->token));
    if (wa_facts_is_raw_ntlm(f->event)) {
        f->veto = veto_ntlm(f);
    }
    else if (f->event == WA_EVENT_BASIC && !wa_channel_is_confidential(r)) {
        f->veto = WA_REASON_TLS_REQUIRED;
    }
}

static void classify(request_rec *r, wa_facts *f)
{
    f->veto = WA_REASON_OK;
    if (wa_dir_require_tls(f->section) && !wa_channel_is_tls(r)) {
        f->veto = WA_REASON_TLS_REQUIRED;
        return;
    }
    wa_header_split(apr_table_get(r->headers_in, wa_channel_role(r)->credentials), &f->header);
    switch (f->header.kind) {
    case WA_HEADER_MALFORMED:
        f->event = WA_EVENT_MALFORMED;
        break;
    case WA_HEADER_ABSENT:
        f->event = WA_EVENT_NOTHING;
        break;
    case WA_HEADER_NO_DATA:
    case WA_HEADER_FOREIGN:
        f->event = WA_EVENT_FOREIGN;
        break;
    case WA_HEADER_TOKEN:
        classify_token(r, f);
        break;
    }
}

/* What an open exchange may be continued with: the same scheme, under the same keys and
 * authority.  A login is judged when it is about to be reused. */
static wa_state state_for(const wa_facts *f)
{
    if (f->slot == NULL) {
        return WA_STATE_NONE;
    }
    if (f->slot->engine != NULL
        && (f->slot->scheme != f->header.scheme || f->slot->trust != f->trust)) {
        return WA_STATE_NONE;
    }
    return f->slot->state;
}

void wa_facts_section(request_rec *r, wa_facts *f)
{
    memset(f, 0, sizeof(*f));
    f->section = wa_config_of_request(r);
    f->trust = wa_config_of_server(r->server)->trust;
    f->providers = wa_dir_providers(f->section);
}

void wa_facts_gather(request_rec *r, wa_facts *f)
{
    wa_facts_section(r, f);
    f->stream = wa_channel_is_stream(r);
    f->proxied = wa_channel_is_proxied(r);
    f->slot = f->stream ? NULL : wa_slot_find(r);
    classify(r, f);
    f->state = state_for(f);
}
