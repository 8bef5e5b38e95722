/* What all child processes of a server share: places, counters.
 *
 * Anonymous shared memory, made once before the first child and kept over restarts, for the
 * children of the configuration before are still at work with it.  Its size is fixed: limits are
 * the business of whoever takes a place.  Nothing in it is an address or a name. */
#ifndef WA_ENGINE_SHARED_H
#define WA_ENGINE_SHARED_H

#include "engine/slots.h"

#include <apr_pools.h>

/* X(member, what is counted, as the server's status shows it) */
/* clang-format off */
#define WA_COUNTERS(X)                                                                             \
    X(authority_asked, "questions put to the NTLM authority")                                      \
    X(authority_late, "of them, given up at the deadline")                                         \
    X(authority_busy, "not put to it: too many were under way")
/* clang-format on */

typedef struct wa_shared {
    wa_slots authority; /* questions to the NTLM authority */
#define X(member, text) volatile apr_uint32_t member;
    WA_COUNTERS(X)
#undef X
} wa_shared;

/* Shared memory, all zero, for as long as pool lives: longer than any child.  NULL: there is none
 * to be had, and *error, in pool, says why. */
wa_shared *wa_shared_make(apr_pool_t *pool, const char **error);

/* Gives back all that a child which is no more has held. */
void wa_shared_reap(wa_shared *shared, pid_t process);

#endif
