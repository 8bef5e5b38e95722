/* Kerberos and SPNEGO through GSSAPI.
 *
 * The library negotiates and verifies.  What stays with us: choosing the credential by what the
 * client proposes, judging any NTLM message inside SPNEGO like a raw one before gss-ntlmssp sees
 * it, and turning the library's names into an account.  The context is deleted as soon as the
 * identity has been read, and on every failure; it is inquired only when it is complete. */
#include "engine/engine.h"

#include "core/spnego.h"
#include "engine/ccache.h"
#include "engine/gsscred.h"
#include "engine/gsserror.h"
#include "engine/gssname.h"
#include "engine/gssntlm.h"
#include "engine/submit.h"

#include <apr_strings.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdint.h>
#include <string.h>

typedef struct gss_exchange {
    wa_engine base;
    const wa_trust *trust;
    bool kerberos_only;
    wa_gsscred_kind kind; /* NONE before the first token */
    gss_ctx_id_t ctx;
    bool has_nonce; /* gss-ntlmssp's challenge is out, nonce is its */
    unsigned char nonce[WA_NTLM_CHALLENGE_LEN];
    uint32_t offered; /* and its flags */
    bool krb5_proposed;
    bool judged; /* our authority found the NTLM message inside right: account is set */
    wa_account account;
    wa_evidence evidence; /* of that message */
    bool unseen;          /* Kerberos was not told the channel in one leg at least */
    const char *typed;    /* domain and user of that message, for the log; or NULL */
    wa_delegate delegate;
    const wa_ccache_dir *ccaches; /* != NULL iff delegate != WA_DELEGATE_OFF */
    const char *no_proxy;         /* why the service has no ticket of its own; or NULL */
} gss_exchange;

static apr_status_t delete_context(void *data)
{
    gss_exchange *x = data;
    OM_uint32 ignored;

    if (x->ctx != GSS_C_NO_CONTEXT) {
        gss_delete_sec_context(&ignored, &x->ctx, GSS_C_NO_BUFFER);
    }
    return APR_SUCCESS;
}

static wa_gsscred_kind kind_for(const gss_exchange *x, wa_mech mech)
{
    switch (mech) {
    case WA_MECH_KRB5:
    case WA_MECH_MS_KRB5:
        return WA_GSSCRED_SPNEGO_KRB5;
    case WA_MECH_NTLM:
        return !x->kerberos_only && x->trust->spnego_ntlm ? WA_GSSCRED_SPNEGO_NTLM
                                                          : WA_GSSCRED_NONE;
    case WA_MECH_OTHER:
    case WA_MECH_SPNEGO:
    case WA_MECH_COUNT:
        break;
    }
    return WA_GSSCRED_NONE;
}

/* The place of the first mechanism of the client's list that we have (RFC 4178 section 4.1: the
 * acceptor chooses by the initiator's preference); mech_count: there is none.  Kerberos without
 * keys only where nothing else is left: it ends in 503, which keeps out who could do NTLM. */
static size_t first_of_ours(const gss_exchange *x, const wa_spnego_init *init)
{
    size_t first = init->mech_count;
    size_t i;

    for (i = 0; i < init->mech_count; i++) {
        wa_gsscred_kind kind = kind_for(x, init->mechs[i]);
        if (kind != WA_GSSCRED_NONE
            && (kind != WA_GSSCRED_SPNEGO_KRB5 || x->trust->krb5_possible)) {
            return i;
        }
        if (kind != WA_GSSCRED_NONE && first == init->mech_count) {
            first = i;
        }
    }
    return first;
}

/* *inner_out is the optimistic token when it is for the mechanism that is chosen. */
static wa_reason choose_from(gss_exchange *x, const wa_spnego_init *init, wa_span *inner_out)
{
    size_t chosen = first_of_ours(x, init);

    x->krb5_proposed =
        wa_spnego_proposes(init, WA_MECH_KRB5) || wa_spnego_proposes(init, WA_MECH_MS_KRB5);
    if (chosen < init->mech_count) {
        x->kind = kind_for(x, init->mechs[chosen]);
        *inner_out = chosen == 0 ? init->mech_token : *inner_out;
        return WA_REASON_OK;
    }
    return wa_spnego_proposes(init, WA_MECH_NTLM) ? WA_REASON_NTLM_NOT_ALLOWED
                                                  : WA_REASON_BAD_TOKEN;
}

