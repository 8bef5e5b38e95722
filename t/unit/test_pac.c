/* The PAC: what domain controllers wrote, and what they would never write. */
#include "core/pac.h"
#include "core/utf.h"
#include "sample.h"
#include "tap.h"

#define DOMAIN "S-1-5-21-1111111111-2222222222-3333333333"

static const char *utf8(wa_span s)
{
    static char text[2][300];
    static int turn;
    wa_writer w;
    char *out = text[turn++ % 2];

    wa_writer_init(&w, (unsigned char *)out, sizeof(text[0]) - 1);
    if (!wa_utf16_to_utf8(s, &w)) {
        return "(not UTF-16)";
    }
    out[w.n] = '\0';
    return out;
}

static const char *sid_text(const wa_sid *sid)
{
    static char text[WA_SID_TEXT_MAX];

    wa_sid_format(sid, text);
    return text;
}

/* All SIDs that a PAC gives, in its order, separated by blanks; those of DOMAIN by their RID alone. */
static const char *all_sids(const wa_pac_logon *logon)
{
    static char text[4096];
    wa_sid *sids = calloc(logon->listed, sizeof(*sids));
    size_t n, i;

    if (sids == NULL) {
        sample_die("out of memory", "");
        return NULL;
    }
    text[0] = '\0';
    n = wa_pac_list(logon, sids);
    for (i = 0; i < n; i++) {
        const char *sid = sid_text(&sids[i]);
        size_t at = strlen(text);
        sid += strncmp(sid, DOMAIN "-", strlen(DOMAIN) + 1) == 0 ? strlen(DOMAIN) + 1 : 0;
        (void)snprintf(text + at, sizeof(text) - at, "%s%s", at > 0 ? " " : "", sid);
    }
    free(sids);
    return text;
}

static void check(const char *what, wa_span buffer, const char *account, const char *domain,
                  const char *sid)
{
    wa_pac_logon logon;

    ok(wa_pac_parse_logon(buffer, &logon), "%s: parses", what);
    is_str(utf8(logon.account), account, "%s: account", what);
    is_str(utf8(logon.domain), domain, "%s: domain", what);
    is_str(sid_text(&logon.sid), sid, "%s: SID", what);
}

static void groups(const char *what, wa_span buffer, const char *sids)
{
    wa_pac_logon logon;

    if (ok(wa_pac_parse_logon(buffer, &logon), "%s: parses", what)) {
        is_str(all_sids(&logon), sids, "%s: user, primary group, groups, extra and resource groups", what);
    }
}

/* No length of it but those of the whole is enough, and none reads outside. */
static void truncated(const char *what, wa_span buffer)
{
    size_t n;
    size_t wrong = 0;

    for (n = 0; n < buffer.n; n++) {
        sample cut = sample_copy(buffer.p, n);
        wa_pac_logon logon;
        wrong += wa_pac_parse_logon(cut.s, &logon);
        sample_free(&cut);
    }
    is_int(wrong, 0, "%s: refused at every length but its own", what);
}

/* Every byte changed to the extremes: nothing is read outside, and whatever is accepted is in bounds. */
static void damaged(const char *what, wa_span buffer)
{
    static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
    size_t i, k, outside = 0;

    for (i = 0; i < buffer.n; i++) {
        for (k = 0; k < sizeof(values); k++) {
            sample bad = sample_copy(buffer.p, buffer.n);
            wa_pac_logon logon;
            bad.block[i] = values[k];
            if (wa_pac_parse_logon(bad.s, &logon)) {
                wa_sid *sids = calloc(logon.listed, sizeof(*sids));
                outside += !sample_holds(bad.s, logon.account) || !sample_holds(bad.s, logon.domain)
                           || logon.sid.count > WA_SID_SUBAUTHS_MAX || sids == NULL
                           || wa_pac_list(&logon, sids) > logon.listed;
                free(sids);
            }
            sample_free(&bad);
        }
    }
    is_int(outside, 0, "%s: with any byte changed nothing points outside", what);
}

