#include "httpd/facts.h"

#include "httpd/channel.h"
#include "httpd/handshakes.h"

#include <apr_encode.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

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

static bool accepts_package(const wa_facts *f, const wa_identity *identity)
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

static bool same_name(const char *name, wa_span host)
{
    return strlen(name) == host.n && strncasecmp(name, (const char *)host.p, host.n) == 0;
}

static bool is_among(const apr_array_header_t *names, wa_span host)
{
    int i;

    for (i = 0; names != NULL && i < names->nelts; i++) {
        if (same_name(APR_ARRAY_IDX(names, i, const char *), host)) {
            return true;
        }
    }
    return false;
}

/* ServerName and ServerAlias, the patterns among them included. */
static bool is_servers_own(const request_rec *r, wa_span host)
{
    const server_rec *s = r->server;
    const char *name = apr_pstrmemdup(r->pool, (const char *)host.p, host.n);
    int i;

    for (i = 0; s->wild_names != NULL && i < s->wild_names->nelts; i++) {
        if (ap_strcasecmp_match(name, APR_ARRAY_IDX(s->wild_names, i, const char *)) == 0) {
            return true;
        }
    }
    return same_name(s->server_hostname, host) || is_among(s->names, host);
}

/* Is the service the client asked for one of ours?  A name without a dot means another host in
 * each domain: only AllowDotlessSpn makes it a name, but for the server's own under Allow, where
 * intranets are entered by short names. */
static bool is_our_service(const request_rec *r, const wa_facts *f, const char *spn)
{
    wa_kind_spns listed = wa_dir_service_names(f->section);
    wa_span host = spn != NULL ? wa_protection_host(spn) : wa_span_of(NULL, 0);

    if (host.n == 0) {
        return false;
    }
    if (same_name("localhost", host)) { /* from elsewhere it is the name of another machine */
        return wa_channel_is_local(r);
    }
    if (memchr(host.p, '.', host.n) == NULL && !f->protection.allow_dotless
        && (listed != NULL || f->protection.mode != WA_PROTECT_ALLOW)) {
        return false;
    }
    return listed != NULL ? is_among(listed, host) : is_servers_own(r, host);
}

wa_reason wa_facts_accepts(const request_rec *r, const wa_facts *f, const wa_identity *identity)
{
    const wa_evidence *e = &identity->evidence;

    if (!accepts_package(f, identity)) {
        return WA_REASON_NTLM_NOT_ALLOWED;
    }
    if (identity->scheme == WA_SCHEME_BASIC) {
        return WA_REASON_OK; /* a password is bound to nothing, and its own rules hold for it */
    }
    return wa_protection_judge(&f->protection, f->tls, e, is_our_service(r, f, e->spn));
}

const wa_binding *wa_facts_binding(request_rec *r, wa_facts *f, const char **error)
{
    const char *pem;

    if (!wa_protection_compares(&f->protection, f->tls)) {
        return NULL;
    }
    if (f->slot->binding == NULL) {
        pem = wa_channel_certificate(r, r->pool);
        *error = "mod_ssl does not tell the server's certificate";
        f->slot->binding = pem != NULL ? wa_binding_make(pem, f->slot->parent, error) : NULL;
    }
    return f->slot->binding;
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

bool wa_facts_lacks_tls(const wa_facts *f)
{
    return (wa_dir_require_tls(f->section) && !f->tls)
           || !wa_protection_possible(&f->protection, f->tls);
}

static void classify(request_rec *r, wa_facts *f)
{
    f->veto = WA_REASON_OK;
    if (wa_facts_lacks_tls(f)) {
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
        && (f->slot->scheme != f->header.scheme || f->slot->trust != f->trust
            || wa_handshakes_expired(f->slot))) {
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
    f->protection = wa_dir_protection(f->section).policy;
    f->tls = wa_channel_is_tls(r);
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
