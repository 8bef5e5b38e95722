/* The reason table: every promised token is there, once, and no refusal is without advice. */
#include "core/reason.h"

#include "tap.h"

#include <ctype.h>

/* What each reason means to the client and to the log, written down a second time: a changed row
 * must be changed here too, on purpose.  Zero in win32: the specification does not fix it. */
static const struct {
    const char *token;
    wa_answer answer;
    unsigned substatus;
    unsigned long win32;
} expected[] = {
    { "ok", WA_ANSWER_PASS, 0, 0 },
    { "anonymous", WA_ANSWER_DENY, 2, 5 },
    { "handshake", WA_ANSWER_PASS, 1, 2148074254ul },
    { "bad-password", WA_ANSWER_DENY, 1, 2148074252ul },
    { "unknown-user", WA_ANSWER_DENY, 1, 2148074252ul },
    { "account-disabled", WA_ANSWER_DENY, 1, 1331 },
    { "account-locked", WA_ANSWER_DENY, 1, 1909 },
    { "account-expired", WA_ANSWER_DENY, 1, 1793 },
    { "password-expired", WA_ANSWER_DENY, 1, 1330 },
    { "password-must-change", WA_ANSWER_DENY, 1, 1907 },
    { "logon-restricted", WA_ANSWER_DENY, 1, 0 },
    { "anonymous-refused", WA_ANSWER_DENY, 1, 0 },
    { "machine-account-refused", WA_ANSWER_DENY, 1, 0 },
    { "ntlm-not-allowed", WA_ANSWER_DENY, 1, 0 },
    { "ntlmv1-refused", WA_ANSWER_DENY, 1, 0 },
    { "bad-mic", WA_ANSWER_DENY, 1, 0 },
    { "wrong-key", WA_ANSWER_DENY, 1, 0 },
    { "no-key", WA_ANSWER_DENY, 1, 2148074245ul },
    { "wrong-principal", WA_ANSWER_DENY, 1, 2148074274ul },
    { "clock-skew", WA_ANSWER_DENY, 1, 2148074276ul },
    { "ticket-expired", WA_ANSWER_DENY, 1, 0 },
    { "replay", WA_ANSWER_DENY, 1, 0 },
    { "bad-token", WA_ANSWER_DENY, 1, 2148074248ul },
    { "bad-encoding", WA_ANSWER_BAD_REQUEST, 1, 0 },
    { "out-of-sequence", WA_ANSWER_DENY, 1, 2148074248ul },
    { "token-too-large", WA_ANSWER_BAD_REQUEST, 1, 0 },
    { "body-too-large", WA_ANSWER_DENY, 1, 0 },
    { "epa-missing", WA_ANSWER_DENY, 1, 2148074310ul },
    { "epa-mismatch", WA_ANSWER_DENY, 1, 2148074310ul },
    { "spn-mismatch", WA_ANSWER_DENY, 1, 0 },
    { "untrusted-proxy", WA_ANSWER_DENY, 1, 0 },
    { "tls-required", WA_ANSWER_FORBIDDEN, 4, 0 },
    { "http11-required", WA_ANSWER_FORBIDDEN, 1, 0 },
    { "keepalive-off", WA_ANSWER_DENY, 1, 0 },
    { "locked-out", WA_ANSWER_DENY, 1, 0 },
    { "authority-down", WA_ANSWER_UNAVAILABLE, 1, 2148074257ul },
    { "authority-busy", WA_ANSWER_UNAVAILABLE, 1, 0 },
    { "too-many-handshakes", WA_ANSWER_UNAVAILABLE, 1, 2148074240ul },
    { "credentials-unavailable", WA_ANSWER_UNAVAILABLE, 1, 0 },
    { "not-authorized", WA_ANSWER_DENY, 3, 5 },
    { "persist-limit", WA_ANSWER_DENY, 2, 0 },
    { "policy-changed", WA_ANSWER_DENY, 2, 0 },
};

enum { EXPECTED = (int)(sizeof(expected) / sizeof(expected[0])) };

static int find(const char *token)
{
    int i;

    for (i = 0; i < WA_REASON_COUNT; i++) {
        if (strcmp(wa_reason_get((wa_reason)i)->token, token) == 0) {
            return i;
        }
    }
    return -1;
}

