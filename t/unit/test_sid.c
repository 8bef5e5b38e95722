/* SIDs: text and bytes, their order, and sets of them. */
#include "core/sid.h"

#include "sample.h"
#include "tap.h"

static wa_sid sid_of(const char *text)
{
    wa_sid sid;

    if (!wa_sid_parse(text, &sid)) {
        sample_die("not a SID:", text);
    }
    return sid;
}

static void text_table(void)
{
    /* clang-format off */
    static const struct {
        const char *text, *form; /* form NULL: refused */
    } rows[] = {
        { "S-1-5-32-544", "S-1-5-32-544" },
        { "s-1-5-32-544", "S-1-5-32-544" },
        { "S-1-0-0", "S-1-0-0" },
        { "S-1-18-1", "S-1-18-1" },
        { "S-1-5-21-1111111111-2222222222-3333333333-1103",
          "S-1-5-21-1111111111-2222222222-3333333333-1103" },
        { "S-1-5-4294967295", "S-1-5-4294967295" },
        { "S-1-4294967295-1", "S-1-4294967295-1" },
        { "S-1-0x000100000000-1", "S-1-0x000100000000-1" },
        { "S-1-0xffffFFFFffff-1", "S-1-0xffffffffffff-1" },
        { "S-1-0x5-32-544", "S-1-5-32-544" },
        { "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15", "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15" },
        { "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", NULL },
        { "", NULL },              { "S", NULL },            { "S-", NULL },
        { "S-1", NULL },           { "S-1-", NULL },         { "S-1-5", NULL },
        { "S-1-5-", NULL },        { "S-2-5-32", NULL },     { "S-1--5-32", NULL },
        { "S-1-5--32", NULL },     { "S-1-5-32-", NULL },    { "S-1-5-32 ", NULL },
        { " S-1-5-32", NULL },     { "S-1-5-32-x", NULL },   { "S-1-5-+32", NULL },
        { "S-1-5--1", NULL },      { "S-1-5-032", NULL },    { "S-1-05-32", NULL },
        { "S-1-5-0x20", NULL },    { "S-1-0x-32", NULL },    { "S-1-5-4294967296", NULL },
        { "S-1-4294967296-1", NULL }, { "S-1-0x1000000000000-1", NULL },
        { "S-1-5-99999999999999999999999999", NULL },
        { "S-1-0xfffffffffffffffffffffffff-1", NULL },
        { "X-1-5-32", NULL },      { "S-1-5-32,S-1-5-33", NULL },
    };
    /* clang-format on */
    char text[WA_SID_TEXT_MAX];
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_copy(rows[i].text, strlen(rows[i].text) + 1);
        wa_sid sid;
        bool good = wa_sid_parse((const char *)sam.s.p, &sid);
        if (rows[i].form == NULL) {
            ok(!good, "no SID: '%s'", rows[i].text);
        }
        else if (ok(good, "a SID: %s", rows[i].text)) {
            wa_sid_format(&sid, text);
            is_str(text, rows[i].form, "its text");
        }
        sample_free(&sam);
    }
}

static void longest(void)
{
    wa_sid sid = { ((uint64_t)1 << 48) - 1, WA_SID_SUBAUTHS_MAX, { 0 } };
    char text[WA_SID_TEXT_MAX];
    wa_sid again;
    unsigned i;

    for (i = 0; i < sid.count; i++) {
        sid.subs[i] = UINT32_MAX;
    }
    wa_sid_format(&sid, text);
    is_int(strlen(text), 18 + 15 * 11, "the longest text");
    ok(wa_sid_parse(text, &again) && wa_sid_compare(&sid, &again) == 0, "is read again");
    ok(!wa_sid_append(&sid, 1) && sid.count == WA_SID_SUBAUTHS_MAX, "there is no room behind it");
}

static void bytes(void)
{
    static const unsigned char admins[] = { 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0 };
    char text[WA_SID_TEXT_MAX];
    wa_reader r;
    wa_sid sid;
    size_t n, good = 0;

    for (n = 0; n <= sizeof(admins); n++) {
        sample cut = sample_copy(admins, n);
        wa_reader_init(&r, cut.s);
        wa_sid_read(&r, &sid);
        good += !r.bad;
        sample_free(&cut);
    }
    wa_sid_format(&sid, text);
    is_str(text, "S-1-5-32-544", "from bytes");
    is_int(good, 1, "from all of them only");
    {
        sample bad = sample_copy(admins, sizeof(admins));
        bad.block[0] = 2;
        wa_reader_init(&r, bad.s);
        wa_sid_read(&r, &sid);
        ok(r.bad && sid.count == 0, "of another revision");
        sample_free(&bad);
    }
    {
        unsigned char many[8 + 4 * 16] = { 1, 16 };
        sample bad = sample_copy(many, sizeof(many));
        wa_reader_init(&r, bad.s);
        wa_sid_read(&r, &sid);
        ok(r.bad && sid.count == 0, "with more sub-authorities than a SID has");
        sample_free(&bad);
    }
}

