/* The exchange table, three times over: rules that hold for every cell, each cell by name, and
 * whole conversations.  The rules are written from what must be true, not from the table. */
#include "core/exchange.h"

#include "tap.h"

static wa_cell cell(int state, int event)
{
    return wa_exchange_lookup((wa_state)state, (wa_event)event);
}

static bool is_token(int event)
{
    return event != WA_EVENT_NOTHING && event != WA_EVENT_FOREIGN && event != WA_EVENT_MALFORMED;
}

static bool same(wa_cell a, wa_cell b)
{
    return a.action == b.action && a.reason == b.reason;
}

/* ---- rules ---- */

static void rule_reuse(void)
{
    int s, e;
    int wrong = 0;

    for (s = 0; s < WA_STATE_COUNT; s++) {
        for (e = 0; e < WA_EVENT_COUNT; e++) {
            bool may = s == WA_STATE_BOUND && e == WA_EVENT_NOTHING;
            wrong += (cell(s, e).action == WA_ACTION_REUSE) != may;
        }
    }
    is_int(wrong, 0,
           "a login is reused by a bare request on a bound connection, by nothing else");
}

static void rule_step(void)
{
    int s, e;
    int wrong = 0;

    for (s = 0; s < WA_STATE_COUNT; s++) {
        for (e = 0; e < WA_EVENT_COUNT; e++) {
            bool may = (s == WA_STATE_NTLM && e == WA_EVENT_NTLM_AUTHENTICATE)
                       || (s == WA_STATE_SPNEGO && e == WA_EVENT_SPNEGO_RESP);
            wrong += (cell(s, e).action == WA_ACTION_STEP) != may;
        }
    }
    is_int(wrong, 0, "an engine at work gets the next leg of its own exchange and nothing else");
}

static void rule_begin(void)
{
    int s, e;
    int wrong = 0;

    for (s = 0; s < WA_STATE_COUNT; s++) {
        for (e = 0; e < WA_EVENT_COUNT; e++) {
            bool first = e == WA_EVENT_NTLM_NEGOTIATE || e == WA_EVENT_SPNEGO_INIT
                         || e == WA_EVENT_KRB5 || e == WA_EVENT_BASIC;
            wrong += (cell(s, e).action == WA_ACTION_BEGIN) != first;
        }
    }
    is_int(wrong, 0, "a first leg begins afresh, whatever went before");
}

static void rule_forget(void)
{
    int s, e;
    int bound = 0;
    int dropped = 0;

    for (s = 0; s < WA_STATE_COUNT; s++) {
        for (e = 0; e < WA_EVENT_COUNT; e++) {
            wa_action action = cell(s, e).action;
            bool kept = wa_exchange_keeps(action);
            bound += s == WA_STATE_BOUND && e != WA_EVENT_NOTHING && kept;
            dropped += kept != (action == WA_ACTION_STEP || action == WA_ACTION_REUSE);
        }
    }
    is_int(bound, 0, "anything but a bare request drops a login");
    is_int(dropped, 0, "only a further leg and a reuse keep what the connection held");
    ok(!wa_exchange_keeps(WA_ACTION_REFUSE) && !wa_exchange_keeps(WA_ACTION_OFFER)
           && !wa_exchange_keeps(WA_ACTION_BEGIN),
       "a refusal, an offer and a new start drop");
    ok(!wa_exchange_keeps((wa_action)(WA_ACTION_REUSE + 1)) && !wa_exchange_keeps((wa_action)-1),
       "so does an action that is none");
}

static void rule_reasons(void)
{
    int s, e;
    int refusals = 0;
    int offers = 0;
    int passes = 0;
    int encoding = 0;

    for (s = 0; s < WA_STATE_COUNT; s++) {
        for (e = 0; e < WA_EVENT_COUNT; e++) {
            wa_cell c = cell(s, e);
            bool pass = wa_reason_get(c.reason)->answer == WA_ANSWER_PASS;
            refusals += c.action == WA_ACTION_REFUSE && (pass || c.reason == WA_REASON_ANONYMOUS);
            offers += c.action == WA_ACTION_OFFER && c.reason != WA_REASON_ANONYMOUS;
            passes += (c.action == WA_ACTION_BEGIN || c.action == WA_ACTION_STEP
                       || c.action == WA_ACTION_REUSE)
                      && !pass;
            passes += (c.reason == WA_REASON_OK) != (c.action == WA_ACTION_REUSE);
            encoding += (c.reason == WA_REASON_BAD_ENCODING) != (e == WA_EVENT_MALFORMED);
        }
    }
    is_int(refusals, 0, "every refusal has a reason that refuses");
    is_int(offers, 0, "an offer is made to the anonymous");
    is_int(passes, 0, "what goes on is no refusal, and only a reuse is ok at once");
    is_int(encoding, 0, "a malformed header, and it alone, is a bad request");
}

