/* What all child processes of a server share: places, tables, counters.
 *
 * Anonymous shared memory, made once before the first child and kept over restarts, for the
 * children of the configuration before are still at work with it.  Its size is fixed: limits are
 * the business of whoever takes a place.  Nothing of ours in it is a pointer, and no name stands
 * in it.
 *
 * Every child can write to all of it, also one that somebody has taken over.  So the parent,
 * which is root, takes no mutex here and believes nothing it finds; and no child takes a number
 * from here for an index, or a list for one that ends, before it has looked. */
#ifndef WA_ENGINE_SHARED_H
#define WA_ENGINE_SHARED_H

#include "engine/dead.h"
#include "engine/slots.h"

#include <apr_pools.h>
#include <pthread.h>

/* X(member, name, text): what is counted, as the server's status shows it. */
/* clang-format off */
#define WA_COUNTERS(X)                                                                             \
    X(logins_kerberos, "LoginsKerberos", "logins by Kerberos")                                     \
    X(logins_ntlm, "LoginsNTLM", "logins by NTLM, and by passwords the NTLM authority judged")     \
    X(refusals, "Refusals", "logins refused, or not judged")                                       \
    X(authority_asked, "AuthorityAsked", "questions put to the NTLM authority")                    \
    X(authority_late, "AuthorityLate", "of them, given up at the deadline")                        \
    X(authority_busy, "AuthorityBusy", "not put to it: too many were under way")                   \
    X(handshakes_refused, "HandshakesRefused", "handshakes refused: too many were pending")        \
    X(handshakes_expired, "HandshakesExpired", "handshakes whose client took too long")            \
    X(locked_out, "LockedOut", "passwords not submitted: too many had been wrong")
/* clang-format on */

enum {
    WA_SHARED_LOCKOUT_BUCKETS = 2048,
    WA_SHARED_LOCKOUT_WAYS = 8,
    WA_SHARED_PENDING_MAX = 16384,
    WA_SHARED_PENDING_CHAINS = 4096,
    WA_SHARED_KEY_LEN = 32,
    WA_SHARED_LAYOUT =
        2 /* another one whenever something in wa_shared comes to mean another thing */
};

/* An exchange that waits for its client; engine/pending.  Lists are of numbers from 1.  Volatile:
 * a number that was looked at must not be read once more. */
typedef struct wa_shared_pending {
    apr_uint64_t tag;              /* of the address */
    volatile apr_uint32_t process; /* 0: free */
    volatile apr_uint32_t serial;  /* of this use of the record */
    volatile apr_uint32_t since;   /* when it began */
    volatile apr_uint32_t chain;   /* the next one with this hash */
    volatile apr_uint32_t older;   /* in the order in which they began */
    volatile apr_uint32_t newer;   /* likewise; of a free one, the next free one */
} wa_shared_pending;

/* Who was refused; engine/lockout. */
typedef struct wa_shared_row {
    apr_uint64_t tag;      /* 0: free */
    apr_uint32_t failures; /* refusals */
    apr_uint32_t failed;   /* when the last one was */
    apr_uint32_t pending;  /* submissions under way */
    apr_uint32_t entered;  /* when the last of them began */
} wa_shared_row;

typedef struct wa_shared {
    wa_slots authority;         /* questions to the NTLM authority */
    wa_dead dead;               /* whose records are not given back yet */
    pthread_mutex_t mutex;      /* guards the tables; robust: one who dies with it does no harm */
    volatile apr_uint32_t torn; /* one has died with it, or lists are wrong: they begin anew */
    unsigned char key[WA_SHARED_KEY_LEN]; /* random; of hashes in the tables */
    wa_shared_row lockout[WA_SHARED_LOCKOUT_BUCKETS][WA_SHARED_LOCKOUT_WAYS];
    wa_shared_pending pending[WA_SHARED_PENDING_MAX];
    volatile apr_uint32_t pending_chains[WA_SHARED_PENDING_CHAINS];
    volatile apr_uint32_t pending_count;  /* in use */
    volatile apr_uint32_t pending_used;   /* ever used */
    volatile apr_uint32_t pending_free;   /* the first free one of these */
    volatile apr_uint32_t pending_oldest; /* the first to be too old */
    volatile apr_uint32_t pending_newest;
    apr_uint32_t pending_spread; /* for those that belong to no address */
#define X(member, name, text) volatile apr_uint32_t member;
    WA_COUNTERS(X)
#undef X
} wa_shared;

/* Shared memory, with nothing in its tables, for as long as pool lives: longer than any child.
 * NULL: there is none to be had, and *error, in pool, says why. */
wa_shared *wa_shared_make(apr_pool_t *pool, const char **error);

/* The mutex, never in the parent.  False: it is not to be had, and the tables cannot be used. */
bool wa_shared_lock(wa_shared *shared);
void wa_shared_unlock(wa_shared *shared);

/* What the parent does about a child that is no more: frees its places, and notes that it is
 * dead; the next child that comes by gives back the rest. */
void wa_shared_reap(wa_shared *shared, pid_t process);

#endif
