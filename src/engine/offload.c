#include "engine/offload.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_SECONDS = 30 }; /* a thread without work ends after that */

enum { QUEUED = 0, RUNNING, RUN, ABANDONED };

struct wa_crew {
    pthread_mutex_t mutex; /* guards everything here, and the state of jobs */
    pthread_cond_t work;   /* a job has come, or the end */
    pthread_cond_t gone;   /* a thread has ended */
    pthread_condattr_t
        attr;      /* the monotonic clock: a deadline is not moved by setting the time */
    wa_job *first; /* queued */
    wa_job *last;
    unsigned queued;
    unsigned idle;    /* threads that wait for work */
    unsigned threads; /* all of them */
    unsigned waiting; /* threads of the server that wait for a job */
    bool closing;     /* the child ends */
    wa_shared *shared;
};

static struct timespec in_seconds(unsigned seconds)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += seconds;
    return t;
}

/* Under the mutex: the next job, or NULL when the thread shall end. */
static wa_job *next_job(wa_crew *c)
{
    struct timespec until = in_seconds(IDLE_SECONDS);
    wa_job *job;
    int rv = 0;

    while (c->first == NULL && !c->closing && rv != ETIMEDOUT) {
        c->idle++;
        rv = pthread_cond_timedwait(&c->work, &c->mutex, &until);
        c->idle--;
    }
    job = c->closing ? NULL : c->first;
    if (job != NULL) {
        c->first = job->next;
        c->queued--;
    }
    return job;
}

/* After the end of the child has begun nothing is left that a thread might come back to: neither
 * pools nor shared memory, and soon not even the libraries. */
static void stay(wa_crew *c)
{
    pthread_mutex_unlock(&c->mutex);
    for (;;) {
        pause();
    }
}

/* Under the mutex, which is released meanwhile. */
static void run_job(wa_crew *c, wa_job *job)
{
    if (job->state == QUEUED) {
        job->state = RUNNING;
        pthread_mutex_unlock(&c->mutex);
        job->run(job);
        pthread_mutex_lock(&c->mutex);
        if (c->closing) {
            stay(c);
        }
    }
    wa_slots_give_back(&c->shared->authority, job->slot);
    if (job->state == ABANDONED) {
        pthread_cond_destroy(&job->done);
        job->end(job);
    }
    else {
        job->state = RUN;
        pthread_cond_signal(&job->done);
    }
}

