/* Account names: what may be one, how a principal splits, what REMOTE_USER looks like, and that
 * no two accounts share a string. */
#include "core/account.h"

#include "sample.h"
#include "tap.h"

/* ---- names ---- */

static void name_table(void)
{
    /* clang-format off */
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        { "alice", true },       { "a", true },           { "Alice Smith", true },
        { "alice.smith", true }, { "alice-smith_1", true }, { "WEB$", true },
        { "it's", true },        { "a{b}c~d`e", true },   { "!#%&()^", true },
        { "j\xc3\xb6rg", true }, { "\xe4\xb8\xad", true }, { "\xf0\x9f\x98\x80", true },
        { "", false },           { "a\"b", false },       { "host/web", false },
        { "DOM\\alice", false }, { "a[b", false },        { "a]b", false },
        { "a:b", false },        { "a;b", false },        { "a|b", false },
        { "a=b", false },        { "a,b", false },        { "a+b", false },
        { "a*b", false },        { "a?b", false },        { "a<b", false },
        { "a>b", false },        { "alice@REALM", false },{ "@", false },
        { "a\nb", false },       { "a\tb", false },       { "\x01", false },
        { "a\x1f", false },      { "a\x7f", false },      { "j\xf6rg", false },
        { "a\xc0\x80", false },  { "a\xed\xa0\x80", false }, { "a\xff", false },
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_copy(rows[i].name, strlen(rows[i].name) + 1);
        ok(wa_account_name_ok((const char *)sam.s.p) == rows[i].good,
           "name of %zu bytes, row %zu: %s", sam.s.n - 1, i, rows[i].good ? "good" : "bad");
        sample_free(&sam);
    }
    ok(!wa_account_name_ok("a\xc2\x80"
                           "b")
           && !wa_account_name_ok("\xc2\x9f"),
       "control characters beyond ASCII");
}

static void name_every_byte(void)
{
    int c, at;
    int wrong = 0;

    for (at = 0; at < 3; at++) {
        for (c = 1; c < 256; c++) {
            char name[4] = "abc";
            bool good = c >= 0x20 && c < 0x7f && strchr("\"/\\[]:;|=,+*?<>@", c) == NULL;
            name[at] = (char)c;
            wrong += wa_account_name_ok(name) != good;
        }
    }
    is_int(wrong, 0, "every byte in every place of a short name");
}

static void name_lengths(void)
{
    char name[260];
    size_t n;
    int wrong = 0;

    for (n = 0; n < sizeof(name); n++) {
        memset(name, 'x', n);
        name[n] = '\0';
        wrong += wa_account_name_ok(name) != (n >= 1 && n <= 256);
    }
    is_int(wrong, 0, "1 to 256 bytes");
}

/* ---- principals ---- */

static void split_table(void)
{
    static const struct {
        const char *principal, *name, *realm; /* name NULL: refused */
    } rows[] = {
        { "alice@AD.TEST", "alice", "AD.TEST" },
        { "a@B", "a", "B" },
        { "host/web.ad.test@AD.TEST", "host/web.ad.test", "AD.TEST" },
        { "WEB$@AD.TEST", "WEB$", "AD.TEST" },
        { "alice smith@AD.TEST", "alice smith", "AD.TEST" },
        { "j\xc3\xb6rg@AD.TEST", "j\xc3\xb6rg", "AD.TEST" },
        { "alice", NULL, NULL },
        { "", NULL, NULL },
        { "@", NULL, NULL },
        { "@AD.TEST", NULL, NULL },
        { "alice@", NULL, NULL },
        { "alice@@AD.TEST", NULL, NULL },
        { "alice@other@AD.TEST", NULL, NULL },
        { "alice\\@other@AD.TEST", NULL, NULL },
        { "alice\\/x@AD.TEST", NULL, NULL },
        { "alice\\\\x@AD.TEST", NULL, NULL },
        { "AD\\alice@AD.TEST", NULL, NULL },
        { "alice@AD\\TEST", NULL, NULL },
        { "alice\\n@AD.TEST", NULL, NULL },
        { "ali\nce@AD.TEST", NULL, NULL },
        { "alice@AD.TEST\n", NULL, NULL },
        { "ali\x7f"
          "ce@AD.TEST",
          NULL, NULL },
        { "\talice@AD.TEST", NULL, NULL },
        { "j\xf6rg@AD.TEST", NULL, NULL },
        { "alice@AD.\xff", NULL, NULL },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sample sam = sample_copy(rows[i].principal, strlen(rows[i].principal) + 1);
        wa_span name = wa_span_of("junk", 4);
        wa_span realm = name;
        bool good = wa_account_split_principal((const char *)sam.s.p, &name, &realm);
        if (rows[i].name == NULL) {
            ok(!good && name.n == 0 && realm.n == 0 && name.p == NULL && realm.p == NULL,
               "refused principal, row %zu", i);
        }
        else if (ok(good && sample_holds(sam.s, name) && sample_holds(sam.s, realm),
                    "principal %s", rows[i].principal)) {
            is_bytes(name.p, name.n, rows[i].name, strlen(rows[i].name), "its name");
            is_bytes(realm.p, realm.n, rows[i].realm, strlen(rows[i].realm), "its realm");
        }
        sample_free(&sam);
    }
}

