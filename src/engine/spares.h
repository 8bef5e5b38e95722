/* Idle handles kept for the next user: acceptor credentials, connections to winbindd.
 *
 * A handle is owned by whoever took it; the mutex guards only the shelf.  Sharing one handle
 * among threads would serialise them (MIT holds a credential's lock for a whole accept) or
 * corrupt it (a winbind context is a socket). */
#ifndef WA_ENGINE_SPARES_H
#define WA_ENGINE_SPARES_H

#include <apr_pools.h>

typedef struct wa_spares wa_spares;

/* A shelf in pool for at most max idle handles; release frees one.  What is on the shelf when the
 * pool is destroyed is released. */
wa_spares *wa_spares_create(apr_pool_t *pool, int max, void (*release)(void *handle));

/* A handle, now the caller's; NULL when there is none. */
void *wa_spares_take(wa_spares *spares);

/* Gives a handle back; it is released when the shelf is full. */
void wa_spares_put(wa_spares *spares, void *handle);

#endif