static void rule_same_everywhere(void)
{
    static const int events[] = { WA_EVENT_MALFORMED,   WA_EVENT_FOREIGN,
                                  WA_EVENT_BAD_TOKEN,   WA_EVENT_NTLM_NEGOTIATE,
                                  WA_EVENT_SPNEGO_INIT, WA_EVENT_KRB5,
                                  WA_EVENT_BASIC };
    size_t i;
    int s, e;
    int wrong = 0;

    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        for (s = 0; s < WA_STATE_COUNT; s++) {
            wrong += !same(cell(s, events[i]), cell(WA_STATE_NONE, events[i]));
        }
    }
    is_int(wrong, 0, "what does not continue anything is treated alike in every state");
    wrong = 0;
    for (e = 0; e < WA_EVENT_COUNT; e++) {
        wrong += e != WA_EVENT_NOTHING && !same(cell(WA_STATE_BOUND, e), cell(WA_STATE_NONE, e));
    }
    is_int(wrong, 0, "a header on a bound connection is judged as on a fresh one");
}

static void rule_outside(void)
{
    static const int far[] = { -1, 0x7fffffff, -0x7fffffff - 1, 100, 255, 256 };
    size_t i;
    int k;
    int wrong = 0;
    wa_cell refuse = { WA_ACTION_REFUSE, WA_REASON_BAD_TOKEN };

    for (k = 0; k < WA_EVENT_COUNT; k++) {
        wrong += !same(cell(WA_STATE_COUNT, k), refuse);
        for (i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
            wrong += !same(cell(far[i], k), refuse);
        }
    }
    for (k = 0; k < WA_STATE_COUNT; k++) {
        wrong += !same(cell(k, WA_EVENT_COUNT), refuse);
        for (i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
            wrong += !same(cell(k, far[i]), refuse);
        }
    }
    wrong += !same(cell(WA_STATE_COUNT, WA_EVENT_COUNT), refuse);
    is_int(wrong, 0, "a state or an event outside the table is refused");
    ok(WA_ACTION_REFUSE == 0 && WA_VERDICT_FAILED == 0 && WA_STATE_NONE == 0
           && WA_EVENT_MALFORMED == 0,
       "memory nobody filled in refuses");
}

/* ---- each cell ---- */

/* Rows in the order of wa_event, columns none, NTLM pending, SPNEGO pending, bound.
 * E bad encoding, T bad token, Q out of sequence: refused; o offer, b begin, s step, r reuse. */
static const char *const matrix[WA_EVENT_COUNT] = {
    /* malformed         */ "EEEE",
    /* nothing           */ "ooor",
    /* foreign           */ "oooo",
    /* bad token         */ "TTTT",
    /* NTLM negotiate    */ "bbbb",
    /* NTLM authenticate */ "QsQQ",
    /* SPNEGO init       */ "bbbb",
    /* SPNEGO resp       */ "QQsQ",
    /* bare Kerberos     */ "bbbb",
    /* password          */ "bbbb",
};

static wa_cell cell_of(char letter)
{
    static const struct {
        char letter;
        wa_cell cell;
    } rows[] = {
        { 'E', { WA_ACTION_REFUSE, WA_REASON_BAD_ENCODING } },
        { 'T', { WA_ACTION_REFUSE, WA_REASON_BAD_TOKEN } },
        { 'Q', { WA_ACTION_REFUSE, WA_REASON_OUT_OF_SEQUENCE } },
        { 'o', { WA_ACTION_OFFER, WA_REASON_ANONYMOUS } },
        { 'b', { WA_ACTION_BEGIN, WA_REASON_HANDSHAKE } },
        { 's', { WA_ACTION_STEP, WA_REASON_HANDSHAKE } },
        { 'r', { WA_ACTION_REUSE, WA_REASON_OK } },
    };
    size_t i = 0;

    while (rows[i].letter != letter) {
        i++;
    }
    return rows[i].cell;
}