/* Whatever splits, joins again to the same principal and to no other. */
static void split_joins(void)
{
    static const char alphabet[] = "a@\\/B\x01";
    char text[6];
    int n, i, code;
    int wrong = 0;
    int split = 0;

    for (n = 0; n <= 5; n++) {
        int count = 1;
        for (i = 0; i < n; i++) {
            count *= 6;
        }
        for (code = 0; code < count; code++) {
            int rest = code;
            int ats = 0;
            bool plain = true;
            bool good, want;
            wa_span name, realm;
            for (i = 0; i < n; i++, rest /= 6) {
                text[i] = alphabet[rest % 6];
                ats += text[i] == '@';
                plain = plain && text[i] != '\\' && text[i] != '\x01';
            }
            text[n] = '\0';
            want = plain && ats == 1 && text[0] != '@' && text[n > 0 ? n - 1 : 0] != '@';
            good = wa_account_split_principal(text, &name, &realm);
            split += good;
            wrong += good != want;
            wrong += good
                     && (name.p != (unsigned char *)text || realm.p != name.p + name.n + 1
                         || name.n + 1 + realm.n != (size_t)n);
        }
    }
    is_int(wrong, 0, "every principal of up to five characters");
    ok(split > 100, "many of which did split");
}

/* ---- formats ---- */

static const char *format(const char *name, const char *domain, const char *realm, bool home,
                          wa_format how)
{
    static char *out;
    wa_account account = { name, domain, realm, home, NULL, NULL, NULL, false };

    free(out); /* the last call's */
    out = malloc(WA_ACCOUNT_MAX);
    if (out == NULL) {
        sample_die("out of memory", "");
        return NULL;
    }
    memset(out, 'Z', WA_ACCOUNT_MAX);
    if (!wa_account_format(&account, how, out)) {
        return NULL;
    }
    return memchr(out, '\0', WA_ACCOUNT_MAX) != NULL ? out : "(not terminated)";
}

/* As format, of an account with a UPN and a SID. */
static const char *format_known(const char *name, const char *realm, const char *upn, const char *sid,
                                wa_format how)
{
    static char out[WA_ACCOUNT_MAX];
    wa_account account = { name, "AD", realm, true, upn, sid, NULL, false };

    return wa_account_format(&account, how, out) ? out : NULL;
}

