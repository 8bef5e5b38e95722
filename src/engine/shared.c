#include "engine/shared.h"

#include <apr_shm.h>
#include <apr_strings.h>
#include <errno.h>
#include <openssl/rand.h>
#include <time.h>

enum { PATIENCE = 2 }; /* seconds for what takes a microsecond */

static bool make_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;
    bool made;

    pthread_mutexattr_init(&attr);
    made = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0
           && pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0
           && pthread_mutex_init(mutex, &attr) == 0;
    pthread_mutexattr_destroy(&attr);
    return made;
}

wa_shared *wa_shared_make(apr_pool_t *pool, const char **error)
{
    char why[120];
    apr_shm_t *memory;
    wa_shared *shared;
    apr_status_t rv = apr_shm_create(&memory, sizeof(wa_shared), NULL, pool);

    if (rv != APR_SUCCESS) {
        *error = apr_psprintf(pool, "no shared memory: %s", apr_strerror(rv, why, sizeof(why)));
        return NULL;
    }
    shared = apr_shm_baseaddr_get(memory); /* of the system's, and so all zero */
    if (!make_mutex(&shared->mutex) || RAND_bytes(shared->key, sizeof(shared->key)) != 1) {
        *error = "no mutex for shared memory, or no randomness";
        return NULL;
    }
    return shared;
}

/* With a bound: a signal that ends the process may come to the thread that holds it. */
bool wa_shared_lock(wa_shared *shared)
{
    struct timespec until;
    int rv;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE;
    rv = pthread_mutex_timedlock(&shared->mutex, &until);
    /* at worst one row is half written, a count that is wrong by one; and lists half linked */
    if (rv == EOWNERDEAD) {
        shared->torn = 1;
        rv = pthread_mutex_consistent(&shared->mutex);
    }
    return rv == 0;
}

void wa_shared_unlock(wa_shared *shared)
{
    pthread_mutex_unlock(&shared->mutex);
}

void wa_shared_reap(wa_shared *shared, pid_t process)
{
    wa_slots_reap(&shared->authority, process);
    wa_dead_note(&shared->dead, process);
}
