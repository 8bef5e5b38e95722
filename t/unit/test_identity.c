/* What makes an identity: the set of SIDs, the UPN that is believed, a copy that stands alone. */
#include "engine/identity.h"

#include "sample.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

static wa_sid sid_of(const char *text)
{
    wa_sid sid;

    if (!wa_sid_parse(text, &sid)) {
        sample_die("not a SID:", text);
    }
    return sid;
}

/* The set in text, in its order. */
static const char *shown(const wa_sidset *set)
{
    static char text[2000];
    char one[WA_SID_TEXT_MAX];
    size_t i;
    wa_sid sid;

    text[0] = '\0';
    for (i = 0; wa_sidset_at(set, i, &sid); i++) {
        size_t n = strlen(text);
        wa_sid_format(&sid, one);
        (void)snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? " " : "", one);
    }
    return text;
}

static void sids(apr_pool_t *pool)
{
    static const char *const given[] = { "S-1-18-1",         "S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1103",
                                         "S-1-5-21-1-2-3-513", "S-1-5-32-544",       "S-1-5-21-9-9-9-513",
                                         "S-1-5-21-1-2-3-513", "S-1-18-1" };
    enum { COUNT = sizeof(given) / sizeof(given[0]) };
    wa_sid list[COUNT + 1];
    wa_account account;
    size_t i;

    memset(&account, 0, sizeof(account));
    memset(list, 0, sizeof(list));
    for (i = 0; i < COUNT; i++) {
        list[i] = sid_of(given[i]);
    }
    wa_identity_set_sids(&account, list, COUNT + 1, pool); /* the last of them is none */
    is_str(shown(account.sids),
           "S-1-5-32-544 S-1-5-21-1-2-3-513 S-1-5-21-1-2-3-1103 S-1-5-21-9-9-9-513 S-1-18-1",
           "sorted, each once, none that is none");
    memset(&account, 0, sizeof(account));
    wa_identity_set_sids(&account, list, 0, pool);
    ok(account.sids != NULL && account.sids->count == 0, "known to be in no group");
}

/* What a login with ten thousand SIDs of one domain costs for as long as it lasts. */
static void size(void)
{
    enum { MANY = 10000 };
    wa_sid *list = calloc(MANY, sizeof(*list));
    wa_account account;
    apr_pool_t *pool;
    size_t i, wrong = 0;

    if (list == NULL) {
        sample_die("out of memory", "");
        return;
    }
    memset(&account, 0, sizeof(account));
    apr_pool_create(&pool, NULL);
    for (i = 0; i < MANY; i++) {
        list[i] = sid_of("S-1-5-21-1-2-3");
        (void)wa_sid_append(&list[i], (uint32_t)(2 * (MANY - i)));
    }
    wa_identity_set_sids(&account, list, MANY, pool);
    is_int(account.sids->domain_count, 1, "one domain");
    is_int(account.sids->count, MANY, "and ten thousand numbers in it");
    for (i = 0; i < MANY; i++) {
        wa_sid odd = list[i];
        odd.subs[odd.count - 1]++;
        wrong += !wa_sidset_has(account.sids, &list[i]) || wa_sidset_has(account.sids, &odd);
    }
    is_int(wrong, 0, "each is found, none between them");
    free(list);
    apr_pool_destroy(pool);
}

static const char *upn(const char *name, bool home, const char *given, const char *dns, apr_pool_t *pool)
{
    wa_account account;

    memset(&account, 0, sizeof(account));
    account.name = name;
    account.home = home;
    wa_identity_set_upn(&account, given, dns, pool);
    return account.upn;
}

static void upns(apr_pool_t *pool)
{
    is_str(upn("alice", true, "a.smith@example.com", "AD.TEST", pool), "a.smith@example.com", "our own domain's word");
    is_str(upn("alice", true, "a.smith@example.com", NULL, pool), "a.smith@example.com", "also without its name");
    is_str(upn("alice", true, NULL, "AD.TEST", pool), "alice@ad.test", "none: the one that everybody has");
    is_str(upn("alice", true, "", "AD.TEST", pool), "alice@ad.test", "an empty one");
    is_str(upn("alice", true, "alice", "AD.TEST", pool), "alice@ad.test", "one that is none");
    is_str(upn("alice", true, "x@y@z", "AD.TEST", pool), "alice@ad.test", "one that could be read in two ways");
    is_str(upn("alice", true, NULL, NULL, pool), NULL, "nothing known");
    is_str(upn("alice", true, NULL, "", pool), NULL, "nor by an empty name");
    is_str(upn("host/web", true, NULL, "AD.TEST", pool), NULL, "a service is no account");
    is_str(upn("alice", false, "alice@other.test", "OTHER.TEST", pool), "alice@other.test", "another domain, about itself");
    is_str(upn("alice", false, "administrator@ad.test", "OTHER.TEST", pool), "alice@other.test",
           "another domain, by a name of ours");
    is_str(upn("alice", false, "administrator@ad.test", NULL, pool), NULL, "and when nobody knows which it is");
    is_str(upn("alice", false, "a@sub.other.test", "OTHER.TEST", pool), "alice@other.test", "a longer name is another");
}

static void copies(apr_pool_t *pool)
{
    wa_sid list[] = { sid_of("S-1-5-21-1-2-3-1103"), sid_of("S-1-5-32-544") };
    wa_identity identity, *copy;
    apr_pool_t *first;

    memset(&identity, 0, sizeof(identity));
    apr_pool_create(&first, NULL);
    identity.account.name = apr_pstrdup(first, "alice");
    identity.account.sid = apr_pstrdup(first, "S-1-5-21-1-2-3-1103");
    wa_identity_set_upn(&identity.account, NULL, "ad.test", first);
    wa_identity_set_sids(&identity.account, list, 2, first);
    copy = wa_identity_copy(&identity, pool);
    apr_pool_destroy(first); /* the address sanitizer sees whoever still looks there */
    is_str(copy->account.name, "alice", "copy: name");
    is_str(copy->account.upn, "alice@ad.test", "copy: UPN");
    is_str(copy->account.sid, "S-1-5-21-1-2-3-1103", "copy: SID");
    is_str(shown(copy->account.sids), "S-1-5-32-544 S-1-5-21-1-2-3-1103", "copy: all SIDs");
    memset(&identity, 0, sizeof(identity));
    identity.account.name = "bob";
    copy = wa_identity_copy(&identity, pool);
    ok(copy->account.upn == NULL && copy->account.sid == NULL && copy->account.sids == NULL, "copy: nothing stays nothing");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        sample_die("no APR", "");
    }
    sids(pool);
    size();
    upns(pool);
    copies(pool);
    apr_terminate();
    return done_testing();
}
