/* Places in memory that all child processes share: how many of them do something at one time.
 *
 * A place holds the process that has taken it, so that the places of one that died can be given
 * back by whoever buried it.  Nothing here waits for anything. */
#ifndef WA_ENGINE_SLOTS_H
#define WA_ENGINE_SLOTS_H

#include <apr.h>
#include <stdbool.h>
#include <sys/types.h>

enum { WA_SLOTS_MAX = 1024 };

/* All zero: all free. */
typedef struct wa_slots {
    volatile apr_uint32_t holder[WA_SLOTS_MAX]; /* a process, or 0 */
} wa_slots;

/* Takes one of the first limit places for this process; its number, or -1 when all are taken.
 * Limits beyond WA_SLOTS_MAX are that. */
int wa_slots_take(wa_slots *slots, apr_uint32_t limit);
void wa_slots_give_back(wa_slots *slots, int number);

/* Frees what a process that is no more has left behind. */
void wa_slots_reap(wa_slots *slots, pid_t process);

/* How many are taken. */
apr_uint32_t wa_slots_taken(const wa_slots *slots);

#endif
