#include "engine/submit.h"

#include "core/utf.h"

#include <apr_strings.h>
#include <string.h>

/* What stands before a name in its key: names are different people at different authorities. */
static wa_span at_authority(const wa_trust *trust, wa_span name, apr_pool_t *pool)
{
    const char *spec = trust->authority != NULL ? trust->authority->spec : "kdc";
    size_t n = strlen(spec) + 1;
    unsigned char *text = apr_palloc(pool, n + name.n);

    memcpy(text, spec, n);
    memcpy(text + n, name.p, name.n);
    return wa_span_of(text, n + name.n);
}

/* The name alone, as far as it can be told from what was typed: without the domain on either side
 * of it, in upper case, without blanks.  All spellings of one domain are one to it; namesakes in
 * two domains are, too. */
static wa_span bare_name(const char *user, apr_pool_t *pool)
{
    const char *backslash = strrchr(user, '\\');
    const char *name = backslash != NULL ? backslash + 1 : user;
    size_t n = strcspn(name, "@");
    char *letters = apr_palloc(pool, n + 1);
    unsigned char *utf16 = apr_palloc(pool, 2 * n + 2);
    size_t used = 0;
    wa_writer w;
    size_t i;

    for (i = 0; i < n; i++) {
        if (name[i] != ' ') {
            letters[used++] = name[i];
        }
    }
    wa_writer_init(&w, utf16, 2 * n + 2);
    if (!wa_utf8_to_utf16(wa_span_of(letters, used), &w)) {
        return wa_span_of(letters, used);
    }
    wa_utf16_upcase(utf16, w.n);
    return wa_span_of(utf16, w.n);
}

/* The keys of who is typed.  Also asked is the authority, which knows more spellings than can be
 * thought of here.  Not WA_REASON_OK: it does not answer. */
static wa_reason keys_of(const wa_engine *engine, const wa_trust *trust, const char *user,
                         const char *domain, apr_pool_t *pool, wa_lockout_keys *keys,
                         const char **detail)
{
    const wa_lockout *lockout = trust->lockout;
    wa_authority *authority = trust->authority;
    wa_reason reason = WA_REASON_OK;
    const char *sid = NULL;

    keys->count = 0;
    if (lockout->per_address) {
        if (engine->address != NULL) {
            wa_lockout_add(lockout, 'a', wa_span_of(engine->address, strlen(engine->address)),
                           keys);
        }
        return WA_REASON_OK;
    }
    wa_lockout_add(lockout, 'n', at_authority(trust, bare_name(user, pool), pool), keys);
    if (authority != NULL && authority->whose != NULL) {
        reason = authority->whose(authority, user, domain, pool, &sid, detail);
    }
    if (sid != NULL) {
        wa_lockout_add(lockout, 's', wa_span_of(sid, strlen(sid)), keys);
    }
    return reason;
}

/* Asks until it is yes or no; as long as an answer of the authority's may take. */
static wa_lockout_answer ask(const wa_lockout *lockout, const wa_lockout_keys *keys)
{
    apr_time_t until = apr_time_now() + apr_time_from_sec(lockout->offload->seconds);
    wa_lockout_answer answer = wa_lockout_enter(lockout, keys);

    while (answer == WA_LOCKOUT_WAIT && apr_time_now() < until
           && wa_offload_linger(lockout->offload)) {
        answer = wa_lockout_enter(lockout, keys);
    }
    return answer;
}

static bool enter(const wa_engine *engine, const wa_trust *trust, const char *user,
                  const char *domain, wa_lockout_keys *keys, apr_pool_t *pool, wa_ruling *out)
{
    const char *detail = NULL;
    wa_reason reason;

    keys->count = 0;
    if (trust->lockout == NULL) {
        return true;
    }
    reason = keys_of(engine, trust, user, domain, pool, keys, &detail);
    if (reason != WA_REASON_OK) {
        wa_ruling_set(out, WA_VERDICT_UNAVAILABLE, reason, detail);
        return false;
    }
    switch (ask(trust->lockout, keys)) {
    case WA_LOCKOUT_GO:
        return true;
    case WA_LOCKOUT_WAIT:
        wa_ruling_set(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_BUSY,
                      "as many logins of this account are under way as may be refused "
                      "(WinAuthLockout)");
        return false;
    case WA_LOCKOUT_LOCKED:
        break;
    }
    wa_ruling_set(out, WA_VERDICT_FAILED, WA_REASON_LOCKED_OUT, NULL);
    return false;
}

bool wa_submit_begin(const wa_engine *engine, const wa_trust *trust, const char *user,
                     wa_lockout_keys *keys, apr_pool_t *pool, wa_ruling *out)
{
    return enter(engine, trust, user, "", keys, pool, out);
}

/* An account that is not there cannot be locked out; whoever asks for many of those is guessing
 * all the same. */
static wa_lockout_result result_of(const wa_lockout *lockout, wa_verdict verdict,
                                   wa_reason reason)
{
    if (verdict == WA_VERDICT_DONE) {
        return WA_LOCKOUT_RIGHT;
    }
    if (verdict == WA_VERDICT_FAILED
        && (reason == WA_REASON_BAD_PASSWORD
            || (reason == WA_REASON_UNKNOWN_USER && lockout->per_address))) {
        return WA_LOCKOUT_REFUSED;
    }
    return WA_LOCKOUT_UNJUDGED;
}

void wa_submit_end(const wa_trust *trust, const wa_lockout_keys *keys, wa_verdict verdict,
                   wa_reason reason)
{
    if (trust->lockout != NULL) {
        wa_lockout_leave(trust->lockout, keys, result_of(trust->lockout, verdict, reason));
    }
}

static void end(const wa_trust *trust, const wa_lockout_keys *keys, const wa_ruling *ruling)
{
    if (ruling->late && trust->lockout != NULL) { /* it may still be refused */
        wa_lockout_leave(trust->lockout, keys, WA_LOCKOUT_UNKNOWN);
    }
    else {
        wa_submit_end(trust, keys, ruling->verdict, ruling->reason);
    }
}

/* The authority is one for all servers, and knows nothing of what they call realms. */
static void refuse_taken_name(const wa_trust *trust, wa_ruling *out)
{
    if (out->verdict == WA_VERDICT_DONE && out->account.self_named
        && wa_trust_calls(trust, out->account.domain)) {
        wa_ruling_set(out, WA_VERDICT_FAILED, WA_REASON_UNKNOWN_USER,
                      "its domain calls itself by a name that WinAuthDomain gives to a realm");
    }
}

void wa_submit_response(const wa_engine *engine, const wa_trust *trust, const wa_logon *logon,
                        apr_pool_t *pool, wa_ruling *out)
{
    wa_lockout_keys keys;

    if (enter(engine, trust, logon->user, logon->domain, &keys, pool, out)) {
        trust->authority->judge(trust->authority, logon, pool, out);
        end(trust, &keys, out);
        refuse_taken_name(trust, out);
    }
}

void wa_submit_password(const wa_engine *engine, const wa_trust *trust, const char *user,
                        const char *domain, const char *password, apr_pool_t *pool,
                        wa_ruling *out)
{
    wa_lockout_keys keys;

    if (enter(engine, trust, user, domain, &keys, pool, out)) {
        trust->authority->password(trust->authority, user, domain, password, pool, out);
        end(trust, &keys, out);
        refuse_taken_name(trust, out);
    }
}