/* At off, n bytes set to v. */
static sample changed(wa_span buffer, size_t off, size_t n, uint64_t v)
{
    sample bad = sample_copy(buffer.p, buffer.n);
    size_t i;

    for (i = 0; i < n; i++) {
        bad.block[off + i] = (unsigned char)(v >> (8 * i));
    }
    return bad;
}

/* At off, four bytes set to v: the whole must be refused. */
static void refuses(const char *what, wa_span buffer, size_t off, uint32_t v)
{
    sample bad = changed(buffer, off, 4, v);
    wa_pac_logon logon;

    ok(!wa_pac_parse_logon(bad.s, &logon), "refused: %s", what);
    sample_free(&bad);
}

enum { /* offsets in the buffer of a domain controller */
    AT_VERSION = 0,
    AT_LENGTH = 8,
    AT_POINTER = 16,
    AT_NAME_POINTER = 20 + 48 + 4,
    AT_RID = 20 + 48 + 48 + 4,
    AT_PRIMARY = AT_RID + 4,
    AT_GROUP_COUNT = AT_PRIMARY + 4,
    AT_GROUP_POINTER = AT_GROUP_COUNT + 4,
    AT_SID_POINTER = AT_GROUP_POINTER + 4 + 20 + 16,
    AT_EXTRA_COUNT = AT_SID_POINTER + 4 + 40,
    AT_EXTRA_POINTER = AT_EXTRA_COUNT + 4,
    AT_RESOURCE_SID = AT_EXTRA_POINTER + 4,
    AT_RESOURCE_COUNT = AT_RESOURCE_SID + 4,
    AT_RESOURCE_POINTER = AT_RESOURCE_COUNT + 4,
    AT_NAME_COUNT = AT_RESOURCE_POINTER + 4 /* MaximumCount of the first name */
};

/* Where the array of extra SIDs stands: its count, a pointer, its attributes, then S-1-18-1. */
static size_t find_extra(wa_span buffer)
{
    static const unsigned char sid[] = { 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 18, 1, 0, 0, 0 };
    size_t i;

    for (i = 12; i + sizeof(sid) <= buffer.n; i++) {
        if (memcmp(buffer.p + i, sid, sizeof(sid)) == 0) {
            return i - 12;
        }
    }
    sample_die("no S-1-18-1", "in the sample");
    return 0;
}

static void logon_info(wa_span samba)
{
    size_t extra = find_extra(samba);

    damaged("Samba", samba);
    truncated("Samba", samba);
    refuses("another version", samba, AT_VERSION, 0xcc081002);
    refuses("an object longer than the buffer", samba, AT_LENGTH, (uint32_t)samba.n - 15);
    refuses("an object of no bytes", samba, AT_LENGTH, 0);
    refuses("an object shorter than what is in it", samba, AT_LENGTH, 400);
    refuses("no structure", samba, AT_POINTER, 0);
    refuses("no account name", samba, AT_NAME_POINTER, 0);
    refuses("more groups than bytes", samba, AT_GROUP_COUNT, 0x20000000);
    refuses("more groups than the array has", samba, AT_GROUP_COUNT, 6);
    refuses("groups that are counted and not there", samba, AT_GROUP_POINTER, 0);
    refuses("no domain SID", samba, AT_SID_POINTER, 0);
    refuses("extra SIDs that are counted and not there", samba, AT_EXTRA_POINTER, 0);
    refuses("more extra SIDs than the array has", samba, AT_EXTRA_COUNT, 2);
    refuses("more extra SIDs than bytes", samba, AT_EXTRA_COUNT, 0xffffffff);
    refuses("an extra SID that is none", samba, extra + 4, 0);
    refuses("an extra SID of two lengths", samba, extra + 12, 2);
    refuses("resource groups without a domain", samba, AT_RESOURCE_COUNT, 1);
    refuses("resource groups that are not there", samba, AT_RESOURCE_SID, 1);
    refuses("a name that does not begin at its beginning", samba, AT_NAME_COUNT + 4, 1);
    refuses("a name longer than its array", samba, AT_NAME_COUNT + 0, 4);
    refuses("a name longer than the buffer", samba, AT_NAME_COUNT + 8, 0x7fffffff);
    refuses("a name of 2^31 characters, which doubled is 0", samba, AT_NAME_COUNT + 8, 0x80000000);
    groups("Samba", samba, "1103 513 513 1108 1109 1110 1111 S-1-18-1");
    {
        sample primary = changed(samba, AT_PRIMARY, 4, 0);
        groups("no primary group", primary.s, "1103 513 1108 1109 1110 1111 S-1-18-1");
        sample_free(&primary);
    }
    { /* a user of no RID is the first of the extra SIDs */
        sample foreign = changed(samba, AT_RID, 4, 0);
        groups("no RID", foreign.s, "S-1-18-1 513 513 1108 1109 1110 1111 S-1-18-1");
        sample_free(&foreign);
    }
    {
        sample disabled = changed(samba, extra + 8, 4, 3);
        groups("an extra SID that is not enabled", disabled.s, "1103 513 513 1108 1109 1110 1111");
        sample_free(&disabled);
    }
}