static void every_cell(void)
{
    int s, e;

    for (e = 0; e < WA_EVENT_COUNT; e++) {
        for (s = 0; s < WA_STATE_COUNT; s++) {
            ok(same(cell(s, e), cell_of(matrix[e][s])), "%s, when the connection holds: %s",
               wa_event_name((wa_event)e), wa_state_name((wa_state)s));
        }
    }
}

/* ---- events ---- */

static void every_event(void)
{
    static const struct {
        wa_token_kind kind;
        wa_event negotiate, ntlm; /* under which scheme */
    } rows[] = {
        { WA_TOKEN_UNKNOWN, WA_EVENT_BAD_TOKEN, WA_EVENT_BAD_TOKEN },
        { WA_TOKEN_NTLM_NEGOTIATE, WA_EVENT_NTLM_NEGOTIATE, WA_EVENT_NTLM_NEGOTIATE },
        { WA_TOKEN_NTLM_AUTHENTICATE, WA_EVENT_NTLM_AUTHENTICATE, WA_EVENT_NTLM_AUTHENTICATE },
        { WA_TOKEN_SPNEGO_INIT, WA_EVENT_SPNEGO_INIT, WA_EVENT_BAD_TOKEN },
        { WA_TOKEN_SPNEGO_RESP, WA_EVENT_SPNEGO_RESP, WA_EVENT_BAD_TOKEN },
        { WA_TOKEN_KRB5, WA_EVENT_KRB5, WA_EVENT_BAD_TOKEN },
        { WA_TOKEN_COUNT, WA_EVENT_BAD_TOKEN, WA_EVENT_BAD_TOKEN },
        { (wa_token_kind)-1, WA_EVENT_BAD_TOKEN, WA_EVENT_BAD_TOKEN },
        { (wa_token_kind)1000, WA_EVENT_BAD_TOKEN, WA_EVENT_BAD_TOKEN },
    };
    size_t i;

    is_int(sizeof(rows) / sizeof(rows[0]), WA_TOKEN_COUNT + 3, "a row for each kind of token");
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wa_token_kind kind = rows[i].kind;
        is_int(wa_exchange_event(WA_SCHEME_NEGOTIATE, kind), rows[i].negotiate,
               "token kind %d under Negotiate", (int)kind);
        is_int(wa_exchange_event(WA_SCHEME_NTLM, kind), rows[i].ntlm, "token kind %d under NTLM",
               (int)kind);
        ok(wa_exchange_event(WA_SCHEME_OTHER, kind) == WA_EVENT_BAD_TOKEN
               && wa_exchange_event(WA_SCHEME_BASIC, kind) == WA_EVENT_BASIC
               && wa_exchange_event(WA_SCHEME_COUNT, kind) == WA_EVENT_BAD_TOKEN
               && wa_exchange_event((wa_scheme)-1, kind) == WA_EVENT_BAD_TOKEN,
           "token kind %d is a password under Basic, no token under others", (int)kind);
    }
}

/* ---- what follows an engine's verdict ---- */

