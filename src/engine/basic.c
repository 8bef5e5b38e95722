/* Passwords in the clear (RFC 7617): one leg, judged by the NTLM authority where there is one,
 * otherwise by a Kerberos AS exchange.  A KDC's answer alone proves nothing (anybody can answer
 * for a KDC), so the ticket must also open with a key of our own keytab. */
#include "engine/engine.h"

#include "core/utf.h"
#include "engine/keytab.h"
#include "engine/submit.h"

#include <apr_strings.h>
#include <krb5.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <string.h>

typedef struct basic_exchange {
    wa_engine base;
    const wa_trust *trust;
} basic_exchange;

/* What an AS exchange's failure means; everything else is a KDC that could not be asked. */
static const struct {
    krb5_error_code code;
    wa_reason reason;
} refusals[] = {
    { KRB5KDC_ERR_PREAUTH_FAILED, WA_REASON_BAD_PASSWORD },
    { KRB5KRB_AP_ERR_BAD_INTEGRITY, WA_REASON_BAD_PASSWORD },
    { KRB5KRB_AP_ERR_MODIFIED, WA_REASON_BAD_PASSWORD },
    { KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, WA_REASON_UNKNOWN_USER },
    { KRB5_PARSE_MALFORMED, WA_REASON_UNKNOWN_USER },
    { KRB5KDC_ERR_CLIENT_REVOKED, WA_REASON_ACCOUNT_DISABLED },
    { KRB5KDC_ERR_NAME_EXP, WA_REASON_ACCOUNT_EXPIRED },
    { KRB5KDC_ERR_KEY_EXP, WA_REASON_PASSWORD_EXPIRED },
    { KRB5KDC_ERR_POLICY, WA_REASON_LOGON_RESTRICTED },
    { KRB5_PREAUTH_FAILED, WA_REASON_LOGON_RESTRICTED }, /* hardware, or no key at all */
};

static void fail_krb5(krb5_context ctx, krb5_error_code code, apr_pool_t *pool, wa_step *out)
{
    const char *message = krb5_get_error_message(ctx, code);
    const char *detail = apr_pstrdup(pool, message);
    size_t i;

    krb5_free_error_message(ctx, message);
    for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (refusals[i].code == code) {
            wa_step_fail(out, WA_VERDICT_FAILED, refusals[i].reason, detail);
            return;
        }
    }
    wa_step_fail(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_DOWN, detail);
}

/* Does a ticket for this service of ours, which the KDC is asked for, open with the keytab's key?
 */
static krb5_error_code verify_with(krb5_context ctx, krb5_creds *creds, krb5_principal service,
                                   krb5_keytab keytab)
{
    krb5_verify_init_creds_opt options;

    krb5_verify_init_creds_opt_init(&options);
    krb5_verify_init_creds_opt_set_ap_req_nofail(&options, 1); /* no key proves nothing */
    return krb5_verify_init_creds(ctx, creds, service, keytab, NULL, &options);
}

/* Any service of the keytab will do; those the KDC has forgotten are passed over. */
static krb5_error_code verify_any(krb5_context ctx, krb5_creds *creds, krb5_keytab keytab)
{
    krb5_principal last = NULL;
    krb5_keytab_entry entry;
    krb5_kt_cursor cursor;
    krb5_error_code verified = KRB5_KT_NOTFOUND;
    krb5_error_code code = krb5_kt_start_seq_get(ctx, keytab, &cursor);

    if (code != 0) {
        return code;
    }
    while (verified != 0 && krb5_kt_next_entry(ctx, keytab, &entry, &cursor) == 0) {
        if (last == NULL || !krb5_principal_compare(ctx, last, entry.principal)) {
            verified = verify_with(ctx, creds, entry.principal, keytab);
            krb5_free_principal(ctx, last);
            last = NULL;
            (void)krb5_copy_principal(ctx, entry.principal, &last);
        }
        krb5_free_keytab_entry_contents(ctx, &entry);
    }
    krb5_free_principal(ctx, last);
    krb5_kt_end_seq_get(ctx, keytab, &cursor);
    return verified;
}

/* Only the service of WinAuthAcceptorName will do. */
static krb5_error_code verify_acceptor(krb5_context ctx, const wa_trust *trust, krb5_creds *creds,
                                       krb5_keytab keytab, apr_pool_t *pool)
{
    const char *detail = NULL;
    const char *name = wa_keytab_acceptor(trust, pool, &detail);
    krb5_principal service = NULL;
    krb5_error_code code;

    if (name == NULL) {
        krb5_set_error_message(ctx, KRB5_KT_NOTFOUND, "%s", detail);
        return KRB5_KT_NOTFOUND;
    }
    code = krb5_parse_name(ctx, name, &service);
    code = code == 0 ? verify_with(ctx, creds, service, keytab) : code;
    krb5_free_principal(ctx, service);
    return code;
}