/* Samba's own encoder, asked for what Samba never puts into a PAC. */
static void resource_groups(void)
{
    sample whole = sample_load("pac-resource-groups.bin");
    wa_pac pac;

    ok(wa_pac_open(whole.s, &pac), "resource groups: the container");
    groups("resource groups", pac.logon,
           "1103 513 513 1108 1109 1110 1111 S-1-18-1 S-1-5-21-10-20-30-4001 S-1-5-21-10-20-30-4000");
    damaged("resource groups", pac.logon);
    truncated("resource groups", pac.logon);
    refuses("resource groups that are counted and not there", pac.logon, AT_RESOURCE_POINTER, 0);
    refuses("resource groups of no domain", pac.logon, AT_RESOURCE_SID, 0);
    refuses("more resource groups than the array has", pac.logon, AT_RESOURCE_COUNT, 4);
    sample_free(&whole);
}

/* Samba's buffer with count groups in the place of its five. */
static sample with_groups(wa_span samba, uint32_t count)
{
    size_t start = 0, tail, i, n;
    unsigned char *buf;
    sample out;

    for (i = AT_NAME_COUNT; start == 0 && i + 12 <= samba.n; i += 4) { /* 5, then 513 and 7 */
        start = sample_le(samba.p + i, 4) == 5 && sample_le(samba.p + i + 4, 4) == 513 ? i : 0;
    }
    tail = start + 4 + 5 * 8;
    n = samba.n + 8 * (size_t)count - 5 * 8;
    buf = calloc(n, 1);
    if (start == 0 || buf == NULL) {
        sample_die("no groups", "in the sample");
        return sample_copy("", 0);
    }
    memcpy(buf, samba.p, start);
    memcpy(buf + start + 4 + 8 * (size_t)count, samba.p + tail, samba.n - tail);
    for (i = 0; i < 4; i++) {
        buf[start + i] = buf[AT_GROUP_COUNT + i] = (unsigned char)(count >> (8 * i));
        buf[AT_LENGTH + i] = (unsigned char)((n - 16) >> (8 * i));
    }
    for (i = 0; i < count; i++) {
        buf[start + 4 + 8 * i] = (unsigned char)(2000 + i);
        buf[start + 5 + 8 * i] = (unsigned char)((2000 + i) >> 8);
        buf[start + 8 + 8 * i] = 7;
    }
    out = sample_copy(buf, n);
    free(buf);
    return out;
}

static void many_groups(wa_span samba)
{
    static const uint32_t counts[] = { 0, 1, 1000, WA_PAC_SIDS_MAX - 1, WA_PAC_SIDS_MAX, 60000 };
    static const bool good[] = { true, true, true, true, false, false }; /* and one extra SID */
    size_t i;

    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        sample many = with_groups(samba, counts[i]);
        wa_pac_logon logon;
        bool parsed = wa_pac_parse_logon(many.s, &logon);
        ok(parsed == good[i], "%lu groups: %s", (unsigned long)counts[i], good[i] ? "read" : "refused");
        if (parsed && good[i]) {
            wa_sid *sids = calloc(logon.listed, sizeof(*sids));
            is_int(sids != NULL ? wa_pac_list(&logon, sids) : 0, counts[i] + 3, "and listed, each of them");
            free(sids);
        }
        sample_free(&many);
    }
}

