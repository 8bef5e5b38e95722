#include "engine/slots.h"

#include <apr_atomic.h>
#include <unistd.h>

int wa_slots_take(wa_slots *slots, apr_uint32_t limit)
{
    apr_uint32_t me = (apr_uint32_t)getpid();
    apr_uint32_t n = limit < WA_SLOTS_MAX ? limit : WA_SLOTS_MAX;
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        if (slots->holder[i] == 0 && apr_atomic_cas32(&slots->holder[i], me, 0) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void wa_slots_give_back(wa_slots *slots, int number)
{
    apr_atomic_set32(&slots->holder[number], 0);
}

void wa_slots_reap(wa_slots *slots, pid_t process)
{
    apr_uint32_t i;

    for (i = 0; i < WA_SLOTS_MAX; i++) {
        (void)apr_atomic_cas32(&slots->holder[i], 0, (apr_uint32_t)process);
    }
}

apr_uint32_t wa_slots_taken(const wa_slots *slots)
{
    apr_uint32_t n = 0;
    apr_uint32_t i;

    for (i = 0; i < WA_SLOTS_MAX; i++) {
        n += slots->holder[i] != 0;
    }
    return n;
}