static void upn_and_sid(void)
{
    static char longest[WA_ACCOUNT_MAX];

    is_str(format_known("alice", "AD.TEST", "a.smith@example.com", NULL, WA_FORMAT_UPN), "a.smith@example.com",
           "UPN: the directory's");
    is_str(format_known("alice", NULL, "a.smith@example.com", NULL, WA_FORMAT_UPN), "a.smith@example.com",
           "UPN: it needs no realm");
    is_str(format_known("alice", "AD.TEST", NULL, NULL, WA_FORMAT_UPN), "alice@AD.TEST", "UPN: of no directory");
    is_str(format_known("alice", NULL, NULL, NULL, WA_FORMAT_UPN), NULL, "UPN: not known");
    is_str(format_known("host/web", "AD.TEST", NULL, NULL, WA_FORMAT_UPN), NULL, "UPN: a service has none");
    is_str(format_known("alice", "AD.TEST", "alice", NULL, WA_FORMAT_UPN), NULL, "UPN: one that is none");
    is_str(format_known("alice", "AD.TEST", "AD\\alice@b", NULL, WA_FORMAT_UPN), NULL,
           "UPN: one that could be read in two ways");
    is_str(format_known("alice", "AD.TEST", NULL, "S-1-5-21-1-2-3-4", WA_FORMAT_SID), "S-1-5-21-1-2-3-4", "SID");
    is_str(format_known("alice", "AD.TEST", "alice@ad.test", NULL, WA_FORMAT_SID), NULL, "SID: not known");
    memset(longest, 'x', sizeof(longest) - 1);
    is_str(format_known("alice", NULL, NULL, longest, WA_FORMAT_SID), longest, "what just fits");
    ok(WA_FORMAT_WINDOWS == 0, "the default is Windows");
}

static void upn_table(void)
{
    static const char *const good[] = { "alice@ad.test", "a@b", "first.last+tag@example.com", "o'neil@ad.test",
                                        "j\xc3\xb6rg@ad.test", "alice smith@ad.test" };
    static const char *const bad[] = { "",           "alice",          "@",           "@ad.test",    "alice@",
                                       "a@b@c",      "alice@@ad.test", "AD\\alice@b", "a@b\\c",     "a\nb@c",
                                       "alice@c\n",  "a\"b@c",         "a,b@c",       "a;b@c",       "a:b@c",
                                       "alice@a+b",  "alice@a/b",      "host/web@c",  "j\xf6rg@c",   "a\x7f@c",
                                       "a\xc2\x80@c" };
    char name[300];
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ok(wa_account_upn_ok(good[i]), "a UPN: %s", good[i]);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!wa_account_upn_ok(bad[i]), "no UPN: row %zu", i);
    }
    memset(name, 'x', 257);
    (void)snprintf(name + 257, sizeof(name) - 257, "@ad.test");
    ok(!wa_account_upn_ok(name), "a name of 257 bytes");
    ok(wa_account_upn_ok(name + 1), "a name of 256 bytes");
}