/* ---- the container ---- */

static void refuses_container(const char *what, wa_span whole, size_t off, size_t n, uint64_t v)
{
    sample bad = changed(whole, off, n, v);
    wa_pac pac;

    ok(!wa_pac_open(bad.s, &pac), "refused: %s", what);
    sample_free(&bad);
}

static void container(wa_span whole, wa_span logon)
{
    enum { ROW = 16, TYPE = 8, SIZE = 12, OFFSET = 16 }; /* of the first buffer; one row each */
    size_t n, wrong = 0, last = whole.n;
    sample none;
    wa_pac pac;

    ok(wa_pac_open(whole, &pac), "container: opens");
    is_bytes(pac.logon.p, pac.logon.n, logon.p, logon.n, "container: the logon information");
    is_int(pac.upn_dns.n, 112, "container: UPN_DNS_INFO");
    is_int(pac.requestor.n, 0, "container: no PAC_REQUESTOR");
    for (n = 0; n < last; n++) {
        sample cut = sample_copy(whole.p, n);
        wrong += wa_pac_open(cut.s, &pac);
        sample_free(&cut);
    }
    is_int(wrong, 0, "container: refused at every length but its own");
    refuses_container("two logon informations", whole, TYPE + ROW, 4, 1);
    refuses_container("two buffers of an unknown kind", whole, TYPE + 6 * ROW, 4, 16);
    refuses_container("another version", whole, 4, 4, 1);
    refuses_container("more buffers than bytes", whole, 0, 4, 60);
    refuses_container("more buffers than there are kinds", whole, 0, 4, 65);
    refuses_container("2^32 - 1 buffers", whole, 0, 4, 0xffffffff);
    refuses_container("a buffer longer than the PAC", whole, SIZE, 4, (uint32_t)whole.n);
    refuses_container("a logon information of no bytes", whole, SIZE, 4, 0);
    refuses_container("a buffer behind the PAC", whole, OFFSET, 8, 0x1000);
    refuses_container("a buffer whose end is behind 2^64", whole, OFFSET, 8, 0xfffffffffffffff8u);
    refuses_container("a buffer inside the header", whole, OFFSET, 8, 8);
    refuses_container("a buffer that is not aligned", whole, OFFSET, 8, 0x7c);
    none = changed(whole, TYPE, 4, 99);
    ok(wa_pac_open(none.s, &pac) && pac.logon.n == 0, "container: no logon information is no error");
    sample_free(&none);
    none = sample_copy("\0\0\0\0\0\0\0\0", 8);
    ok(wa_pac_open(none.s, &pac) && pac.logon.n == 0 && pac.upn_dns.n == 0, "container: nor is none at all");
    sample_free(&none);
}

/* ---- UPN_DNS_INFO, PAC_REQUESTOR ---- */

static void refuses_names(const char *what, wa_span buffer, size_t off, unsigned v)
{
    sample bad = changed(buffer, off, 2, v);
    wa_pac_names names;

    ok(!wa_pac_parse_names(bad.s, &names), "refused: %s", what);
    sample_free(&bad);
}