/* The ticket must be one our own key opens; without a key nothing is proved. */
static bool verify_own(krb5_context ctx, const wa_trust *trust, krb5_creds *creds,
                       apr_pool_t *pool, wa_step *out)
{
    krb5_keytab keytab = NULL;
    krb5_error_code code = krb5_kt_resolve(ctx, trust->keytab_name, &keytab);

    if (code == 0) {
        code = trust->acceptor == NULL ? verify_any(ctx, creds, keytab)
                                       : verify_acceptor(ctx, trust, creds, keytab, pool);
        krb5_kt_close(ctx, keytab);
    }
    if (code != 0) {
        fail_krb5(ctx, code, pool, out);
        if (out->reason
            != WA_REASON_LOGON_RESTRICTED) { /* which is the KDC's word about the user */
            out->verdict = WA_VERDICT_UNAVAILABLE;
            out->reason = WA_REASON_CREDENTIALS_UNAVAILABLE;
        }
    }
    return code == 0;
}

/* The canonical client of the ticket as an account. */
static void read_client(const basic_exchange *x, krb5_context ctx, const krb5_creds *creds,
                        wa_identity *identity, wa_step *out)
{
    apr_pool_t *pool = x->base.pool;
    wa_span name, realm;
    char *text = NULL;
    char *own = NULL;

    if (krb5_unparse_name(ctx, creds->client, &text) != 0
        || !wa_account_split_principal(text, &name, &realm)) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_UNKNOWN_USER, "ambiguous principal");
    }
    else {
        identity->account.name = apr_pstrmemdup(pool, (const char *)name.p, name.n);
        identity->account.realm = apr_pstrmemdup(pool, (const char *)realm.p, realm.n);
        identity->account.domain = wa_trust_domain(x->trust, identity->account.realm);
        identity->account.home =
            krb5_get_default_realm(ctx, &own) == 0 && strcmp(own, identity->account.realm) == 0;
        identity->package = WA_PACKAGE_KERBEROS;
        identity->expires = apr_time_from_sec((apr_time_t)(uint32_t)creds->times.endtime);
        out->verdict = WA_VERDICT_DONE;
    }
    krb5_free_default_realm(ctx, own);
    krb5_free_unparsed_name(ctx, text);
}

/* Only realms the administrator knows are asked: a client must not choose whom this server talks
 * to. */
static bool is_known_realm(krb5_context ctx, const wa_trust *trust, krb5_principal client)
{
    const krb5_data *realm = krb5_princ_realm(ctx, client);
    const char *name = realm->length > 0 ? realm->data : "";
    char *own = NULL;
    bool known;

    known = krb5_get_default_realm(ctx, &own) == 0 && strcmp(own, name) == 0;
    krb5_free_default_realm(ctx, own);
    return known || wa_trust_domain(trust, name) != NULL;
}

/* The AS exchange and what follows from it; the caller holds a place at the gate. */
static void exchange_krb5(basic_exchange *x, krb5_context ctx, krb5_principal client,
                          const char *password, apr_pool_t *pool, wa_identity *identity,
                          wa_step *out)
{
    krb5_creds creds;
    krb5_error_code code;

    memset(&creds, 0, sizeof(creds));
    code = krb5_get_init_creds_password(ctx, &creds, client, password, NULL, NULL, 0, NULL, NULL);
    if (code != 0) {
        fail_krb5(ctx, code, pool, out);
    }
    else if (verify_own(ctx, x->trust, &creds, pool, out)) {
        read_client(x, ctx, &creds, identity, out);
    }
    krb5_free_cred_contents(ctx, &creds);
}

/* The name as libkrb5 has read it: what was typed may hold its escapes. */
static void submit_krb5(basic_exchange *x, krb5_context ctx, krb5_principal client,
                        const char *password, apr_pool_t *pool, wa_identity *identity,
                        wa_step *out)
{
    wa_lockout_keys keys;
    wa_ruling ruling;
    char *name = NULL;

    if (krb5_unparse_name_flags(
            ctx, client, KRB5_PRINCIPAL_UNPARSE_NO_REALM | KRB5_PRINCIPAL_UNPARSE_DISPLAY, &name)
        != 0) {
        return; /* out is a refusal */
    }
    memset(&ruling, 0, sizeof(ruling));
    if (wa_submit_begin(&x->base, x->trust, name, &keys, pool, &ruling)) {
        exchange_krb5(x, ctx, client, password, pool, identity, out);
        wa_submit_end(x->trust, &keys, out->verdict, out->reason);
    }
    else {
        wa_step_fail(out, ruling.verdict, ruling.reason,
                     ruling.detail != NULL ? ruling.detail : apr_pstrdup(pool, name));
    }
    krb5_free_unparsed_name(ctx, name);
}

