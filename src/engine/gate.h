/* A bound on how many threads wait for a daemon at one time: one that hangs must not hold every
 * thread of the server. */
#ifndef WA_ENGINE_GATE_H
#define WA_ENGINE_GATE_H

#include <apr.h>
#include <stdbool.h>

typedef struct wa_gate {
    apr_uint32_t limit;            /* 0: no bound; set once per child, before threads serve */
    volatile apr_uint32_t waiting; /* how many are inside; only the functions below touch it */
} wa_gate;

/* Takes a place; false when all are taken.  Whoever got one leaves again. */
bool wa_gate_enter(wa_gate *gate);
void wa_gate_leave(wa_gate *gate);

#endif