static void order(void)
{
    static const char *const ascending[] = { "S-1-1-0",         "S-1-5-2",         "S-1-5-11",
                                             "S-1-5-32-544",    "S-1-5-32-545",    "S-1-5-64-10",
                                             "S-1-5-21-1-2-3-4", "S-1-5-21-1-2-3-5", "S-1-5-21-1-2-4-1",
                                             "S-1-5-21-2-2-3-4", "S-1-18-1" };
    const size_t count = sizeof(ascending) / sizeof(ascending[0]);
    int wrong = 0;
    size_t i, k;

    for (i = 0; i < count; i++) {
        for (k = 0; k < count; k++) {
            wa_sid a = sid_of(ascending[i]);
            wa_sid b = sid_of(ascending[k]);
            int c = wa_sid_compare(&a, &b);
            wrong += i < k ? c >= 0 : i > k ? c <= 0 : c != 0;
        }
    }
    is_int(wrong, 0, "a total order");
}

enum { DOMAINS = 7, RIDS = 150 };

static int ascending(const void *a, const void *b)
{
    return wa_sid_compare(a, b);
}

static void sets(void)
{
    static wa_sid sids[DOMAINS * RIDS];
    static wa_sidset_domain domains[3];
    static uint32_t rids[DOMAINS * RIDS];
    size_t i, n = 0;
    int wrong = 0;
    wa_sidset set;
    wa_sid sid;

    for (i = 0; i < DOMAINS * RIDS; i++) { /* RIDs that are even, in seven domains of three lengths */
        sid = sid_of(i % 3 == 0 ? "S-1-5-21-1-999-3" : i % 3 == 1 ? "S-1-5-21-1-2" : "S-1-5-32");
        sid.subs[sid.count - 1] = (uint32_t)(i % DOMAINS);
        (void)wa_sid_append(&sid, (uint32_t)(2 * (i / DOMAINS)));
        sids[n++] = sid;
    }
    qsort(sids, n, sizeof(sids[0]), ascending);
    for (i = 1; i < n; i++) {
        wrong += wa_sid_compare(&sids[i - 1], &sids[i]) >= 0;
    }
    is_int(wrong, 0, "the sample is ascending, none of it twice");
    {
        size_t found = wa_sidset_domains(sids, n);
        wa_sidset_domain *d = calloc(found, sizeof(*d));
        if (d == NULL) {
            sample_die("out of memory", "");
            return;
        }
        wa_sidset_fill(sids, n, d, rids, &set);
        is_int(set.domain_count, found, "each domain once");
        is_int(set.count, n, "all SIDs");
        for (i = 0; i < n; i++) {
            wa_sid at, odd = sids[i];
            wrong += !wa_sidset_at(&set, i, &at) || wa_sid_compare(&at, &sids[i]) != 0;
            wrong += !wa_sidset_has(&set, &sids[i]);
            odd.subs[odd.count - 1]++; /* no odd RID is in it */
            wrong += wa_sidset_has(&set, &odd);
            odd = sids[i];
            odd.authority++;
            wrong += wa_sidset_has(&set, &odd);
            odd = sids[i];
            odd.count--;
            wrong += wa_sidset_has(&set, &odd);
            odd = sids[i];
            odd.subs[odd.count - 2] += 100;
            wrong += wa_sidset_has(&set, &odd);
            odd = sids[i];
            (void)wa_sid_append(&odd, 0);
            wrong += wa_sidset_has(&set, &odd);
        }
        is_int(wrong, 0, "each is found, by number and by value, and no neighbour of it is");
        ok(!wa_sidset_at(&set, n, &sid) && !wa_sidset_at(&set, SIZE_MAX, &sid), "none behind the last");
        free(d);
    }
    is_int(wa_sidset_domains(sids, 0), 0, "no SIDs are of no domain");
    wa_sidset_fill(sids, 0, domains, rids, &set);
    sid = sid_of("S-1-5-32-544");
    ok(!wa_sidset_has(&set, &sid) && !wa_sidset_at(&set, 0, &sid), "nothing is in an empty set");
    ok(!wa_sidset_has(NULL, &sid) && !wa_sidset_at(NULL, 0, &sid), "nor in none");
    memset(&sid, 0, sizeof(sid));
    wa_sidset_fill(sids, 3, domains, rids, &set);
    ok(!wa_sidset_has(&set, &sid), "a SID of nothing is in no set");
}

int main(void)
{
    text_table();
    longest();
    bytes();
    order();
    sets();
    return done_testing();
}
