/* Whose account it is: our own SIDs, another domain's, and controllers that call themselves by names of others. */
#include "core/domain.h"

#include "sample.h"
#include "tap.h"

static wa_sid sid_of(const char *text)
{
    wa_sid sid;

    memset(&sid, 0, sizeof(sid));
    if (text != NULL && !wa_sid_parse(text, &sid)) {
        sample_die("not a SID:", text);
    }
    return sid;
}

#define OWN "S-1-5-21-1-2-3"
#define OTHER "S-1-5-21-7-8-9"
#define THIRD "S-1-5-21-4-5-6"
#define MACHINE "S-1-5-21-11-12-13"

/* What winbindd may have listed. */
enum { LISTS = 0, NO_LIST = 1, HEARSAY = 2, LIE = 4 };

typedef struct question {
    const char *what;
    const char *account;
    const char *claimed;
    const char *claimed_dns;
    const char *told;
    const char *vouched; /* whose names our controllers say these are: "n" the claimed one its own, "d" the DNS
                            name, "N" a third one's */
    int list;
    const char *want; /* kind, name and DNS name */
} question;

/* clang-format off */
static const question questions[] = {
    { "our own", OWN "-1103", "ADTEST", "ad.test", NULL, "", LISTS, "home ADTEST ad.test" },
    { "our own, and nothing listed", OWN "-1103", "ADTEST", NULL, NULL, "", NO_LIST, "home ADTEST ad.test" },
    { "our own, by another name: ours is shown", OWN "-1103", "OTHER", "other.test", "OTHER", "d", LISTS, "home ADTEST ad.test" },
    { "our own, in other letters", OWN "-1103", "adtest", "AD.TEST", NULL, "", LISTS, "home ADTEST ad.test" },

    { "another one, listed", OTHER "-1103", "OTHER", "other.test", NULL, "", LISTS, "foreign OTHER other.test" },
    { "another one, listed: the list's spelling", OTHER "-1103", "other", NULL, NULL, "", LISTS, "foreign OTHER other.test" },
    { "another one, told and vouched for", OTHER "-1103", "OTHER", "other.test", "OTHER", "d", NO_LIST, "foreign OTHER other.test" },
    { "another one, told, its DNS name is not", OTHER "-1103", "OTHER", "other.test", "OTHER", "", NO_LIST, "foreign OTHER -" },
    { "another one, told, listed by hearsay", OTHER "-1103", "OTHER", "other.test", "OTHER", "d", HEARSAY, "foreign OTHER other.test" },
    { "another one, by hearsay alone: no DNS name", OTHER "-1103", "OTHER", "other.test", NULL, "", HEARSAY, "foreign OTHER -, by its own word" },
    { "nobody knows it", "S-1-5-21-40-50-60-1103", "CHILD", "child.other.test", NULL, "", LISTS, "foreign CHILD -, by its own word" },
    { "nobody knows anything", OTHER "-1103", "OTHER", "other.test", NULL, "", NO_LIST, "foreign OTHER -, by its own word" },
    { "an account of the machine", MACHINE "-1000", "WEB1", NULL, "WEB1", "", LISTS, "foreign WEB1 -" },
    { "the same, where it is only listed", MACHINE "-1000", "WEB1", NULL, NULL, "", LISTS, "foreign WEB1 -" },

    { "it claims to be ours", OTHER "-1103", "ADTEST", "ad.test", NULL, "", LISTS, "refused" },
    { "it claims to be ours, in other letters", OTHER "-1103", "AdTest", "other.test", NULL, "", LISTS, "refused" },
    { "it claims to be ours, by the DNS name", OTHER "-1103", "ad.test", "other.test", NULL, "", LISTS, "refused" },
    { "it claims to be ours, though its own name is known", OTHER "-1103", "ADTEST", "other.test", "OTHER", "d", LISTS, "refused" },
    { "it claims to be ours, and nothing is known of it", OTHER "-1103", "ADTEST", NULL, NULL, "", NO_LIST, "refused" },
    { "our controllers call it by our name", OTHER "-1103", "OTHER", NULL, "ADTEST", "", NO_LIST, "refused" },
    { "nearly our SID", "S-1-5-21-1-2-33-1103", "ADTEST", "ad.test", NULL, "", LISTS, "refused" },
    { "our SID, longer", OWN "-5-1103", "ADTEST", "ad.test", NULL, "", LISTS, "refused" },
    { "our SID itself", OWN, "ADTEST", "ad.test", NULL, "", LISTS, "refused" },
    { "no SID", NULL, "ADTEST", "ad.test", NULL, "", LISTS, "refused" },
    { "it claims to be a third one", OTHER "-1103", "THIRD", "third.test", NULL, "", LISTS, "refused" },
    { "it claims to be a third one, in other letters", OTHER "-1103", "tHIRD", NULL, NULL, "", LISTS, "refused" },
    { "it claims to be a third one, by the DNS name", OTHER "-1103", "third.test", NULL, NULL, "", LISTS, "refused" },
    { "nobody knows it, and it claims to be a third one", "S-1-5-21-40-50-60-1103", "THIRD", NULL, NULL, "", LISTS, "refused" },
    { "it claims to be this machine", OTHER "-1103", "WEB1", NULL, NULL, "", LISTS, "refused" },
    { "it claims to be a third one, but its own name is told", OTHER "-1103", "FOURTH", NULL, "OTHER", "", NO_LIST, "foreign OTHER -" },
    { "it claims our DNS name", OTHER "-1103", "OTHER", "ad.test", NULL, "d", NO_LIST, "foreign OTHER -, by its own word" },
    { "it claims our DNS name, nobody vouches", OTHER "-1103", "OTHER", "AD.TEST", NULL, "", LISTS, "foreign OTHER other.test" },
    { "it claims a third one's DNS name", OTHER "-1103", "OTHER", "third.test", "OTHER", "", NO_LIST, "foreign OTHER -" },
    { "another one was there first under its name", THIRD "-1103", "THIRD", NULL, "THIRD", "", HEARSAY | LIE, "foreign THIRD -" },
    { "the same, when nobody tells", THIRD "-1103", "THIRD", NULL, NULL, "", HEARSAY | LIE, "refused" },
    { "a third one's name, which is not listed", OTHER "-1103", "THIRD", NULL, NULL, "N", NO_LIST, "refused" },
    { "the same, by hearsay under it", OTHER "-1103", "THIRD", NULL, NULL, "N", HEARSAY | LIE, "refused" },
    { "a third one's name, its own is told", OTHER "-1103", "THIRD", NULL, "OTHER", "N", NO_LIST, "refused" },
    { "its own name by name, not by SID", OTHER "-1103", "OTHER", "other.test", NULL, "nd", NO_LIST, "foreign OTHER other.test" },
};
/* clang-format on */