static void format_table(void)
{
    static const struct {
        const char *name, *domain, *realm;
        bool home;
        const char *windows, *principal, *sam; /* NULL: refused */
    } rows[] = {
        { "alice", "AD", "AD.TEST", true, "AD\\alice", "alice@AD.TEST", "alice" },
        { "alice", "AD", "AD.TEST", false, "AD\\alice", "alice@AD.TEST", "AD\\alice" },
        { "alice", "AD", NULL, true, "AD\\alice", "AD\\alice", "alice" },
        { "alice", "AD", NULL, false, "AD\\alice", "AD\\alice", "AD\\alice" },
        { "alice", NULL, "AD.TEST", true, "alice@AD.TEST", "alice@AD.TEST", "alice" },
        { "alice", NULL, "AD.TEST", false, "alice@AD.TEST", "alice@AD.TEST", "alice@AD.TEST" },
        { "alice", NULL, NULL, false, NULL, NULL, NULL },
        { "WEB$", "AD", "AD.TEST", false, "AD\\WEB$", "WEB$@AD.TEST", "AD\\WEB$" },
        { "j\xc3\xb6rg", "AD", "AD.TEST", false, "AD\\j\xc3\xb6rg", "j\xc3\xb6rg@AD.TEST",
          "AD\\j\xc3\xb6rg" },
        { "host/web", "AD", "AD.TEST", false, "host/web@AD.TEST", "host/web@AD.TEST",
          "host/web@AD.TEST" },
        { "host/web", "AD", "AD.TEST", true, "host/web@AD.TEST", "host/web@AD.TEST",
          "host/web@AD.TEST" },
        { "host/web", "AD", NULL, false, NULL, NULL, NULL },
        { "host/web", "AD", NULL, true, NULL, NULL, NULL },
        { "a,b", "AD", "AD.TEST", true, "a,b@AD.TEST", "a,b@AD.TEST", "a,b@AD.TEST" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *n = rows[i].name;
        const char *d = rows[i].domain;
        const char *r = rows[i].realm;
        bool h = rows[i].home;
        is_str(format(n, d, r, h, WA_FORMAT_WINDOWS), rows[i].windows, "Windows, row %zu", i);
        is_str(format(n, d, r, h, WA_FORMAT_PRINCIPAL), rows[i].principal, "Principal, row %zu",
               i);
        is_str(format(n, d, r, h, WA_FORMAT_SAM), rows[i].sam, "SAM, row %zu", i);
    }
    is_str(format("a", "AD", "AD.TEST", true, WA_FORMAT_COUNT), "AD\\a",
           "a format that is none is the default");
}

static void format_lengths(void)
{
    static char name[WA_ACCOUNT_MAX + 8];
    static char realm[WA_ACCOUNT_MAX + 8];
    size_t n, r;
    int wrong = 0;

    for (n = 1; n < WA_ACCOUNT_MAX + 4; n += 51) {
        size_t first = WA_ACCOUNT_MAX - n > 8 ? WA_ACCOUNT_MAX - n - 6 : 1;
        for (r = first; n + r < WA_ACCOUNT_MAX + 4; r++) {
            bool fits = n + 1 + r < WA_ACCOUNT_MAX;
            const char *got;
            memset(name, 'n', n);
            memset(realm, 'R', r);
            name[n] = realm[r] = '\0';
            got = format(name, NULL, realm, false, WA_FORMAT_PRINCIPAL);
            wrong += (got != NULL) != fits;
            wrong += got != NULL && (strlen(got) != n + 1 + r || got[n] != '@');
        }
    }
    is_int(wrong, 0, "what does not fit is refused, never cut short");
    memset(name, 'n', 256);
    memset(realm, 'D', 256);
    name[256] = realm[256] = '\0';
    ok(format(name, realm, NULL, false, WA_FORMAT_WINDOWS) != NULL, "the longest account name");
    is_str(format(name, NULL, NULL, true, WA_FORMAT_SAM), name, "without its domain");
    name[256] = 'n';
    name[257] = '\0';
    ok(format(name, "AD", NULL, false, WA_FORMAT_WINDOWS) == NULL
           && format(name, "AD", NULL, true, WA_FORMAT_SAM) == NULL,
       "one letter more is no Windows name");
}

/* ---- ambiguity ---- */

typedef struct maker {
    const char *const *names, *const *domains, *const *realms;
    int name_count, domain_count, realm_count;
} maker;

static bool equal(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Pairs of accounts that share a string though neither domain nor realm is the same, or the names
 * differ.  Two accounts of one NetBIOS domain, or of one realm, with one name are one account. */
static int ambiguous(const maker *m, wa_format how, bool home, bool print)
{
    static char strings[512][WA_ACCOUNT_MAX];
    static wa_account accounts[512];
    int count = m->name_count * m->domain_count * m->realm_count;
    int found = 0;
    int i, k;

    for (i = 0; i < count; i++) {
        accounts[i].name = m->names[i % m->name_count];
        accounts[i].domain = m->domains[i / m->name_count % m->domain_count];
        accounts[i].realm = m->realms[i / m->name_count / m->domain_count];
        accounts[i].home = home;
        if (!wa_account_format(&accounts[i], how, strings[i])) {
            strings[i][0] = '\0';
        }
        for (k = 0; k < i; k++) {
            const wa_account *a = &accounts[i];
            const wa_account *b = &accounts[k];
            if (strings[i][0] == '\0' || strcmp(strings[i], strings[k]) != 0) {
                continue;
            }
            if (strcmp(a->name, b->name) == 0
                && (equal(a->domain, b->domain) || equal(a->realm, b->realm))) {
                continue;
            }
            found++;
            if (print) {
                diag("'%s' has two readings", strings[i]);
            }
        }
    }
    return found;
}

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void ambiguity(void)
{
    static const char *const names[] = { "alice", "bob", "a",    "host/web",
                                         "x y",   "a.b", "WEB$", "AD" };
    static const char *const domains[] = { NULL, "AD", "B", "alice" };
    static const char *const realms[] = { NULL, "AD", "AD.TEST", "B.TEST", "alice" };
    static const char *const wild_names[] = { "a",      "b",    "a@b", "b@c", "a\\b",
                                              "a\\b@c", "b\\c", "\\",  "@" };
    static const char *const wild_domains[] = { NULL, "a", "b", "a\\b", "a@b", "b\\c" };
    static const char *const wild_realms[] = { NULL, "c", "b", "b@c", "b\\c", "a\\b" };
    maker tame = { names, domains, realms, COUNT(names), COUNT(domains), COUNT(realms) };
    maker wild = { wild_names,        wild_domains,        wild_realms,
                   COUNT(wild_names), COUNT(wild_domains), COUNT(wild_realms) };

    is_int(ambiguous(&tame, WA_FORMAT_WINDOWS, false, true), 0,
           "Windows: no string for two accounts");
    is_int(ambiguous(&tame, WA_FORMAT_PRINCIPAL, false, true), 0,
           "Principal: no string for two accounts");
    is_int(ambiguous(&tame, WA_FORMAT_SAM, false, true), 0,
           "SAM, elsewhere: no string for two accounts");
    is_int(ambiguous(&wild, WA_FORMAT_WINDOWS, false, false), 0,
           "Windows: not even when the parts hold separators");
    is_int(ambiguous(&wild, WA_FORMAT_PRINCIPAL, false, false), 0, "Principal: nor there");
    ok(format("a@b", NULL, "c", false, WA_FORMAT_WINDOWS) == NULL
           && format("a", NULL, "b@c", false, WA_FORMAT_WINDOWS) == NULL
           && format("c", "a\\b", NULL, false, WA_FORMAT_WINDOWS) == NULL
           && format("c", "a@b", NULL, false, WA_FORMAT_WINDOWS) == NULL
           && format("AD\\alice", NULL, "C", false, WA_FORMAT_WINDOWS) == NULL,
       "a part that holds a separator is refused");
    ok(format("a", NULL, "", false, WA_FORMAT_WINDOWS) == NULL
           && format("a", "", NULL, false, WA_FORMAT_WINDOWS) == NULL,
       "so is a domain or a realm of no letters");
    ok(format("a\\b", "D", NULL, false, WA_FORMAT_WINDOWS) == NULL
           && format("a@b", "D", NULL, false, WA_FORMAT_WINDOWS) == NULL
           && format("a\\b", "D", NULL, true, WA_FORMAT_SAM) == NULL
           && format("D\\b", NULL, NULL, true, WA_FORMAT_SAM) == NULL,
       "a name with a separator never stands behind a domain, nor alone");
}

static void same_domain(void)
{
    ok(wa_account_same_domain("AD", "AD") && wa_account_same_domain("AD", "ad")
           && wa_account_same_domain("aD-1.x", "Ad-1.X"),
       "case does not matter");
    ok(!wa_account_same_domain("AD", "AD2") && !wa_account_same_domain("AD2", "AD")
           && !wa_account_same_domain("AD", "") && !wa_account_same_domain("AD", "AE"),
       "letters and lengths do");
    ok(!wa_account_same_domain(NULL, NULL) && !wa_account_same_domain("AD", NULL)
           && !wa_account_same_domain(NULL, "AD"),
       "no domain is never the same as any, or as none");
    ok(!wa_account_same_domain("[", "{") && !wa_account_same_domain("@", "`")
           && !wa_account_same_domain("\xc3\x96", "\xc3\xb6"),
       "only letters of ASCII have a case");
}

int main(void)
{
    name_table();
    name_every_byte();
    name_lengths();
    split_table();
    split_joins();
    format_table();
    upn_table();
    upn_and_sid();
    format_lengths();
    ambiguity();
    same_domain();
    return done_testing();
}
