#include "core/exchange.h"

/* clang-format off */
#define OFFER { WA_ACTION_OFFER, WA_REASON_ANONYMOUS }
#define BEGIN { WA_ACTION_BEGIN, WA_REASON_HANDSHAKE }
#define STEP  { WA_ACTION_STEP, WA_REASON_HANDSHAKE }
#define REUSE { WA_ACTION_REUSE, WA_REASON_OK }
#define ENCOD { WA_ACTION_REFUSE, WA_REASON_BAD_ENCODING }
#define TOKEN { WA_ACTION_REFUSE, WA_REASON_BAD_TOKEN }
#define SEQ   { WA_ACTION_REFUSE, WA_REASON_OUT_OF_SEQUENCE }

static const wa_cell table[WA_EVENT_COUNT][WA_STATE_COUNT] = {
    /*                                 NONE   NTLM   SPNEGO BOUND */
    [WA_EVENT_MALFORMED]         = { ENCOD, ENCOD, ENCOD, ENCOD },
    [WA_EVENT_NOTHING]           = { OFFER, OFFER, OFFER, REUSE },
    [WA_EVENT_FOREIGN]           = { OFFER, OFFER, OFFER, OFFER },
    [WA_EVENT_BAD_TOKEN]         = { TOKEN, TOKEN, TOKEN, TOKEN },
    [WA_EVENT_NTLM_NEGOTIATE]    = { BEGIN, BEGIN, BEGIN, BEGIN },
    [WA_EVENT_NTLM_AUTHENTICATE] = { SEQ,   STEP,  SEQ,   SEQ   },
    [WA_EVENT_SPNEGO_INIT]       = { BEGIN, BEGIN, BEGIN, BEGIN },
    [WA_EVENT_SPNEGO_RESP]       = { SEQ,   SEQ,   STEP,  SEQ   },
    [WA_EVENT_KRB5]              = { BEGIN, BEGIN, BEGIN, BEGIN },
    [WA_EVENT_BASIC]             = { BEGIN, BEGIN, BEGIN, BEGIN },
};
/* clang-format on */

static const wa_event events[WA_TOKEN_COUNT] = {
    [WA_TOKEN_UNKNOWN] = WA_EVENT_BAD_TOKEN,
    [WA_TOKEN_NTLM_NEGOTIATE] = WA_EVENT_NTLM_NEGOTIATE,
    [WA_TOKEN_NTLM_AUTHENTICATE] = WA_EVENT_NTLM_AUTHENTICATE,
    [WA_TOKEN_SPNEGO_INIT] = WA_EVENT_SPNEGO_INIT,
    [WA_TOKEN_SPNEGO_RESP] = WA_EVENT_SPNEGO_RESP,
    [WA_TOKEN_KRB5] = WA_EVENT_KRB5,
};

wa_event wa_exchange_event(wa_scheme scheme, wa_token_kind kind)
{
    wa_event event = kind < WA_TOKEN_COUNT ? events[kind] : WA_EVENT_BAD_TOKEN;

    if (scheme == WA_SCHEME_BASIC) {
        return WA_EVENT_BASIC; /* its text is no token, whatever it looks like */
    }
    if (scheme == WA_SCHEME_NEGOTIATE) {
        return event;
    }
    if (scheme == WA_SCHEME_NTLM
        && (event == WA_EVENT_NTLM_NEGOTIATE || event == WA_EVENT_NTLM_AUTHENTICATE)) {
        return event;
    }
    return WA_EVENT_BAD_TOKEN;
}

wa_cell wa_exchange_lookup(wa_state state, wa_event event)
{
    static const wa_cell refuse = TOKEN;

    return state < WA_STATE_COUNT && event < WA_EVENT_COUNT ? table[event][state] : refuse;
}

bool wa_exchange_keeps(wa_action action)
{
    return action == WA_ACTION_STEP || action == WA_ACTION_REUSE;
}

wa_state wa_exchange_after(wa_verdict verdict, wa_event event, bool bind)
{
    if (verdict == WA_VERDICT_DONE) {
        return bind ? WA_STATE_BOUND : WA_STATE_NONE;
    }
    if (verdict != WA_VERDICT_CONTINUE) {
        return WA_STATE_NONE;
    }
    switch (event) {
    case WA_EVENT_NTLM_NEGOTIATE:
        return WA_STATE_NTLM;
    case WA_EVENT_SPNEGO_INIT:
    case WA_EVENT_SPNEGO_RESP:
        return WA_STATE_SPNEGO;
    case WA_EVENT_MALFORMED:
    case WA_EVENT_NOTHING:
    case WA_EVENT_FOREIGN:
    case WA_EVENT_BAD_TOKEN:
    case WA_EVENT_NTLM_AUTHENTICATE:
    case WA_EVENT_KRB5:
    case WA_EVENT_BASIC:
    case WA_EVENT_COUNT:
        break; /* nothing may follow these: a bare Kerberos token and a password have one leg */
    }
    return WA_STATE_NONE;
}

const char *wa_state_name(wa_state state)
{
    static const char *const names[WA_STATE_COUNT] = { "none", "ntlm-pending", "spnego-pending",
                                                       "bound" };

    return state < WA_STATE_COUNT ? names[state] : "?";
}

const char *wa_event_name(wa_event event)
{
    static const char *const names[WA_EVENT_COUNT] = {
        [WA_EVENT_MALFORMED] = "malformed",
        [WA_EVENT_NOTHING] = "nothing",
        [WA_EVENT_FOREIGN] = "foreign",
        [WA_EVENT_BAD_TOKEN] = "bad-token",
        [WA_EVENT_NTLM_NEGOTIATE] = "ntlm-negotiate",
        [WA_EVENT_NTLM_AUTHENTICATE] = "ntlm-authenticate",
        [WA_EVENT_SPNEGO_INIT] = "spnego-init",
        [WA_EVENT_SPNEGO_RESP] = "spnego-resp",
        [WA_EVENT_KRB5] = "krb5",
        [WA_EVENT_BASIC] = "basic",
    };

    return event < WA_EVENT_COUNT ? names[event] : "?";
}