/* What the token carries for the mechanism, and at the first token which mechanism that is. */
static wa_reason open_token(gss_exchange *x, wa_span token, wa_span *inner_out)
{
    wa_spnego_init init;
    wa_spnego_resp resp;

    *inner_out = wa_span_of(NULL, 0);
    if (x->kind != WA_GSSCRED_NONE) {
        if (!wa_spnego_parse_resp(token, &resp)) {
            return WA_REASON_BAD_TOKEN;
        }
        *inner_out = resp.response_token;
        return WA_REASON_OK;
    }
    if (wa_token_sniff(token) == WA_TOKEN_KRB5) {
        x->kind = WA_GSSCRED_KRB5;
        return WA_REASON_OK;
    }
    return wa_spnego_parse_init(token, &init) ? choose_from(x, &init, inner_out)
                                              : WA_REASON_BAD_TOKEN;
}

/* Our own authority judges the response before gss-ntlmssp sees it: it gives the reason of a
 * refusal, the canonical account and its SID, and refuses machines and guests, none of which
 * gss-ntlmssp does. What it refuses goes no further, so a wrong password counts once; only what
 * it has found right is submitted by gss-ntlmssp once more. */
static wa_reason judge(gss_exchange *x, const wa_logon *logon, apr_pool_t *pool, wa_step *out)
{
    wa_ruling ruling;

    memset(&ruling, 0, sizeof(ruling));
    wa_submit_response(&x->base, x->trust, logon, x->base.pool, &ruling);
    wa_secret_wipe(ruling.session_key, sizeof(ruling.session_key));
    x->typed =
        apr_pstrcat(x->base.pool, logon->domain, *logon->domain ? "\\" : "", logon->user, NULL);
    if (ruling.verdict == WA_VERDICT_DONE) {
        x->judged = true;
        x->account = ruling.account;
        return WA_REASON_OK;
    }
    out->verdict = ruling.verdict;
    out->detail =
        apr_pstrcat(pool, x->typed, ruling.detail != NULL ? ": " : "", ruling.detail, NULL);
    return ruling.reason;
}

/* gss-ntlmssp 1.2.0 reads a message by the flags of its own challenge, whatever the message says:
 * it dies where that promises a key and none is there, and would take names for what they are
 * not. */
static bool keeps_promises(const gss_exchange *x, const wa_ntlm_authenticate *message)
{
    return ((x->offered ^ message->flags) & WA_NTLM_UNICODE) == 0
           && ((x->offered & WA_NTLM_KEY_EXCH) == 0
               || message->session_key.n == WA_NTLM_HASH_LEN);
}

static wa_reason check_authenticate(gss_exchange *x, wa_span inner, apr_pool_t *pool,
                                    wa_step *out)
{
    wa_ntlm_authenticate message;
    wa_logon logon;
    wa_reason reason;

    if (!x->has_nonce) {
        return WA_REASON_OUT_OF_SEQUENCE;
    }
    x->has_nonce = false; /* a challenge is good for one answer */
    reason = wa_ntlm_parse_authenticate(inner, &message);
    if (reason != WA_REASON_OK) {
        return reason;
    }
    if (!keeps_promises(x, &message)
        || !wa_logon_read(&message, x->nonce, x->base.pool, &logon)) {
        return WA_REASON_BAD_TOKEN;
    }
    wa_binding_read_ntlm(&message, x->base.binding, x->base.pool, &x->evidence);
    return judge(x, &logon, pool, out);
}

/* WA_REASON_OK when nothing in the token speaks against handing it to the library. */
static wa_reason check_inner(gss_exchange *x, wa_span inner, apr_pool_t *pool, wa_step *out)
{
    static const unsigned char ntlmssp[] = { 'N', 'T', 'L', 'M', 'S', 'S', 'P' };
    wa_ntlm_negotiate negotiate;

    if (x->kind != WA_GSSCRED_SPNEGO_NTLM) {
        return wa_span_begins(inner, wa_span_of(ntlmssp, sizeof(ntlmssp))) ? WA_REASON_BAD_TOKEN
                                                                           : WA_REASON_OK;
    }
    if (inner.n == 0) {
        return WA_REASON_OK; /* only a MIC, or no optimistic token */
    }
    switch (wa_ntlm_message_type(inner)) {
    case 1:
        return wa_ntlm_parse_negotiate(inner, &negotiate) ? WA_REASON_OK : WA_REASON_BAD_TOKEN;
    case 3:
        return check_authenticate(x, inner, pool, out);
    default:
        return WA_REASON_BAD_TOKEN;
    }
}