static void after(void)
{
    static const int out[] = { WA_VERDICT_COUNT, -1, 99 };
    int v, e;
    size_t i;
    int bound = 0;
    int pending = 0;
    int none = 0;

    for (v = 0; v < WA_VERDICT_COUNT; v++) {
        for (e = 0; e <= WA_EVENT_COUNT; e++) {
            wa_state kept = wa_exchange_after((wa_verdict)v, (wa_event)e, true);
            wa_state loose = wa_exchange_after((wa_verdict)v, (wa_event)e, false);
            bool spnego = e == WA_EVENT_SPNEGO_INIT || e == WA_EVENT_SPNEGO_RESP;
            wa_state next = e == WA_EVENT_NTLM_NEGOTIATE ? WA_STATE_NTLM
                            : spnego                     ? WA_STATE_SPNEGO
                                                         : WA_STATE_NONE;
            bound += (kept == WA_STATE_BOUND) != (v == WA_VERDICT_DONE);
            bound += loose == WA_STATE_BOUND;
            if (v == WA_VERDICT_CONTINUE) {
                pending += kept != next || loose != next;
                continue;
            }
            none += loose != WA_STATE_NONE;
            none += v != WA_VERDICT_DONE && kept != WA_STATE_NONE;
        }
    }
    is_int(bound, 0,
           "a connection is bound by a login that is done and may bind, never otherwise");
    is_int(pending, 0,
           "a challenge is pending after the first leg of its kind and after no other");
    is_int(none, 0, "whatever ends an exchange leaves nothing");

    for (none = 0, i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        for (e = 0; e <= WA_EVENT_COUNT; e++) {
            none += wa_exchange_after((wa_verdict)out[i], (wa_event)e, true) != WA_STATE_NONE;
        }
    }
    none += wa_exchange_after(WA_VERDICT_CONTINUE, (wa_event)-1, true) != WA_STATE_NONE;
    is_int(none, 0, "nor does a verdict or an event that is none");
}

static void names(void)
{
    int s, e, k;
    int twice = 0;

    for (s = 0; s < WA_STATE_COUNT; s++) {
        for (k = 0; k < s; k++) {
            twice += strcmp(wa_state_name((wa_state)s), wa_state_name((wa_state)k)) == 0;
        }
    }
    for (e = 0; e < WA_EVENT_COUNT; e++) {
        for (k = 0; k < e; k++) {
            twice += strcmp(wa_event_name((wa_event)e), wa_event_name((wa_event)k)) == 0;
        }
        twice += wa_event_name((wa_event)e)[0] == '?';
    }
    is_int(twice, 0, "names of states and events tell them apart");
    is_str(wa_state_name(WA_STATE_NONE), "none", "name of the first state");
    is_str(wa_state_name(WA_STATE_NTLM), "ntlm-pending", "name of the second");
    is_str(wa_state_name(WA_STATE_SPNEGO), "spnego-pending", "name of the third");
    is_str(wa_state_name(WA_STATE_BOUND), "bound", "name of the last state");
    is_str(wa_event_name(WA_EVENT_BASIC), "basic", "name of the last event");
    is_str(wa_state_name(WA_STATE_COUNT), "?", "no name behind the states");
    is_str(wa_event_name(WA_EVENT_COUNT), "?", "nor behind the events");
    is_str(wa_state_name((wa_state)-1), "?", "nor before the states");
    is_str(wa_event_name((wa_event)-1), "?", "nor before the events");
}

/* ---- conversations ---- */

/* Plays one connection.  script: letters for what each request brings, then, where an engine
 * runs, its verdict (c continue, d done, f failed, u unavailable).  Returns the actions as a
 * string. */
static const char *play(const char *script, bool bind, wa_state *end)
{
    static const char events[] = "-0?!13arkp"; /* in the order of wa_event */
    static char log[64];
    wa_state state = WA_STATE_NONE;
    size_t n = 0;

    for (; *script != '\0'; script++) {
        wa_event event = (wa_event)(strchr(events, *script) - events);
        wa_cell c = wa_exchange_lookup(state, event);
        log[n++] = "Xobsr"[c.action];
        if (!wa_exchange_keeps(c.action)) {
            state = WA_STATE_NONE;
        }
        if (c.action == WA_ACTION_BEGIN || c.action == WA_ACTION_STEP) {
            wa_verdict verdict = (wa_verdict)(strchr("fucd", *++script) - "fucd");
            state = wa_exchange_after(verdict, event, bind);
        }
    }
    log[n] = '\0';
    *end = state;
    return log;
}

