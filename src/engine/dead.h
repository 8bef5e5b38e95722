/* Child processes that are no more: noted by their parent, for the next child that comes by.
 *
 * The parent is root, and every child can write to this memory, also one that somebody has taken
 * over.  So the parent does no more than this: it writes a number to one of a few fixed places.
 */
#ifndef WA_ENGINE_DEAD_H
#define WA_ENGINE_DEAD_H

#include <apr.h>
#include <stdbool.h>
#include <sys/types.h>

enum { WA_DEAD_MAX = 64 };

/* All zero: nobody. */
typedef struct wa_dead {
    volatile apr_uint32_t process[WA_DEAD_MAX]; /* or 0 */
    volatile apr_uint32_t more;                 /* not 0: there was no place for all of them */
} wa_dead;

/* The same, taken out of the shared memory. */
typedef struct wa_dead_list {
    apr_uint32_t process[WA_DEAD_MAX];
    apr_uint32_t n;
    bool more;
} wa_dead_list;

/* In the parent. */
void wa_dead_note(wa_dead *dead, pid_t process);

/* In a child: those noted since the last time; false: none. */
bool wa_dead_take(wa_dead *dead, wa_dead_list *list);

/* True iff the process is one of them; where there were more, also if there is none of its
 * number. Of these one is overlooked whose number is another process's already. */
bool wa_dead_has(const wa_dead_list *list, apr_uint32_t process);

#endif