static const char *decided(const question *s, const wa_domain *own)
{
    static const char *const kinds[] = { "refused", "foreign", "home" };
    static char text[200];
    wa_domain list[] = {
        { NULL, NULL, sid_of("S-1-5-32"), false },
        { "ADTEST", "ad.test", sid_of(OWN), false },
        { "WEB1", NULL, sid_of(MACHINE), false },
        { s->list & LIE ? "THIRD" : "OTHER", "other.test", sid_of(OTHER), (s->list & HEARSAY) != 0 },
        { "THIRD", "third.test", sid_of(THIRD), (s->list & HEARSAY) != 0 },
    };
    wa_domain_facts facts = { own, sid_of(s->account), s->claimed, s->claimed_dns, s->told,
                              sid_of(NULL), sid_of(NULL), list, sizeof(list) / sizeof(list[0]) - (s->list & LIE ? 1 : 0) };
    wa_domain out = { NULL, NULL, sid_of(NULL), false };
    wa_domain_kind kind;

    facts.count = s->list & NO_LIST ? 0 : facts.count;
    facts.claimed_sid = sid_of(strchr(s->vouched, 'n') != NULL ? OTHER : strchr(s->vouched, 'N') != NULL ? THIRD : NULL);
    facts.dns_sid = sid_of(strchr(s->vouched, 'd') != NULL ? OTHER : NULL);
    kind = wa_domain_decide(&facts, &out);
    (void)snprintf(text, sizeof(text), "%s %s %s%s", kinds[kind], out.name != NULL ? out.name : "-",
                   out.dns != NULL ? out.dns : "-", out.hearsay ? ", by its own word" : "");
    return kind == WA_DOMAIN_REFUSED ? "refused" : text;
}

int main(void)
{
    wa_domain own = { "ADTEST", "ad.test", sid_of(OWN), false };
    wa_domain nobody = { "ADTEST", "ad.test", sid_of(NULL), false };
    wa_domain old = { "ADTEST", NULL, sid_of(OWN), false };
    size_t i;

    for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        is_str(decided(&questions[i], &own), questions[i].want, "%s", questions[i].what);
        is_str(decided(&questions[i], &nobody), "refused", "%s, and our own SID is not known", questions[i].what);
    }
    is_str(decided(&questions[0], &old), "home ADTEST ad.test", "our own, whose DNS name only its controllers say");
    is_str(decided(&questions[4], &old), "foreign OTHER other.test", "another one, and we have no DNS name");
    return done_testing();
}