/* Remembers the challenge gss-ntlmssp made, which the client's answer will be checked against. */
static void note_challenge(gss_exchange *x, wa_span out_token)
{
    wa_spnego_resp resp;
    wa_span nonce;

    if (x->kind == WA_GSSCRED_SPNEGO_NTLM && wa_spnego_parse_resp(out_token, &resp)
        && wa_ntlm_parse_challenge(resp.response_token, &nonce, &x->offered)) {
        memcpy(x->nonce, nonce.p, sizeof(x->nonce));
        x->has_nonce = true;
    }
}

typedef struct facts {
    gss_name_t client;
    gss_name_t service;
    OM_uint32 lifetime;
    gss_OID mech;
    OM_uint32 flags;
} facts;

/* A client that makes no binding and one that was not asked for it look the same to the library.
 */
static wa_binding_state krb5_binding(const gss_exchange *x, OM_uint32 flags)
{
    if (x->unseen) { /* any leg may have been the one that carried it */
        return WA_BINDING_UNSEEN;
    }
    if (x->base.binding->data.n == 0) {
        return WA_BINDING_UNDEFINED;
    }
    return (flags & GSS_C_CHANNEL_BOUND_FLAG) != 0 ? WA_BINDING_MATCH : WA_BINDING_ABSENT;
}

static void read_krb5(gss_exchange *x, const facts *f, wa_identity *identity, wa_step *out)
{
    wa_reason reason = wa_gssname_read(x->trust, f->client, f->service, x->base.pool, identity);

    if (reason != WA_REASON_OK) {
        wa_step_fail(out, WA_VERDICT_FAILED, reason,
                     reason == WA_REASON_BAD_TOKEN
                         ? "the ticket's PAC is damaged"
                         : "the client's principal has no unambiguous form");
        return;
    }
    identity->package = WA_PACKAGE_KERBEROS;
    identity->evidence.ticket = true;
    identity->evidence.binding = krb5_binding(x, f->flags);
    if (f->lifetime != GSS_C_INDEFINITE) {
        /* the library counts whole seconds: the one under way is not added to them */
        identity->expires = apr_time_from_sec(apr_time_sec(identity->proved) + f->lifetime);
    }
    out->verdict = WA_VERDICT_DONE;
}

/* gss-ntlmssp gives the name as typed: who it is was settled when our authority judged the
 * message. */
static void read_ntlm(const gss_exchange *x, wa_identity *identity, wa_step *out)
{
    if (!x->judged) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_OUT_OF_SEQUENCE,
                     "no NTLM message was seen");
        return;
    }
    identity->package = WA_PACKAGE_NTLM;
    identity->account = x->account;
    identity->in_spnego = true;
    identity->krb5_proposed = x->krb5_proposed;
    identity->evidence = x->evidence;
    out->verdict = WA_VERDICT_DONE;
}

/* The identity behind a complete context.  Both the mechanism and the credential must say the
 * same. */
static void read_identity(gss_exchange *x, wa_step *out)
{
    wa_identity *identity = apr_pcalloc(x->base.pool, sizeof(*identity));
    facts f = { GSS_C_NO_NAME, GSS_C_NO_NAME, 0, GSS_C_NO_OID, 0 };
    bool ntlm = x->kind == WA_GSSCRED_SPNEGO_NTLM;
    OM_uint32 minor;
    OM_uint32 ignored;
    /* gss-ntlmssp 1.2.0 kills the process when it is asked for an acceptor's target name */
    OM_uint32 major = gss_inquire_context(&minor, x->ctx, &f.client, ntlm ? NULL : &f.service,
                                          &f.lifetime, &f.mech, &f.flags, NULL, NULL);
    const gss_OID_desc *wanted = ntlm ? &wa_gss_mech_ntlm : &wa_gss_mech_krb5;

    identity->proved = apr_time_now();
    if (GSS_ERROR(major) || f.mech == GSS_C_NO_OID || f.mech->length != wanted->length
        || memcmp(f.mech->elements, wanted->elements, wanted->length) != 0) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_TOKEN, "unexpected mechanism");
    }
    else if (f.flags & GSS_C_ANON_FLAG) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_ANONYMOUS_REFUSED, NULL);
    }
    else if (ntlm) {
        read_ntlm(x, identity, out);
    }
    else {
        read_krb5(x, &f, identity, out);
    }
    gss_release_name(&ignored, &f.client);
    gss_release_name(&ignored, &f.service);
    if (out->verdict == WA_VERDICT_DONE) {
        out->reason = WA_REASON_OK;
        out->identity = identity;
    }
}

