/* The PAC's logon information: what domain controllers wrote, and what they would never write. */
#include "core/pac.h"
#include "core/utf.h"
#include "sample.h"
#include "tap.h"

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

static void check(const char *what, wa_span buffer, const char *account, const char *domain,
                  const char *sid)
{
    wa_pac_logon logon;

    ok(wa_pac_parse_logon(buffer, &logon), "%s: parses", what);
    is_str(utf8(logon.account), account, "%s: account", what);
    is_str(utf8(logon.domain), domain, "%s: domain", what);
    is_str(sid_text(&logon.sid), sid, "%s: SID", what);
}

/* No length of it but those behind the SID is enough, and none reads outside. */
static void truncated(const char *what, wa_span buffer, size_t needed)
{
    size_t n;
    size_t wrong = 0;

    for (n = 0; n <= buffer.n; n++) {
        sample cut = sample_copy(buffer.p, n);
        wa_pac_logon logon;
        wrong += wa_pac_parse_logon(cut.s, &logon) != (n >= needed);
        sample_free(&cut);
    }
    is_int(wrong, 0, "%s: refused at every length that does not hold the SID", what);
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
                outside += !sample_holds(bad.s, logon.account) || !sample_holds(bad.s, logon.domain)
                           || logon.sid.count > WA_SID_SUBAUTHS_MAX;
            }
            sample_free(&bad);
        }
    }
    is_int(outside, 0, "%s: with any byte changed nothing points outside", what);
}

/* At off, four bytes set to v: the whole must be refused. */
static void refuses(const char *what, wa_span buffer, size_t off, uint32_t v)
{
    sample bad = sample_copy(buffer.p, buffer.n);
    wa_pac_logon logon;
    size_t i;

    for (i = 0; i < 4; i++) {
        bad.block[off + i] = (unsigned char)(v >> (8 * i));
    }
    ok(!wa_pac_parse_logon(bad.s, &logon), "refused: %s", what);
    sample_free(&bad);
}

enum { /* offsets in the buffer of a domain controller */
    AT_VERSION = 0,
    AT_POINTER = 16,
    AT_NAME_POINTER = 20 + 48 + 4,
    AT_GROUP_COUNT = 20 + 48 + 48 + 4 + 8,
    AT_GROUP_POINTER = AT_GROUP_COUNT + 4,
    AT_SID_POINTER = AT_GROUP_POINTER + 4 + 20 + 16,
    AT_NAME_COUNT = AT_SID_POINTER + 4 + 60 /* MaximumCount of the first name */
};

int main(void)
{
    sample samba = sample_load("pac-logon-info.bin");
    sample whole = sample_load("ms-pac-example-pactype.hex");
    wa_span example;
    wa_sid sid = { 5, 2, { 32, 544 } };

    ok(wa_span_slice(whole.s, 72, 1200, &example), "the example's first buffer");
    check("Samba", samba.s, "alice", "ADTEST",
          "S-1-5-21-1111111111-2222222222-3333333333-1103");
    check("[MS-PAC] 3", example, "lzhu", "NTDEV",
          "S-1-5-21-397955417-626881126-188441444-2914711");
    is_str(sid_text(&sid), "S-1-5-32-544", "a SID in text");
    {
        wa_pac_logon logon;
        size_t end = 0, n;
        for (n = samba.s.n; n > 0; n--) { /* found by trying, then checked against all lengths */
            sample cut = sample_copy(samba.s.p, n);
            if (wa_pac_parse_logon(cut.s, &logon)) {
                end = n;
            }
            sample_free(&cut);
        }
        ok(end > 300 && end < samba.s.n, "the SID ends before the extra SIDs begin");
        truncated("Samba", samba.s, end);
    }
    damaged("Samba", samba.s);
    damaged("[MS-PAC] 3", example);
    refuses("another version", samba.s, AT_VERSION, 0xcc081002);
    refuses("no structure", samba.s, AT_POINTER, 0);
    refuses("no account name", samba.s, AT_NAME_POINTER, 0);
    refuses("more groups than bytes", samba.s, AT_GROUP_COUNT, 0x20000000);
    refuses("groups that are counted and not there", samba.s, AT_GROUP_POINTER, 0);
    refuses("no domain SID", samba.s, AT_SID_POINTER, 0);
    refuses("a name that does not begin at its beginning", samba.s, AT_NAME_COUNT + 4, 1);
    refuses("a name longer than the buffer", samba.s, AT_NAME_COUNT + 8, 0x7fffffff);
    refuses("a name of 2^31 characters, which doubled is 0", samba.s, AT_NAME_COUNT + 8, 0x80000000);
    sample_free(&samba);
    sample_free(&whole);
    return done_testing();
}
