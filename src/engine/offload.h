/* Questions that may hang, put by threads of their own.
 *
 * libwbclient waits up to 40 seconds for a winbindd whose domain controller is away, and no call
 * of it can be given up.  So the thread that serves a request leaves the call to one of the
 * child's crew and waits for it until the deadline; a call that is late is abandoned and ends by
 * itself, whenever that is.  How many are under way, abandoned ones included, is bounded across
 * all child processes, and so is how many threads of one child wait.
 *
 * The crew is not apr_thread_pool's: that waits for its threads when it is destroyed, and a child
 * that is told to end must not wait for a call that hangs. */
#ifndef WA_ENGINE_OFFLOAD_H
#define WA_ENGINE_OFFLOAD_H

#include "core/reason.h"
#include "engine/shared.h"

#include <apr_pools.h>
#include <pthread.h>

/* A call that may hang.  It owns whatever it touches: memory of malloc, handles nobody else has.
 * The first member of a struct with the rest. */
typedef struct wa_job wa_job;
struct wa_job {
    void (*run)(wa_job *job); /* the call; in a thread of the crew */
    void (*end)(wa_job *job); /* wipes what is secret, frees everything, the job included */
    /* the crew's own, set by it */
    wa_job *next;
    int state;
    int slot;
    pthread_cond_t done;
};

typedef enum {
    WA_OFFLOAD_BUSY = 0, /* not run: too many are under way; the job is still the caller's */
    WA_OFFLOAD_LATE,     /* not done by the deadline; the job is the caller's no more */
    WA_OFFLOAD_DONE      /* done, and the job is the caller's again */
} wa_offload_outcome;

typedef struct wa_crew wa_crew;

typedef struct wa_offload {
    wa_shared *shared;
    apr_uint32_t limit;   /* under way at one time in all children */
    apr_uint32_t seconds; /* the deadline of one */
    apr_uint32_t waiters; /* threads of one child that may wait at one time; set by open */
    wa_crew *crew;        /* this child's; NULL before open */
} wa_offload;

/* Makes the crew of a child that serves with so many threads; call before they serve.  Its
 * threads come with the first job.  When pchild is destroyed, those that have nothing to do end;
 * those that hang stay where they are, and never come back. */
void wa_offload_open(wa_offload *offload, int threads, apr_pool_t *pchild);

/* Runs the job; without a crew (offload NULL, or not open) here and now. */
wa_offload_outcome wa_offload_run(wa_offload *offload, wa_job *job);

/* Waits a hundredth of a second for something else, as one of those that may wait.  False: too
 * many do. */
bool wa_offload_linger(wa_offload *offload);

/* What BUSY and LATE mean for a login; *detail, in pool, is for the log. */
wa_reason wa_offload_reason(const wa_offload *offload, wa_offload_outcome outcome,
                            apr_pool_t *pool, const char **detail);

#endif