/* The response was right, and gss-ntlmssp refuses all the same.  A message it calls defective was
 * altered; otherwise the authority went away in between, or it is one of the logons gss-ntlmssp
 * cannot do with a user file (UPN, a domain in other letters than the file's, names beyond
 * ASCII): 401, so that the client may go on to the scheme NTLM, where they work. */
static void ntlm_failure(const gss_exchange *x, OM_uint32 major, OM_uint32 minor,
                         apr_pool_t *pool, wa_step *out)
{
    const char *text = wa_gss_error(major, minor, (gss_OID)(uintptr_t)&wa_gss_mech_ntlm, pool);
    const char *detail =
        apr_psprintf(pool, "%s%sgss-ntlmssp: %s", x->typed != NULL ? x->typed : "",
                     x->typed != NULL ? ": " : "", text);

    if (!x->judged) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_TOKEN, detail);
    }
    else if (GSS_ROUTINE_ERROR(major) == GSS_S_DEFECTIVE_TOKEN) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_MIC, detail);
    }
    else if (!x->trust->authority->ready(x->trust->authority, pool, &detail)) {
        wa_step_fail(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_DOWN, detail);
    }
    else {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_TOKEN, detail);
    }
}

/* SPNEGO replaces the mechanism's minor status by a number of its own, and its major one by
 * GSS_S_FAILURE.  The Kerberos token inside, tried once more without SPNEGO around it and without
 * a replay cache, fails for the same cause and names it; if it does not fail, it was a replay.
 * Only asked after a failure, and what it says never lets anybody in. */
static void ask_why(const gss_exchange *x, wa_span inner, apr_pool_t *pool, OM_uint32 *major,
                    OM_uint32 *minor)
{
    OM_uint32 inner_minor = 0;
    OM_uint32 inner_major;

    if (x->kind != WA_GSSCRED_SPNEGO_KRB5 || wa_token_sniff(inner) != WA_TOKEN_KRB5
        || GSS_ROUTINE_ERROR(*major) != GSS_S_FAILURE) {
        return;
    }
    inner_major = wa_gsscred_try(x->trust, inner, false, pool, &inner_minor);
    if (!GSS_ERROR(
            inner_major)) { /* then the replay cache it was: has it the token, or trouble? */
        inner_major = wa_gsscred_try(x->trust, inner, true, pool, &inner_minor);
    }
    *major = GSS_ERROR(inner_major) ? inner_major : *major;
    *minor = GSS_ERROR(inner_major) ? inner_minor : (OM_uint32)KRB5KRB_AP_ERR_REPEAT;
}

static void accept_failed(gss_exchange *x, wa_span inner, OM_uint32 major, OM_uint32 minor,
                          apr_pool_t *pool, wa_step *out)
{
    wa_verdict verdict;
    wa_reason reason;
    const char *ignored;

    if (x->kind == WA_GSSCRED_SPNEGO_NTLM) {
        ntlm_failure(x, major, minor, pool, out);
        return;
    }
    ask_why(x, inner, pool, &major, &minor);
    wa_gsserror_map(major, minor, &verdict, &reason);
    wa_step_fail(out, verdict, reason,
                 wa_gss_error(major, minor, (gss_OID)(uintptr_t)&wa_gss_mech_krb5, pool));
    /* one word of libkrb5's for both: no key at all for this service, or not the one that is
     * wanted */
    if (reason == WA_REASON_WRONG_PRINCIPAL && x->trust->acceptor == NULL) {
        out->reason = WA_REASON_NO_KEY;
    }
    /* libkrb5 says "no such key" also of a keytab that went away under an acquired credential */
    if (out->reason == WA_REASON_NO_KEY
        && !wa_gsscred_keytab_usable(x->trust, pool, &out->detail)) {
        out->verdict = WA_VERDICT_UNAVAILABLE;
        out->reason = WA_REASON_CREDENTIALS_UNAVAILABLE;
    }
    /* SPNEGO says "no credential" also of a token inside that is not of the mechanism its list
     * names */
    if (GSS_ROUTINE_ERROR(major) == GSS_S_NO_CRED && x->kind == WA_GSSCRED_SPNEGO_KRB5
        && wa_gsscred_keytab_usable(x->trust, pool, &ignored)) {
        out->verdict = WA_VERDICT_FAILED;
        out->reason = WA_REASON_BAD_TOKEN;
    }
}