static void *serve(void *data)
{
    wa_crew *c = data;
    wa_job *job;

    pthread_mutex_lock(&c->mutex);
    while ((job = next_job(c)) != NULL) {
        run_job(c, job);
    }
    c->threads--;
    pthread_cond_signal(&c->gone);
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* Under the mutex.  Signals are the server's: none is ever handled by a thread of the crew. */
static bool add_thread(wa_crew *c)
{
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    int rv;

    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = pthread_create(&thread, &attr, serve, c);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    c->threads += rv == 0;
    return rv == 0;
}

/* Under the mutex.  False: there is nobody to run it. */
static bool enqueue(wa_crew *c, wa_job *job)
{
    if (c->idle <= c->queued && !add_thread(c)) {
        return false;
    }
    job->next = NULL;
    job->state = QUEUED;
    pthread_cond_init(&job->done, &c->attr);
    if (c->first == NULL) {
        c->first = job;
    }
    else {
        c->last->next = job;
    }
    c->last = job;
    c->queued++;
    pthread_cond_signal(&c->work);
    return true;
}

/* Under the mutex. */
static wa_offload_outcome await(wa_crew *c, wa_job *job, unsigned seconds)
{
    struct timespec until = in_seconds(seconds);
    int rv = 0;

    c->waiting++;
    while (job->state != RUN && rv != ETIMEDOUT) {
        rv = pthread_cond_timedwait(&job->done, &c->mutex, &until);
    }
    c->waiting--;
    if (job->state != RUN) {
        job->state = ABANDONED; /* from now on it belongs to the thread that runs it */
        return WA_OFFLOAD_LATE;
    }
    pthread_cond_destroy(&job->done);
    return WA_OFFLOAD_DONE;
}

static wa_offload_outcome hand_over(wa_offload *o, wa_job *job)
{
    wa_crew *c = o->crew;
    wa_offload_outcome outcome = WA_OFFLOAD_BUSY;

    job->slot = wa_slots_take(&o->shared->authority, o->limit);
    if (job->slot < 0) {
        return WA_OFFLOAD_BUSY;
    }
    pthread_mutex_lock(&c->mutex);
    if (c->waiting < o->waiters && !c->closing && enqueue(c, job)) {
        outcome = await(c, job, o->seconds);
    }
    else {
        wa_slots_give_back(&o->shared->authority, job->slot);
    }
    pthread_mutex_unlock(&c->mutex);
    return outcome;
}

wa_offload_outcome wa_offload_run(wa_offload *offload, wa_job *job)
{
    wa_offload_outcome outcome;

    if (offload == NULL || offload->crew == NULL) {
        job->run(job);
        return WA_OFFLOAD_DONE;
    }
    outcome = hand_over(offload, job);
    apr_atomic_inc32(outcome == WA_OFFLOAD_BUSY ? &offload->shared->authority_busy
                                                : &offload->shared->authority_asked);
    if (outcome == WA_OFFLOAD_LATE) {
        apr_atomic_inc32(&offload->shared->authority_late);
    }
    return outcome;
}

bool wa_offload_linger(wa_offload *offload)
{
    wa_crew *c = offload->crew;
    bool may;

    if (c == NULL) {
        return false;
    }
    pthread_mutex_lock(&c->mutex);
    may = c->waiting < offload->waiters;
    c->waiting += may;
    pthread_mutex_unlock(&c->mutex);
    if (may) {
        apr_sleep(apr_time_from_msec(10));
        pthread_mutex_lock(&c->mutex);
        c->waiting--;
        pthread_mutex_unlock(&c->mutex);
    }
    return may;
}

wa_reason wa_offload_reason(const wa_offload *offload, wa_offload_outcome outcome,
                            apr_pool_t *pool, const char **detail)
{
    switch (outcome) {
    case WA_OFFLOAD_DONE:
        return WA_REASON_OK;
    case WA_OFFLOAD_LATE:
        *detail = apr_psprintf(pool, "no answer within %u s (WinAuthNTLMConcurrency deadline=%u)",
                               offload->seconds, offload->seconds);
        return WA_REASON_AUTHORITY_DOWN;
    case WA_OFFLOAD_BUSY:
        break;
    }
    if (offload == NULL) {
        *detail = "no memory";
        return WA_REASON_AUTHORITY_BUSY;
    }
    *detail = apr_psprintf(pool,
                           "%u questions under way in all processes, or %u in this one, are the "
                           "most (WinAuthNTLMConcurrency %u)",
                           offload->limit, offload->waiters, offload->limit);
    return WA_REASON_AUTHORITY_BUSY;
}

/* Asked to end in the middle of a request (prefork's signal handler does that), the child's only
 * thread may hold the mutex itself: then nothing is tidied up. */
static apr_status_t close_crew(void *data)
{
    wa_crew *c = data;
    struct timespec soon;
    bool empty;

    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec++;
    if (pthread_mutex_timedlock(&c->mutex, &soon) != 0) {
        return APR_SUCCESS;
    }
    c->closing = true;
    pthread_cond_broadcast(&c->work);
    while (c->idle > 0) {
        pthread_cond_wait(&c->gone, &c->mutex);
    }
    empty = c->threads == 0;
    pthread_mutex_unlock(&c->mutex);
    if (empty) { /* otherwise somebody may still look at it */
        free(c);
    }
    return APR_SUCCESS;
}

void wa_offload_open(wa_offload *offload, int threads, apr_pool_t *pchild)
{
    wa_crew *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        abort(); /* without a crew every thread could hang: better no child */
    }
    pthread_mutex_init(&c->mutex, NULL);
    pthread_condattr_init(&c->attr);
    pthread_condattr_setclock(&c->attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->work, &c->attr);
    pthread_cond_init(&c->gone, &c->attr);
    c->shared = offload->shared;
    /* half of them may wait, the others go on serving; a child of one thread can only wait */
    offload->waiters = threads > 1 ? (apr_uint32_t)threads / 2 : 1;
    offload->crew = c;
    apr_pool_cleanup_register(pchild, c, close_crew, apr_pool_cleanup_null);
}