static void every_promised_token(void)
{
    int i;

    for (i = 0; i < EXPECTED; i++) {
        int at = find(expected[i].token);
        const wa_reason_row *row = wa_reason_get((wa_reason)at);
        if (!ok(at >= 0, "%s is in the table", expected[i].token)) {
            continue;
        }
        is_int(row->answer, expected[i].answer, "its answer");
        is_int(row->substatus, expected[i].substatus, "its sub-status");
        if (expected[i].win32 != 0) {
            is_int(row->win32, expected[i].win32, "its Win32 code");
        }
    }
    is_int(WA_REASON_COUNT, EXPECTED, "and nothing is there that was not promised");
}

static bool is_word(const char *token)
{
    size_t n = strlen(token);

    return n > 0 && strspn(token, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && token[0] != '-'
           && token[n - 1] != '-';
}

/* Printable ASCII in one line, without what a format string would take for itself. */
static bool is_line(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e || *text == '%') {
            return false;
        }
    }
    return true;
}

static void every_row(void)
{
    int i, k;
    int twice = 0;
    int words = 0;
    int lines = 0;
    int silent = 0;
    int passes = 0;
    int codes = 0;
    int loud = 0;

    for (i = 0; i < WA_REASON_COUNT; i++) {
        const wa_reason_row *row = wa_reason_get((wa_reason)i);
        for (k = 0; k < i; k++) {
            twice += strcmp(row->token, wa_reason_get((wa_reason)k)->token) == 0;
        }
        words += !is_word(row->token);
        lines += !is_line(row->advice);
        silent += i != WA_REASON_OK && row->advice[0] == '\0';
        passes += row->answer == WA_ANSWER_PASS;
        loud += (row->loud == WA_LOUD_ERROR) != (row->answer == WA_ANSWER_UNAVAILABLE);
        loud += row->answer == WA_ANSWER_PASS && row->loud != WA_LOUD_QUIET;
        codes += row->answer != WA_ANSWER_PASS && (row->win32 == 0 || row->substatus == 0);
    }
    is_int(twice, 0, "no token comes twice");
    is_int(words, 0, "every token is one word of small letters");
    is_int(lines, 0, "every advice is one printable line");
    is_int(silent, 0, "only a success is without advice");
    is_int(passes, 2, "only ok and handshake are not refusals");
    is_int(loud, 0, "what cannot be judged is logged as an error, and nothing else is");
    is_int(codes, 0, "no refusal has the sub-status or the Win32 code of success");
}

static void outside(void)
{
    const wa_reason_row *zero = wa_reason_get((wa_reason)0);

    is_str(zero->token, "bad-token", "what a bug would leave behind is bad-token");
    is_int(zero->answer, WA_ANSWER_DENY, "and denies");
    is_int(WA_ANSWER_DENY, 0, "as an answer nobody filled in does");
    ok(wa_reason_get(WA_REASON_COUNT) == zero, "the first value behind the table");
    ok(wa_reason_get((wa_reason)(WA_REASON_COUNT + 1)) == zero, "the second");
    ok(wa_reason_get((wa_reason)-1) == zero, "one before it");
    ok(wa_reason_get((wa_reason)0x7fffffff) == zero, "far outside");
}

/* The row of a name is the row with its token: the rows are in the enumeration's order. */
static void names_and_tokens(void)
{
    static const struct {
        wa_reason reason;
        const char *name;
    } rows[] = {
#define X(name, ...) { WA_REASON_##name, #name },
        WA_REASONS(X)
#undef X
    };
    size_t i;
    int wrong = 0;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *token = wa_reason_get(rows[i].reason)->token;
        const char *name = rows[i].name;
        for (; *name != '\0' && *token != '\0'; name++, token++) {
            wrong += *token != (*name == '_' ? '-' : tolower((unsigned char)*name));
        }
        wrong += *name != *token;
    }
    is_int(wrong, 0, "every token is its name, written small");
}

int main(void)
{
    every_promised_token();
    every_row();
    outside();
    names_and_tokens();
    return done_testing();
}