static void conversations(void)
{
    static const struct {
        const char *script, *actions;
        bool bind;
        wa_state end;
        const char *why;
    } rows[] = {
        { "01c3d00", "obsrr", true, WA_STATE_BOUND, "NTLM, then two bare requests" },
        { "01c3d00", "obsoo", false, WA_STATE_NONE, "the same when a login may not bind" },
        { "kd0", "br", true, WA_STATE_BOUND, "Kerberos in one leg" },
        { "kc0", "bo", true, WA_STATE_NONE, "bare Kerberos that wants a second leg gets none" },
        { "acrcrd0", "bssr", true, WA_STATE_BOUND, "SPNEGO in three legs" },
        { "1c3f1c3d", "bsbs", true, WA_STATE_BOUND, "a wrong password, then the right one" },
        { "1c3f3", "bsX", true, WA_STATE_NONE, "a type 3 is judged once" },
        { "1c3d3", "bsX", true, WA_STATE_NONE, "and never on a login" },
        { "1c03", "boX", true, WA_STATE_NONE, "a bare request ends a handshake" },
        { "1c?3", "boX", true, WA_STATE_NONE, "so does a foreign scheme" },
        { "1c-3", "bXX", true, WA_STATE_NONE, "so does a malformed header" },
        { "1c!3", "bXX", true, WA_STATE_NONE, "so does rubbish" },
        { "1cr", "bX", true, WA_STATE_NONE, "SPNEGO does not continue NTLM" },
        { "ac3", "bX", true, WA_STATE_NONE, "NTLM does not continue SPNEGO" },
        { "1cac3", "bbX", true, WA_STATE_NONE, "nor after the scheme was changed on the way" },
        { "3", "X", true, WA_STATE_NONE, "a type 3 out of nowhere" },
        { "r", "X", true, WA_STATE_NONE, "a continuation out of nowhere" },
        { "kd!0", "bXo", true, WA_STATE_NONE, "rubbish on a login ends it" },
        { "kd-0", "bXo", true, WA_STATE_NONE, "a malformed header ends it" },
        { "kd?0", "boo", true, WA_STATE_NONE, "someone else's credentials end it" },
        { "kd30", "bXo", true, WA_STATE_NONE, "a type 3 out of sequence ends it" },
        { "kd1f0", "bbo", true, WA_STATE_NONE, "a failed second login ends the first" },
        { "kd1c0", "bbo", true, WA_STATE_NONE, "so does one that is not carried on" },
        { "kd1u0", "bbo", true, WA_STATE_NONE, "so does one that could not be judged" },
        { "kdkd0", "bbr", true, WA_STATE_BOUND, "a second login takes the place of the first" },
        { "1cpf3", "bbX", true, WA_STATE_NONE, "a password ends a handshake" },
        { "kdpf0", "bbo", true, WA_STATE_NONE, "a wrong password ends a login" },
        { "pc0", "bo", true, WA_STATE_NONE, "a password has no second leg" },
        { "pd0", "bo", false, WA_STATE_NONE, "a password that may not bind is asked for again" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wa_state end;
        is_str(play(rows[i].script, rows[i].bind, &end), rows[i].actions, "%s", rows[i].why);
        is_int(end, rows[i].end, "what the connection holds at its end");
    }
}

/* However requests and verdicts follow each other: a connection is bound only if the last thing
 * that was not a bare request on a bound connection was an engine's DONE. */
static void walk(wa_state state, bool proved, int depth, int *wrong)
{
    int e, v;

    *wrong += (state == WA_STATE_BOUND) && !proved;
    if (depth == 0) {
        return;
    }
    for (e = 0; e < WA_EVENT_COUNT; e++) {
        wa_cell c = cell(state, e);
        wa_state kept = wa_exchange_keeps(c.action) ? state : WA_STATE_NONE;
        if (c.action == WA_ACTION_BEGIN || c.action == WA_ACTION_STEP) {
            for (v = 0; v < WA_VERDICT_COUNT; v++) {
                walk(wa_exchange_after((wa_verdict)v, (wa_event)e, true), v == WA_VERDICT_DONE,
                     depth - 1, wrong);
            }
            continue;
        }
        *wrong += c.action == WA_ACTION_REUSE && !proved;
        *wrong += is_token(e) && kept == WA_STATE_BOUND;
        walk(kept, proved && kept == state, depth - 1, wrong);
    }
}

int main(void)
{
    int wrong = 0;

    rule_reuse();
    rule_step();
    rule_begin();
    rule_forget();
    rule_reasons();
    rule_same_everywhere();
    rule_outside();
    every_cell();
    every_event();
    after();
    names();
    conversations();
    walk(WA_STATE_NONE, false, 5, &wrong);
    is_int(wrong, 0, "no conversation of five requests gets a login it did not prove");
    return done_testing();
}
