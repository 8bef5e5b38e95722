#include "engine/dead.h"

#include <apr_atomic.h>
#include <errno.h>
#include <signal.h>

void wa_dead_note(wa_dead *dead, pid_t process)
{
    apr_uint32_t i;

    for (i = 0; i < WA_DEAD_MAX; i++) {
        if (apr_atomic_cas32(&dead->process[i], (apr_uint32_t)process, 0) == 0) {
            return;
        }
    }
    apr_atomic_set32(&dead->more, 1);
}

bool wa_dead_take(wa_dead *dead, wa_dead_list *list)
{
    apr_uint32_t i;

    list->n = 0;
    list->more = apr_atomic_read32(&dead->more) != 0 && apr_atomic_xchg32(&dead->more, 0) != 0;
    for (i = 0; i < WA_DEAD_MAX; i++) {
        if (apr_atomic_read32(&dead->process[i]) != 0) {
            list->process[list->n++] = apr_atomic_xchg32(&dead->process[i], 0);
        }
    }
    return list->n > 0 || list->more;
}

bool wa_dead_has(const wa_dead_list *list, apr_uint32_t process)
{
    apr_uint32_t i;

    for (i = 0; i < list->n; i++) {
        if (list->process[i] == process) {
            return true;
        }
    }
    return list->more && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}
