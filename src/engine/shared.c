#include "engine/shared.h"

#include <apr_shm.h>
#include <apr_strings.h>
#include <string.h>

wa_shared *wa_shared_make(apr_pool_t *pool, const char **error)
{
    char why[120];
    apr_shm_t *memory;
    apr_status_t rv = apr_shm_create(&memory, sizeof(wa_shared), NULL, pool);

    if (rv != APR_SUCCESS) {
        *error = apr_psprintf(pool, "no shared memory: %s", apr_strerror(rv, why, sizeof(why)));
        return NULL;
    }
    memset(apr_shm_baseaddr_get(memory), 0, sizeof(wa_shared));
    return apr_shm_baseaddr_get(memory);
}

void wa_shared_reap(wa_shared *shared, pid_t process)
{
    wa_slots_reap(&shared->authority, process);
}
