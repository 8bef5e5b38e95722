#include "engine/gate.h"

#include <apr_atomic.h>

bool wa_gate_enter(wa_gate *gate)
{
    if (apr_atomic_inc32(&gate->waiting) < gate->limit || gate->limit == 0) {
        return true;
    }
    apr_atomic_dec32(&gate->waiting);
    return false;
}

void wa_gate_leave(wa_gate *gate)
{
    apr_atomic_dec32(&gate->waiting);
}
