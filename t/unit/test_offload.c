/* Questions that hang: deadlines, bounds across processes, what becomes of the abandoned. */
#include "engine/offload.h"
#include "tap.h"

#include <apr_atomic.h>
#include <apr_time.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A job that hangs until its gate opens. */
typedef struct hanging {
    wa_job job;
    volatile apr_uint32_t *open;
    volatile apr_uint32_t *ended;
    bool ran;
} hanging;

static void nap(void)
{
    usleep(1000);
}

static void run_hanging(wa_job *job)
{
    hanging *h = (hanging *)job;

    while (apr_atomic_read32(h->open) == 0) {
        nap();
    }
    h->ran = true;
}

static void end_hanging(wa_job *job)
{
    hanging *h = (hanging *)job;

    apr_atomic_inc32(h->ended);
    free(h);
}

static volatile apr_uint32_t wide = 1;
static volatile apr_uint32_t gate;
static volatile apr_uint32_t ended;

static hanging *make(volatile apr_uint32_t *open)
{
    hanging *h = calloc(1, sizeof(*h));

    h->job.run = run_hanging;
    h->job.end = end_hanging;
    h->open = open;
    h->ended = &ended;
    return h;
}

static bool comes_true(volatile const apr_uint32_t *value, apr_uint32_t wanted)
{
    int i;

    for (i = 0; i < 10000 && *value != wanted; i++) {
        nap();
    }
    return *value == wanted;
}

static bool taken(wa_offload *o, apr_uint32_t wanted)
{
    int i;

    for (i = 0; i < 10000 && wa_slots_taken(&o->shared->authority) != wanted; i++) {
        nap();
    }
    return wa_slots_taken(&o->shared->authority) == wanted;
}

static void without_a_crew(void)
{
    wa_offload closed = { .limit = 1, .seconds = 1 };
    hanging *h = make(&wide);

    is_int(wa_offload_run(NULL, &h->job), WA_OFFLOAD_DONE, "without a crew: done");
    ok(h->ran, "without a crew: here and now");
    is_int(wa_offload_run(&closed, &h->job), WA_OFFLOAD_DONE, "before open: the same");
    end_hanging(&h->job);
}

static void deadlines(wa_offload *o, apr_pool_t *pool)
{
    const char *detail = NULL;
    hanging *h = make(&wide);
    apr_time_t start;
    wa_offload_outcome outcome;

    is_int(wa_offload_run(o, &h->job), WA_OFFLOAD_DONE, "a job: done");
    ok(h->ran, "a job: run");
    ok(taken(o, 0), "a job: its place is free again");
    end_hanging(&h->job);

    ended = 0;
    gate = 0;
    start = apr_time_now();
    outcome = wa_offload_run(o, &make(&gate)->job);
    is_int(outcome, WA_OFFLOAD_LATE, "one that hangs: late");
    ok(apr_time_now() - start >= apr_time_from_msec(900), "one that hangs: not before the deadline");
    ok(apr_time_now() - start < apr_time_from_sec(8), "one that hangs: soon after it");
    is_int(wa_offload_reason(o, outcome, pool, &detail), WA_REASON_AUTHORITY_DOWN,
           "one that hangs: the authority is down");
    ok(strstr(detail, "WinAuthNTLMConcurrency deadline=1") != NULL, "and the detail says which: %s",
       detail);
    is_int(wa_slots_taken(&o->shared->authority), 1, "abandoned, it keeps its place");
    is_int(ended, 0, "abandoned, it has not ended");
    gate = 1;
    ok(comes_true(&ended, 1), "when the call comes back, it ends by itself");
    ok(taken(o, 0), "and its place is free");
    is_int(o->shared->authority_late, 2, "counted as late"); /* and one by the child before */
}

typedef struct caller {
    pthread_t thread;
    wa_offload *offload;
    wa_offload_outcome outcome;
} caller;

static void *call(void *data)
{
    caller *c = data;
    hanging *h = make(&gate);

    c->outcome = wa_offload_run(c->offload, &h->job);
    if (c->outcome != WA_OFFLOAD_LATE) {
        end_hanging(&h->job);
    }
    return NULL;
}

/* More callers than may be under way, all at one time; how many had each outcome. */
static void crowd(wa_offload *o, int n, int outcomes[3])
{
    caller callers[32];
    int i;

    memset(outcomes, 0, 3 * sizeof(*outcomes));
    for (i = 0; i < n; i++) {
        callers[i].offload = o;
        pthread_create(&callers[i].thread, NULL, call, &callers[i]);
    }
    for (i = 0; i < n; i++) {
        pthread_join(callers[i].thread, NULL);
        outcomes[callers[i].outcome]++;
    }
}

