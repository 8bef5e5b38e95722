/* Exchanges that wait for a client's next token, across all processes: how many there are in all
 * and of one address.
 *
 * A record in shared memory for each.  It is given back when the exchange ends, when its process
 * has died, or when it is too old; an exchange whose record is gone must not go on.  Records of
 * the dead are given back by whoever uses the table next. */
#ifndef WA_ENGINE_PENDING_H
#define WA_ENGINE_PENDING_H

#include "engine/shared.h"

typedef struct wa_pending {
    wa_shared *shared;
    apr_uint32_t total;       /* at one time; at most WA_SHARED_PENDING_MAX */
    apr_uint32_t per_address; /* of them, of one address */
    apr_uint32_t seconds;     /* until a record is too old */
} wa_pending;

/* Which record; all zero: none. */
typedef struct wa_pending_ticket {
    apr_uint32_t number; /* of the record, from 1 */
    apr_uint32_t serial; /* of its use */
} wa_pending_ticket;

typedef enum {
    WA_PENDING_FULL = 0, /* as many as there may be in all */
    WA_PENDING_CROWDED,  /* as many as there may be of this address */
    WA_PENDING_ADMITTED  /* *ticket is set */
} wa_pending_answer;

/* address NULL: counts for no address. */
wa_pending_answer wa_pending_open(const wa_pending *pending, const char *address,
                                  wa_pending_ticket *ticket);

/* True iff the record is still that exchange's, and not too old. */
bool wa_pending_is_open(const wa_pending *pending, wa_pending_ticket ticket);

/* Gives the record back, if it still is that exchange's. */
void wa_pending_close(const wa_pending *pending, wa_pending_ticket ticket);

/* How many records are in use. */
apr_uint32_t wa_pending_count(const wa_pending *pending);

#endif
