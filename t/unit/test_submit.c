/* What a server's own settings add to what its authority has found right: a domain of which nobody knows but itself
 * does not take the name that WinAuthDomain gives to a realm. */
#include "engine/submit.h"

#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

/* An authority that finds everything right, and says whose the account is. */
typedef struct obliging {
    wa_authority base;
    const char *domain;
    bool self_named;
} obliging;

static void say(const obliging *o, wa_ruling *out)
{
    out->account.name = "alice";
    out->account.domain = o->domain;
    out->account.self_named = o->self_named;
    wa_ruling_set(out, WA_VERDICT_DONE, WA_REASON_OK, NULL);
}

static void judge(wa_authority *authority, const wa_logon *logon, apr_pool_t *pool, wa_ruling *out)
{
    (void)logon;
    (void)pool;
    say((const obliging *)authority, out);
}

static void password(wa_authority *authority, const char *user, const char *domain, const char *word, apr_pool_t *pool,
                     wa_ruling *out)
{
    (void)user;
    (void)domain;
    (void)word;
    (void)pool;
    say((const obliging *)authority, out);
}

static void check(const char *domain, bool self_named, wa_verdict verdict, wa_reason reason, apr_pool_t *pool)
{
    obliging o;
    wa_engine engine;
    wa_trust trust;
    wa_ruling ruling;
    wa_logon logon = { NULL, NULL, "alice", "", "" };
    apr_table_t *realms = apr_table_make(pool, 2);

    memset(&o, 0, sizeof(o));
    memset(&engine, 0, sizeof(engine));
    memset(&trust, 0, sizeof(trust));
    apr_table_setn(realms, "EXAMPLE.COM", "EXAMPLE");
    apr_table_setn(realms, "OTHER.TEST", "OTHER");
    o.base.judge = judge;
    o.base.password = password;
    o.domain = domain;
    o.self_named = self_named;
    trust.authority = &o.base;
    trust.realms = realms;
    memset(&ruling, 0, sizeof(ruling));
    wa_submit_response(&engine, &trust, &logon, pool, &ruling);
    is_int(ruling.verdict, verdict, "%s, %s: a response", domain, self_named ? "by its own word" : "known");
    is_int(ruling.reason, reason, "and the reason");
    memset(&ruling, 0, sizeof(ruling));
    wa_submit_password(&engine, &trust, "alice", "", "word", pool, &ruling);
    is_int(ruling.verdict, verdict, "%s, %s: a password", domain, self_named ? "by its own word" : "known");
    is_int(ruling.reason, reason, "and the reason");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    check("OTHER", true, WA_VERDICT_FAILED, WA_REASON_UNKNOWN_USER, pool);
    check("other", true, WA_VERDICT_FAILED, WA_REASON_UNKNOWN_USER, pool);
    check("EXAMPLE", true, WA_VERDICT_FAILED, WA_REASON_UNKNOWN_USER, pool);
    check("CHILD", true, WA_VERDICT_DONE, WA_REASON_OK, pool);
    check("OTHER", false, WA_VERDICT_DONE, WA_REASON_OK, pool);
    check("EXAMPLE", false, WA_VERDICT_DONE, WA_REASON_OK, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