/* The channel for the library, which compares what a Kerberos client says about it.  NTLM
 * messages inside SPNEGO carry theirs in the open, and check_authenticate has read it. */
static gss_channel_bindings_t channel_of(const gss_exchange *x,
                                         struct gss_channel_bindings_struct *bindings)
{
    if (x->base.binding == NULL || x->base.binding->data.n == 0
        || x->kind == WA_GSSCRED_SPNEGO_NTLM) {
        return GSS_C_NO_CHANNEL_BINDINGS;
    }
    memset(bindings, 0, sizeof(*bindings));
    bindings->application_data.value = (void *)(uintptr_t)x->base.binding->data.p;
    bindings->application_data.length = x->base.binding->data.n;
    return bindings;
}

/* A credential by S4U2Proxy names who acts for the client; a forwarded one does not. */
static bool is_constrained(gss_cred_id_t cred)
{
    gss_buffer_set_t names = GSS_C_NO_BUFFER_SET;
    OM_uint32 ignored;
    bool named = !GSS_ERROR(gss_inquire_cred_by_oid(&ignored, cred,
                                                    GSS_KRB5_GET_CRED_IMPERSONATOR, &names))
                 && names != GSS_C_NO_BUFFER_SET && names->count > 0;

    gss_release_buffer_set(&ignored, &names);
    return named;
}

/* What the client lets us do in its name, kept with the identity.  A client may give nothing, or
 * another kind than is asked for: then there is nothing, and that is how it stays. What fails on
 * our side is tried again by a login that is not bound to it. */
static void keep_delegated(const gss_exchange *x, gss_cred_id_t cred, wa_step *out)
{
    wa_identity *identity = out->identity;

    if (x->no_proxy != NULL) {
        out->detail = x->no_proxy;
        return;
    }
    identity->delegate = x->delegate;
    if (cred == GSS_C_NO_CREDENTIAL
        || is_constrained(cred) != (x->delegate == WA_DELEGATE_CONSTRAINED)) {
        return;
    }
    identity->ccache = wa_ccache_keep(x->ccaches, cred, x->base.pool, &out->detail);
    if (identity->ccache == NULL) {
        identity->delegate = WA_DELEGATE_OFF;
    }
}

/* gss-ntlmssp may wait for winbindd: its calls are bounded like those of our own authority. */
static bool call_ntlm(gss_exchange *x, wa_gsscred **cred, wa_span token, apr_pool_t *pool,
                      wa_gssntlm_answer *answer, wa_step *out)
{
    wa_offload *offload = x->trust->authority->offload;
    wa_offload_outcome outcome = wa_gssntlm_accept(offload, &x->ctx, cred, token, answer);
    const char *detail = NULL;
    wa_reason reason = wa_offload_reason(offload, outcome, pool, &detail);

    if (reason != WA_REASON_OK) {
        wa_step_fail(out, WA_VERDICT_UNAVAILABLE, reason, detail);
    }
    return reason == WA_REASON_OK;
}

