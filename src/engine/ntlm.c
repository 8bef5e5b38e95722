/* The NTLMSSP acceptor for raw messages: scheme NTLM, and raw NTLMSSP under Negotiate.
 *
 * Leg one makes a challenge and keeps both messages verbatim; leg two judges the shape of the
 * answer, has an authority judge the response, and checks the MIC over the three messages as they
 * were. Source: [MS-NLMP] 3.2.5. */
#include "engine/engine.h"

#include "engine/ntlmhash.h"
#include "engine/submit.h"

#include <apr_strings.h>
#include <openssl/rand.h>
#include <string.h>

typedef struct ntlm_exchange {
    wa_engine base;
    const wa_trust *trust;
    wa_span negotiate; /* message 1, exactly; empty before leg one */
    wa_span challenge; /* message 2, exactly */
    unsigned char nonce[WA_NTLM_CHALLENGE_LEN];
    unsigned legs;
} ntlm_exchange;

static wa_span keep(apr_pool_t *pool, wa_span s)
{
    return s.n > 0 ? wa_span_of(apr_pmemdup(pool, s.p, s.n), s.n) : s;
}

/* 100 ns units since 1601 */
static uint64_t filetime_now(void)
{
    return ((uint64_t)(apr_time_now() / APR_USEC_PER_SEC) + 11644473600u) * 10000000u;
}

static void first_leg(ntlm_exchange *x, wa_span token, apr_pool_t *pool, wa_step *out)
{
    wa_authority *authority = x->trust->authority;
    unsigned char buf[WA_NTLM_MESSAGE_MAX];
    wa_ntlm_negotiate negotiate;
    wa_ntlm_target target;
    const char *detail = NULL;
    wa_reason reason;
    wa_writer w;

    if (!wa_ntlm_parse_negotiate(token, &negotiate)) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_TOKEN, "malformed NTLM NEGOTIATE");
        return;
    }
    memset(&target, 0, sizeof(target));
    reason = authority->target(authority, pool, &target, &detail);
    if (reason != WA_REASON_OK) {
        wa_step_fail(out, WA_VERDICT_UNAVAILABLE, reason, detail);
        return;
    }
    wa_writer_init(&w, buf, sizeof(buf));
    if (RAND_bytes(x->nonce, sizeof(x->nonce)) != 1
        || !wa_ntlm_build_challenge(&negotiate, &target, x->nonce, filetime_now(), &w)) {
        wa_step_fail(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_DOWN,
                     "no NTLM CHALLENGE could be made: no randomness, or a name is not UTF-8");
        return;
    }
    x->negotiate = keep(x->base.pool, token);
    x->challenge = keep(x->base.pool, wa_span_of(w.p, w.n));
    out->verdict = WA_VERDICT_CONTINUE;
    out->reason = WA_REASON_HANDSHAKE;
    out->token = x->challenge;
}

static const char *typed_name(const wa_logon *logon, const char *detail, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s%s%s%s%s", logon->domain, *logon->domain ? "\\" : "",
                        logon->user, detail != NULL ? ": " : "", detail != NULL ? detail : "");
}

static void succeed(ntlm_exchange *x, const wa_ntlm_authenticate *message,
                    const wa_ruling *ruling, wa_step *out)
{
    wa_identity *identity = apr_pcalloc(x->base.pool, sizeof(*identity));

    identity->account = ruling->account;
    identity->package = WA_PACKAGE_NTLM;
    identity->proved = apr_time_now();
    wa_binding_read_ntlm(message, x->base.binding, x->base.pool, &identity->evidence);
    out->verdict = WA_VERDICT_DONE;
    out->reason = WA_REASON_OK;
    out->identity = identity;
}

/* Whether a client that does what was not offered makes its MIC with that key, nobody knows. */
static bool is_uninvited(const ntlm_exchange *x, const wa_ntlm_authenticate *message)
{
    uint32_t offered;
    wa_span ignored;

    return (message->flags & WA_NTLM_KEY_EXCH) != 0 && message->has_mic
           && (!wa_ntlm_parse_challenge(x->challenge, &ignored, &offered)
               || (offered & WA_NTLM_KEY_EXCH) == 0);
}

static bool mic_is_right(const ntlm_exchange *x, const wa_ntlm_authenticate *message,
                         const wa_ruling *ruling, wa_span token, apr_pool_t *pool)
{
    unsigned char key[WA_NTLM_HASH_LEN];
    bool right;

    wa_ntlmhash_exported_key(message, ruling->session_key, key);
    right = wa_ntlmhash_mic(key, x->negotiate, x->challenge, token, pool);
    wa_secret_wipe(key, sizeof(key));
    return right;
}

static void last_leg(ntlm_exchange *x, wa_span token, apr_pool_t *pool, wa_step *out)
{
    wa_ntlm_authenticate message;
    wa_ruling ruling;
    wa_logon logon;
    wa_reason reason = wa_ntlm_parse_authenticate(token, &message);

    if (reason != WA_REASON_OK) {
        wa_step_fail(out, WA_VERDICT_FAILED, reason, "NTLM AUTHENTICATE refused by its shape");
        return;
    }
    if (is_uninvited(x, &message)) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_TOKEN, "key exchange was not offered");
        return;
    }
    if (!wa_logon_read(&message, x->nonce, pool, &logon)) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_TOKEN, "a name is not well-formed");
        return;
    }
    memset(&ruling, 0, sizeof(ruling));
    wa_submit_response(&x->base, x->trust, &logon, x->base.pool, &ruling);
    if (ruling.verdict != WA_VERDICT_DONE) {
        wa_step_fail(out, ruling.verdict, ruling.reason, typed_name(&logon, ruling.detail, pool));
    }
    else if (message.has_mic && !mic_is_right(x, &message, &ruling, token, pool)) {
        wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_BAD_MIC, typed_name(&logon, NULL, pool));
    }
    else {
        succeed(x, &message, &ruling, out);
    }
    wa_secret_wipe(ruling.session_key, sizeof(ruling.session_key));
}

static void step(wa_engine *engine, wa_span token, apr_pool_t *request_pool, wa_step *out)
{
    ntlm_exchange *x = (ntlm_exchange *)engine;

    wa_step_fail(out, WA_VERDICT_FAILED, WA_REASON_OUT_OF_SEQUENCE, NULL);
    switch (x->legs++) {
    case 0:
        first_leg(x, token, request_pool, out);
        break;
    case 1:
        last_leg(x, token, request_pool, out);
        break;
    default:
        break; /* a challenge is good for one answer */
    }
}

wa_engine *wa_ntlm_begin(const wa_trust *trust, apr_pool_t *exchange_pool)
{
    ntlm_exchange *x = apr_pcalloc(exchange_pool, sizeof(*x));

    x->base.step = step;
    x->base.pool = exchange_pool;
    x->trust = trust;
    return &x->base;
}
