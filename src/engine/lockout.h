/* How often an account, or an address, was refused: below the directory's own threshold further
 * passwords are not submitted, so that a guesser at this server does not lock the account out.
 *
 * A table in shared memory, rows of keyed hashes: no name stands in it.  A row is reserved before
 * a password is submitted, so that many submitted at one time are not more than may be; it is
 * free again when nothing was refused.  The time of a row begins anew with each refusal, as in a
 * directory: what was counted there and is forgotten here was forgotten there as well. */
#ifndef WA_ENGINE_LOCKOUT_H
#define WA_ENGINE_LOCKOUT_H

#include "core/bytes.h"
#include "engine/offload.h"

typedef struct wa_lockout {
    wa_offload *offload;   /* whoever waits for others of the same account, waits there */
    apr_uint32_t attempts; /* refusals until nothing is submitted any more */
    apr_uint32_t seconds;  /* without a refusal until they are forgotten */
    bool per_address;      /* counted by client address, else by account */
} wa_lockout;

enum { WA_LOCKOUT_KEYS = 2 };

/* What is counted under: one row for each; all of them must allow a submission. */
typedef struct wa_lockout_keys {
    int count;
    unsigned char digest[WA_LOCKOUT_KEYS][16];
} wa_lockout_keys;

/* Adds a key; kind tells apart what is spelled the same. */
void wa_lockout_add(const wa_lockout *lockout, char kind, wa_span text, wa_lockout_keys *keys);

typedef enum {
    WA_LOCKOUT_LOCKED = 0, /* not to be submitted */
    WA_LOCKOUT_WAIT,       /* as many are under way as may be refused: ask again */
    WA_LOCKOUT_GO          /* submit, and leave */
} wa_lockout_answer;

wa_lockout_answer wa_lockout_enter(const wa_lockout *lockout, const wa_lockout_keys *keys);

typedef enum {
    WA_LOCKOUT_REFUSED = 0, /* one more */
    WA_LOCKOUT_RIGHT,       /* an account's count is cleared; an address's is not */
    WA_LOCKOUT_UNJUDGED,    /* nobody judged, or not the password: not counted */
    WA_LOCKOUT_UNKNOWN      /* still under way: it keeps its reservation for a minute */
} wa_lockout_result;

void wa_lockout_leave(const wa_lockout *lockout, const wa_lockout_keys *keys,
                      wa_lockout_result result);

#endif
