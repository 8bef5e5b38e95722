/* The exchange: what a connection knows, what a request brings, and what follows from both.
 *
 * One table, no ifs.  Two things hold for every cell and are tested for every cell: a login comes
 * only from an engine that says DONE, and whatever the connection held is forgotten unless the
 * action is STEP or REUSE.  A token on a bound connection therefore always drops the old login
 * first. */
#ifndef WA_CORE_EXCHANGE_H
#define WA_CORE_EXCHANGE_H

#include "core/header.h"
#include "core/reason.h"
#include "core/token.h"

/* What the connection holds. */
typedef enum {
    WA_STATE_NONE = 0, /* nothing */
    WA_STATE_NTLM,     /* a raw NTLM challenge is out */
    WA_STATE_SPNEGO,   /* a SPNEGO negotiation is open */
    WA_STATE_BOUND,    /* a login */
    WA_STATE_COUNT
} wa_state;

/* What the request brings. */
typedef enum {
    WA_EVENT_MALFORMED = 0, /* a header that is none */
    WA_EVENT_NOTHING,       /* no header */
    WA_EVENT_FOREIGN,       /* a scheme that is not offered here, or one without data */
    WA_EVENT_BAD_TOKEN,     /* base64 of something that is no token */
    WA_EVENT_NTLM_NEGOTIATE,
    WA_EVENT_NTLM_AUTHENTICATE,
    WA_EVENT_SPNEGO_INIT,
    WA_EVENT_SPNEGO_RESP,
    WA_EVENT_KRB5,
    WA_EVENT_BASIC, /* a user and a password */
    WA_EVENT_COUNT
} wa_event;

typedef enum {
    WA_ACTION_REFUSE = 0, /* answer as the reason says */
    WA_ACTION_OFFER, /* as anonymous: 401 with the offers, or let through where that is allowed */
    WA_ACTION_BEGIN, /* start an engine with the token */
    WA_ACTION_STEP,  /* hand the token to the engine at work */
    WA_ACTION_REUSE  /* serve under the connection's login */
} wa_action;

typedef struct wa_cell {
    wa_action action;
    wa_reason reason; /* for WA_ACTION_REFUSE */
} wa_cell;

/* What an engine says of one step. */
typedef enum {
    WA_VERDICT_FAILED = 0,  /* judged, and no */
    WA_VERDICT_UNAVAILABLE, /* could not be judged */
    WA_VERDICT_CONTINUE,    /* one more leg */
    WA_VERDICT_DONE,        /* an identity is proved */
    WA_VERDICT_COUNT
} wa_verdict;

/* The event a token of this kind is under scheme.  Raw NTLM may come under either scheme;
 * everything else belongs to Negotiate. */
wa_event wa_exchange_event(wa_scheme scheme, wa_token_kind kind);

/* The cell; values outside the table are refused. */
wa_cell wa_exchange_lookup(wa_state state, wa_event event);

/* True iff the connection's state survives the action. */
bool wa_exchange_keeps(wa_action action);

/* State after an engine's verdict.  event is the one that began the exchange, which tells which
 * kind of pending state it is; bind says whether a login may stay with the connection. */
wa_state wa_exchange_after(wa_verdict verdict, wa_event event, bool bind);

const char *wa_state_name(wa_state state);
const char *wa_event_name(wa_event event);

#endif
