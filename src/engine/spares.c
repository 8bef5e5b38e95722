#include "engine/spares.h"

#include <apr_thread_mutex.h>

struct wa_spares {
    apr_thread_mutex_t *mutex; /* guards count and handles */
    void (*release)(void *handle);
    int max;
    int count;
    void **handles;
};

static apr_status_t release_all(void *data)
{
    wa_spares *spares = data;

    while (spares->count > 0) {
        spares->release(spares->handles[--spares->count]);
    }
    return APR_SUCCESS;
}

wa_spares *wa_spares_create(apr_pool_t *pool, int max, void (*release)(void *handle))
{
    wa_spares *spares = apr_pcalloc(pool, sizeof(*spares));

    spares->release = release;
    spares->max = max;
    spares->handles = apr_pcalloc(pool, (apr_size_t)max * sizeof(*spares->handles));
    if (apr_thread_mutex_create(&spares->mutex, APR_THREAD_MUTEX_DEFAULT, pool) != APR_SUCCESS) {
        spares->max = 0; /* nothing is ever kept: slower, never wrong */
    }
    /* registered after the mutex's own cleanup, so it runs before */
    apr_pool_cleanup_register(pool, spares, release_all, apr_pool_cleanup_null);
    return spares;
}

void *wa_spares_take(wa_spares *spares)
{
    void *handle = NULL;

    if (spares->max == 0) {
        return NULL;
    }
    apr_thread_mutex_lock(spares->mutex);
    if (spares->count > 0) {
        handle = spares->handles[--spares->count];
    }
    apr_thread_mutex_unlock(spares->mutex);
    return handle;
}

void wa_spares_put(wa_spares *spares, void *handle)
{
    if (spares->max > 0) {
        apr_thread_mutex_lock(spares->mutex);
        if (spares->count < spares->max) {
            spares->handles[spares->count++] = handle;
            handle = NULL;
        }
        apr_thread_mutex_unlock(spares->mutex);
    }
    if (handle != NULL) {
        spares->release(handle);
    }
}