static void names(wa_span buffer)
{
    enum { UPN_LENGTH = 0, UPN_AT = 2, DNS_LENGTH = 4, FLAGS = 8, SAM_LENGTH = 12, SID_LENGTH = 16, SID_AT = 18 };
    wa_pac_names n;
    size_t i, k, outside = 0;
    sample other;

    if (ok(wa_pac_parse_names(buffer, &n), "names: parse")) {
        is_str(utf8(n.upn), "alice@ad.test", "names: UPN");
        is_str(utf8(n.dns), "AD.TEST", "names: DNS domain");
        ok(n.has_sid && !n.made_up, "names: flags");
        is_str(utf8(n.account), "alice", "names: sAMAccountName");
        is_str(sid_text(&n.sid), DOMAIN "-1103", "names: SID");
    }
    other = changed(buffer, FLAGS, 4, 1);
    ok(wa_pac_parse_names(other.s, &n) && n.made_up && !n.has_sid && n.account.n == 0 && n.sid.count == 0,
       "names: made up, and nothing of the second part");
    sample_free(&other);
    other = changed(buffer, UPN_LENGTH, 2, 0);
    ok(wa_pac_parse_names(other.s, &n) && n.upn.n == 0 && n.dns.n > 0, "names: no UPN");
    sample_free(&other);
    refuses_names("a UPN of half a character", buffer, UPN_LENGTH, 25);
    refuses_names("a UPN longer than the buffer", buffer, UPN_LENGTH, 0xfffe);
    refuses_names("a UPN behind the buffer", buffer, UPN_AT, 0xfff0);
    refuses_names("a UPN inside the header", buffer, UPN_AT, 16);
    refuses_names("a domain longer than the buffer", buffer, DNS_LENGTH, 0x100);
    refuses_names("an account of half a character", buffer, SAM_LENGTH, 9);
    refuses_names("a SID cut short", buffer, SID_LENGTH, 27);
    refuses_names("a SID with something behind it", buffer, SID_LENGTH, 30);
    refuses_names("no SID", buffer, SID_LENGTH, 0);
    refuses_names("a SID that is none", buffer, SID_AT, 24);
    for (i = 0; i < 20; i++) {
        other = sample_copy(buffer.p, i);
        outside += wa_pac_parse_names(other.s, &n);
        sample_free(&other);
    }
    is_int(outside, 0, "names: refused when cut within the header");
    for (i = 0; i < buffer.n; i++) {
        for (k = 0; k < 256; k += 51) {
            other = changed(buffer, i, 1, k);
            if (wa_pac_parse_names(other.s, &n)) {
                outside += !sample_holds(other.s, n.upn) || !sample_holds(other.s, n.dns)
                           || !sample_holds(other.s, n.account);
            }
            sample_free(&other);
        }
    }
    is_int(outside, 0, "names: with any byte changed nothing points outside");
}

static void requestor(void)
{
    static const unsigned char bytes[] = { 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0, 0 };
    static const unsigned char empty[] = { 1, 0, 0, 0, 0, 0, 0, 5 };
    wa_sid sid;
    size_t n;

    for (n = 0; n <= sizeof(bytes); n++) {
        sample cut = sample_copy(bytes, n);
        ok(wa_pac_parse_requestor(cut.s, &sid) == (n == 16), "requestor of %zu bytes", n);
        sample_free(&cut);
    }
    ok(!wa_pac_parse_requestor(wa_span_of(empty, sizeof(empty)), &sid), "a SID of nobody");
}

int main(void)
{
    sample samba = sample_load("pac-logon-info.bin");
    sample whole = sample_load("pac-whole.bin");
    sample microsoft = sample_load("ms-pac-example-pactype.hex");
    wa_pac pac;
    wa_pac_logon logon;

    ok(wa_pac_open(microsoft.s, &pac), "[MS-PAC] 3: opens");
    check("Samba", samba.s, "alice", "ADTEST", DOMAIN "-1103");
    check("[MS-PAC] 3", pac.logon, "lzhu", "NTDEV", "S-1-5-21-397955417-626881126-188441444-2914711");
    if (ok(wa_pac_parse_logon(pac.logon, &logon), "[MS-PAC] 3: once more")) {
        const char *sids = all_sids(&logon);
        is_int(logon.listed, 2 + 26 + 13, "[MS-PAC] 3: user, primary group, 26 groups, 13 extra SIDs");
        ok(strstr(sids, " S-1-5-21-397955417-626881126-188441444-3392609 ") != NULL, "[MS-PAC] 3: the first group");
        ok(strstr(sids, " S-1-5-21-773533881-1816936887-355810188-513 ") != NULL, "[MS-PAC] 3: the first extra SID");
    }
    damaged("[MS-PAC] 3", pac.logon);
    truncated("[MS-PAC] 3", pac.logon);
    logon_info(samba.s);
    resource_groups();
    many_groups(samba.s);
    container(whole.s, samba.s);
    ok(wa_pac_open(whole.s, &pac), "the whole PAC");
    names(pac.upn_dns);
    requestor();
    sample_free(&samba);
    sample_free(&whole);
    sample_free(&microsoft);
    return done_testing();
}