static void bounds(wa_offload *o, apr_pool_t *pool)
{
    const char *detail = NULL;
    hanging *h;
    int outcomes[3];

    ended = 0;
    gate = 0;
    crowd(o, 12, outcomes);
    is_int(outcomes[WA_OFFLOAD_LATE], 4, "12 hang where 4 may: 4 are late");
    is_int(outcomes[WA_OFFLOAD_BUSY], 8, "and 8 are turned away");
    h = make(&wide);
    is_int(wa_offload_run(o, &h->job), WA_OFFLOAD_BUSY, "abandoned ones count");
    ok(!h->ran, "who is turned away is not run");
    is_int(wa_offload_reason(o, WA_OFFLOAD_BUSY, pool, &detail), WA_REASON_AUTHORITY_BUSY,
           "that is busy");
    ok(strstr(detail, "WinAuthNTLMConcurrency 4") != NULL, "and the detail says what: %s", detail);
    is_int(o->shared->authority_busy, 9, "counted as busy");
    gate = 1;
    ok(comes_true(&ended, 12), "all of them end in the end");
    is_int(wa_offload_run(o, &h->job), WA_OFFLOAD_DONE, "and then it goes on");
    end_hanging(&h->job);

    o->waiters = 2; /* as in a child of four threads */
    gate = 0;
    crowd(o, 12, outcomes);
    is_int(outcomes[WA_OFFLOAD_LATE], 2, "no more of a child wait than may");
    is_int(outcomes[WA_OFFLOAD_BUSY], 10, "the others are turned away");
    gate = 1;
    ok(taken(o, 0), "and leave no place taken");
}

/* What a process that dies holds is given back by whoever buries it, and nothing of others. */
static void deaths(wa_offload *o)
{
    pid_t child;
    int mine = wa_slots_take(&o->shared->authority, o->limit);
    int status;

    child = fork();
    if (child == 0) {
        while (wa_slots_take(&o->shared->authority, o->limit) >= 0) {
        }
        raise(SIGKILL);
    }
    waitpid(child, &status, 0);
    is_int(wa_slots_taken(&o->shared->authority), 4, "a process that died holds its places");
    is_int(wa_slots_take(&o->shared->authority, o->limit), -1, "nobody else gets one");
    wa_shared_reap(o->shared, child);
    is_int(wa_slots_taken(&o->shared->authority), 1, "buried, it holds none");
    ok(wa_slots_take(&o->shared->authority, o->limit) >= 0, "and others do");
    wa_shared_reap(o->shared, getpid());
    is_int(wa_slots_taken(&o->shared->authority), 0, "for good");
    (void)mine;
}

/* A child that ends does not wait for what hangs, and nothing comes back to it. */
static void endings(wa_shared *shared)
{
    pid_t child = fork();
    int status = -1;

    if (child == 0) {
        wa_offload o = { .shared = shared, .limit = 4, .seconds = 1 };
        apr_pool_t *pool;
        hanging *h = make(&wide);
        apr_pool_create(&pool, NULL);
        wa_offload_open(&o, 8, pool);
        gate = 0;
        wa_offload_run(&o, &h->job); /* one thread without work */
        if (wa_offload_run(&o, &make(&gate)->job) != WA_OFFLOAD_LATE) {
            _exit(2);
        }
        alarm(20);
        apr_pool_destroy(pool);
        ended = 0;
        gate = 1; /* the call comes back to a child that is no more */
        usleep(50000);
        _exit(ended == 0 ? 0 : 3);
    }
    waitpid(child, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child ends without waiting (status %d)",
       status);
    is_int(wa_slots_taken(&shared->authority), 1, "what it abandoned keeps its place");
    wa_shared_reap(shared, child);
    is_int(wa_slots_taken(&shared->authority), 0, "until it is buried");
}

int main(void)
{
    apr_pool_t *pool;
    apr_pool_t *pchild;
    const char *error = NULL;
    wa_offload o = { .limit = 4, .seconds = 1 };

    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_pool_create(&pchild, pool);
    o.shared = wa_shared_make(pool, &error);
    ok(o.shared != NULL, "shared memory");
    without_a_crew();
    deaths(&o);
    endings(o.shared);
    wa_offload_open(&o, 32, pchild);
    is_int(o.waiters, 16, "half of a child's threads may wait");
    deadlines(&o, pool);
    bounds(&o, pool);
    apr_pool_destroy(pchild);
    ok(true, "a crew without work goes home");
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