static void judge_krb5(basic_exchange *x, const char *user, const char *password,
                       apr_pool_t *pool, wa_identity *identity, wa_step *out)
{
    wa_gate *gate = (wa_gate *)(uintptr_t)&x->trust->kdc;
    krb5_context ctx = NULL;
    krb5_principal client = NULL;
    krb5_error_code code;

    if (krb5_init_context(&ctx) != 0) {
        wa_step_fail(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_DOWN,
                     "libkrb5 does not start: check krb5.conf");
        return;
    }
    code = krb5_parse_name(ctx, user, &client);
    if (code != 0) {
        fail_krb5(ctx, code, pool, out);
    }
    else if (!is_known_realm(ctx, x->trust, client)) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_UNKNOWN_USER,
                     "neither the default realm nor one of WinAuthDomain");
    }
    else if (!wa_gate_enter(gate)) {
        wa_step_fail(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_BUSY, NULL);
    }
    else {
        submit_krb5(x, ctx, client, password, pool, identity, out);
        wa_gate_leave(gate);
    }
    krb5_free_principal(ctx, client);
    krb5_free_context(ctx);
}

static void judge_authority(basic_exchange *x, const char *user, const char *password,
                            apr_pool_t *pool, wa_identity *identity, wa_step *out)
{
    const char *backslash = strchr(user, '\\');
    const char *domain =
        backslash != NULL ? apr_pstrmemdup(pool, user, (apr_size_t)(backslash - user)) : "";
    wa_ruling ruling;

    memset(&ruling, 0, sizeof(ruling));
    wa_submit_password(&x->base, x->trust, backslash != NULL ? backslash + 1 : user, domain,
                       password, x->base.pool, &ruling);
    wa_secret_wipe(ruling.session_key, sizeof(ruling.session_key));
    if (ruling.verdict != WA_VERDICT_DONE) {
        wa_step_fail(
            out, ruling.verdict, ruling.reason,
            apr_pstrcat(pool, user, ruling.detail != NULL ? ": " : "", ruling.detail, NULL));
        return;
    }
    identity->account = ruling.account;
    identity->package = WA_PACKAGE_NTLM;
    out->verdict = WA_VERDICT_DONE;
}

static void step(wa_engine *engine, wa_span token, apr_pool_t *request_pool, wa_step *out)
{
    basic_exchange *x = (basic_exchange *)engine;
    wa_identity *identity = apr_pcalloc(engine->pool, sizeof(*identity));
    char *user = apr_pstrmemdup(request_pool, (const char *)token.p, token.n);
    char *password = strchr(user, ':');

    wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_TOKEN, "not user:password in UTF-8");
    if (password == NULL || !wa_utf8_valid(token)) { /* which also excludes a NUL */
        return;
    }
    *password++ = '\0';
    identity->proved = apr_time_now();
    if (*user == '\0' || *password == '\0') {
        /* an empty password is an anonymous bind to some authorities */
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_ANONYMOUS_REFUSED, NULL);
    }
    else if (x->trust->authority != NULL) {
        judge_authority(x, user, password, request_pool, identity, out);
    }
    else {
        judge_krb5(x, user, password, request_pool, identity, out);
    }
    wa_secret_wipe(password, strlen(password));
    if (out->verdict == WA_VERDICT_DONE) {
        out->reason = WA_REASON_OK;
        out->detail = NULL;
        out->identity = identity;
    }
}

bool wa_basic_digest(const unsigned char *salt, size_t salt_len, wa_span credentials,
                     unsigned char out[WA_BASIC_DIGEST_LEN])
{
    unsigned int len = 0;

    return HMAC(EVP_sha256(), salt, (int)salt_len, credentials.p, credentials.n, out, &len)
               != NULL
           && len == WA_BASIC_DIGEST_LEN;
}

wa_engine *wa_basic_begin(const wa_trust *trust, apr_pool_t *exchange_pool)
{
    basic_exchange *x = apr_pcalloc(exchange_pool, sizeof(*x));

    x->base.step = step;
    x->base.pool = exchange_pool;
    x->trust = trust;
    return &x->base;
}