/* One call into the library, and what came of it.  *cred is NULL when it has stayed there. */
static void accept_token(gss_exchange *x, wa_gsscred **cred, wa_span token, wa_span inner,
                         apr_pool_t *pool, wa_step *out)
{
    gss_buffer_desc in = { token.n, (void *)(uintptr_t)token.p };
    gss_buffer_desc answer = GSS_C_EMPTY_BUFFER;
    struct gss_channel_bindings_struct bindings;
    gss_cred_id_t delegated = GSS_C_NO_CREDENTIAL;
    bool delegate = x->delegate != WA_DELEGATE_OFF && x->kind != WA_GSSCRED_SPNEGO_NTLM;
    wa_gssntlm_answer ntlm;
    OM_uint32 minor = 0;
    OM_uint32 ignored;
    OM_uint32 major;

    if (x->kind == WA_GSSCRED_SPNEGO_NTLM) {
        if (!call_ntlm(x, cred, token, pool, &ntlm, out)) {
            return;
        }
        major = ntlm.major;
        minor = ntlm.minor;
        answer = ntlm.token;
    }
    else {
        x->unseen = x->unseen || x->base.binding == NULL;
        major = gss_accept_sec_context(&minor, &x->ctx, wa_gsscred_handle(*cred, x->kind), &in,
                                       channel_of(x, &bindings), NULL, NULL, &answer, NULL, NULL,
                                       delegate ? &delegated : NULL);
    }
    /* what is complete and has something to add (a duplicate, an old token) is not complete */
    if ((major & ~(OM_uint32)GSS_S_CONTINUE_NEEDED) != GSS_S_COMPLETE) {
        accept_failed(x, inner, major, minor, pool,
                      out); /* an error token stays here: 401 says enough */
    }
    else {
        if (answer.length > 0) {
            out->token =
                wa_span_of(apr_pmemdup(pool, answer.value, answer.length), answer.length);
        }
        if (major & GSS_S_CONTINUE_NEEDED) {
            note_challenge(x, out->token);
            out->verdict = WA_VERDICT_CONTINUE;
            out->reason = WA_REASON_HANDSHAKE;
        }
        else {
            read_identity(x, out);
            if (delegate && out->verdict == WA_VERDICT_DONE) {
                keep_delegated(x, delegated, out);
            }
        }
    }
    gss_release_cred(&ignored, &delegated);
    gss_release_buffer(&ignored, &answer);
}

/* For constrained delegation the service needs a ticket of its own; a login does not. */
static wa_gsscred *take_credential(gss_exchange *x, apr_pool_t *pool, const char **detail)
{
    wa_gsscred *cred = NULL;

    x->no_proxy = NULL;
    if (x->delegate == WA_DELEGATE_CONSTRAINED && x->kind != WA_GSSCRED_SPNEGO_NTLM) {
        cred = wa_gsscred_take_proxy(x->trust, x->base.pool, &x->no_proxy);
    }
    return cred != NULL ? cred : wa_gsscred_take(x->trust, x->kind, pool, detail);
}

static void step(wa_engine *engine, wa_span token, apr_pool_t *request_pool, wa_step *out)
{
    gss_exchange *x = (gss_exchange *)engine;
    const char *detail = NULL;
    wa_gsscred *cred;
    wa_span inner;
    wa_reason reason;

    wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_TOKEN, NULL);
    reason = open_token(x, token, &inner);
    if (reason == WA_REASON_OK) {
        reason = check_inner(x, inner, request_pool, out);
    }
    if (reason != WA_REASON_OK) {
        out->reason = reason;
        delete_context(x);
        return;
    }
    cred = take_credential(x, request_pool, &detail);
    if (cred == NULL) {
        wa_step_fail(out, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE, detail);
        delete_context(x);
        return;
    }
    accept_token(x, &cred, token, inner, request_pool, out);
    if (cred != NULL) {
        wa_gsscred_give_back(x->trust, x->kind, cred, out->verdict != WA_VERDICT_UNAVAILABLE);
    }
    if (out->verdict != WA_VERDICT_CONTINUE) {
        delete_context(x);
    }
}

void wa_gss_delegate(wa_engine *gss, wa_delegate delegate, const wa_ccache_dir *dir)
{
    gss_exchange *x = (gss_exchange *)gss;

    x->delegate = delegate;
    x->ccaches = dir;
}

wa_engine *wa_gss_begin(const wa_trust *trust, bool kerberos_only, apr_pool_t *exchange_pool)
{
    gss_exchange *x = apr_pcalloc(exchange_pool, sizeof(*x));

    x->base.step = step;
    x->base.pool = exchange_pool;
    x->trust = trust;
    x->kerberos_only = kerberos_only;
    x->ctx = GSS_C_NO_CONTEXT;
    apr_pool_cleanup_register(exchange_pool, x, delete_context, apr_pool_cleanup_null);
    return &x->base;
}
