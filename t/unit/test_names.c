/* Names that were looked up: what is remembered, how often is asked, what holds while nobody answers. */
#include "engine/authority.h"

#include "sample.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

/* An authority that says what it is told to say, and counts. */
static struct {
    wa_lookup says;
    uint32_t rid;
    int asked;
    size_t sids; /* it was asked for the names of */
    const char *domain;
    const char *name;
} script;

static wa_lookup group(wa_authority *authority, const char *domain, const char *name, apr_pool_t *pool, wa_sid *out,
                       const char **detail)
{
    (void)authority;
    script.asked++;
    script.domain = apr_pstrdup(pool, domain);
    script.name = apr_pstrdup(pool, name);
    if (script.says == WA_LOOKUP_FOUND) {
        wa_sid sid = { 5, 2, { 32, script.rid } };
        *out = sid;
    }
    else {
        *detail = "because";
    }
    return script.says;
}

/* Odd RIDs have no name. */
static bool group_names(wa_authority *authority, const wa_sid *sids, size_t n, apr_pool_t *pool, const char **names_out,
                        const char **detail)
{
    size_t i;

    (void)authority;
    (void)detail;
    script.asked++;
    script.sids += n;
    for (i = 0; script.says == WA_LOOKUP_FOUND && i < n; i++) {
        uint32_t rid = sids[i].subs[sids[i].count - 1];
        names_out[i] = rid % 2 == 0 ? apr_psprintf(pool, "D\\g%lu", (unsigned long)rid) : NULL;
    }
    return script.says != WA_LOOKUP_UNAVAILABLE;
}

static void says(wa_lookup found, uint32_t rid)
{
    script.says = found;
    script.rid = rid;
    script.asked = 0;
    script.sids = 0;
}

static void names_to_sids(wa_authority *a, apr_pool_t *pool)
{
    const char *detail;
    wa_sid sid;

    says(WA_LOOKUP_FOUND, 544);
    ok(wa_names_sid(a, wa_names_key("D\\Staff", pool), pool, &sid, &detail) == WA_LOOKUP_FOUND && sid.subs[1] == 544, "found");
    is_str(script.domain, "d", "asked for in that domain");
    is_str(script.name, "staff", "by that name");
    ok(wa_names_sid(a, wa_names_key("d\\STAFF", pool), pool, &sid, &detail) == WA_LOOKUP_FOUND && sid.subs[1] == 544, "found again, in other letters");
    is_int(script.asked, 1, "and asked for once");
    ok(wa_names_sid(a, "staff", pool, &sid, &detail) == WA_LOOKUP_FOUND, "without a domain it is another name");
    is_str(script.domain, "", "asked for in no domain");
    is_int(script.asked, 2, "which is asked for, too");

    says(WA_LOOKUP_UNKNOWN, 0);
    ok(wa_names_sid(a, "nobody", pool, &sid, &detail) == WA_LOOKUP_UNKNOWN && sid.count == 0, "unknown");
    is_str(detail, "because", "and why");
    ok(wa_names_sid(a, "nobody", pool, &sid, &detail) == WA_LOOKUP_UNKNOWN && detail == NULL, "unknown again, without a word");
    is_int(script.asked, 1, "asked for once");

    says(WA_LOOKUP_UNAVAILABLE, 0);
    ok(wa_names_sid(a, "later", pool, &sid, &detail) == WA_LOOKUP_UNAVAILABLE && detail != NULL, "nobody says");
    ok(wa_names_sid(a, "later", pool, &sid, &detail) == WA_LOOKUP_UNAVAILABLE && detail == NULL, "nobody is asked at once again");
    is_int(script.asked, 1, "asked for once");
    ok(wa_names_sid(a, wa_names_key("D\\Staff", pool), pool, &sid, &detail) == WA_LOOKUP_FOUND && sid.subs[1] == 544, "what was found still holds");
}

static void sids_to_names(wa_authority *a, apr_pool_t *pool)
{
    wa_sidset_domain domain = { { 5, 1, { 21 } }, 0, 4 };
    static const uint32_t rids[] = { 10, 11, 12, 14 };
    wa_sidset set = { &domain, rids, 1, 4 };
    const char *names[4];

    says(WA_LOOKUP_FOUND, 0);
    wa_names_list(a, &set, pool, names);
    is_str(names[0], "D\\g10", "a name");
    is_str(names[1], NULL, "none");
    is_str(names[3], "D\\g14", "another");
    is_int(script.sids, 4, "four were asked for");
    wa_names_list(a, &set, pool, names);
    is_str(names[2], "D\\g12", "the same again");
    ok(names[1] == NULL && script.asked == 1, "nobody was asked, not about the one without name either");
    domain.count = set.count = 2;
    domain.prefix.subs[0] = 22;
    says(WA_LOOKUP_UNAVAILABLE, 0);
    wa_names_list(a, &set, pool, names);
    ok(names[0] == NULL && names[1] == NULL && script.asked == 1, "nobody answers: no names");
    wa_names_list(a, &set, pool, names);
    is_int(script.asked, 1, "and nobody is asked at once again");
}

static void nobody_to_ask(apr_pool_t *pool)
{
    wa_sidset_domain domain = { { 5, 1, { 21 } }, 0, 1 };
    static const uint32_t rids[] = { 10 };
    wa_sidset set = { &domain, rids, 1, 1 };
    wa_authority file;
    const char *names[1] = { "junk" };
    const char *detail;
    wa_sid sid;

    memset(&file, 0, sizeof(file));
    ok(wa_names_sid(NULL, "staff", pool, &sid, &detail) == WA_LOOKUP_UNAVAILABLE && detail != NULL, "no authority");
    ok(wa_names_sid(&file, "staff", pool, &sid, &detail) == WA_LOOKUP_UNAVAILABLE && detail != NULL, "one that knows no groups");
    wa_names_list(NULL, &set, pool, names);
    is_str(names[0], NULL, "nor has it names");
}

/* More names than are kept: all is forgotten, and asked for anew. */
static void flood(wa_authority *a, apr_pool_t *pool)
{
    const char *detail;
    apr_pool_t *scratch;
    wa_sid sid;
    int i, wrong = 0;

    apr_pool_create(&scratch, pool);
    says(WA_LOOKUP_FOUND, 7);
    for (i = 0; i < 60000; i++) {
        apr_pool_clear(scratch);
        wrong += wa_names_sid(a, apr_psprintf(scratch, "flood-%d", i), scratch, &sid, &detail) != WA_LOOKUP_FOUND
                 || sid.subs[1] != 7;
    }
    is_int(wrong, 0, "sixty thousand names");
    is_int(script.asked, 60000, "each asked for");
    ok(wa_names_sid(a, "flood-0", pool, &sid, &detail) == WA_LOOKUP_FOUND, "the first once more");
    is_int(script.asked, 60001, "was forgotten");
    ok(wa_names_sid(a, "flood-59999", pool, &sid, &detail) == WA_LOOKUP_FOUND, "the last once more");
    is_int(script.asked, 60001, "was not");
}

int main(void)
{
    wa_authority authority;
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        sample_die("no APR", "");
    }
    memset(&authority, 0, sizeof(authority));
    authority.group = group;
    authority.group_names = group_names;
    authority.names = wa_names_make(pool);
    ok(authority.names != NULL, "a memory");
    names_to_sids(&authority, pool);
    sids_to_names(&authority, pool);
    nobody_to_ask(pool);
    flood(&authority, pool);
    apr_terminate();
    return done_testing();
}
