/* WinAuthPendingLimit's records: who is admitted, and how they come back. */
#include "engine/pending.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static wa_pending pending = { .total = 1000, .per_address = 5, .seconds = 60 };

static wa_pending_answer enter(const char *address, wa_pending_ticket *ticket)
{
    return wa_pending_open(&pending, address, ticket);
}

static void addresses(void)
{
    wa_pending_ticket t[6];
    wa_pending_ticket other;
    wa_pending_ticket none = { 0, 0 };
    int i;

    for (i = 0; i < 5; i++) {
        is_int(enter("192.0.2.1", &t[i]), WA_PENDING_ADMITTED, "exchange %d of an address", i);
    }
    is_int(enter("192.0.2.1", &t[5]), WA_PENDING_CROWDED, "the sixth is one too many");
    is_int(enter("192.0.2.10", &other), WA_PENDING_ADMITTED, "for another address it is not");
    is_int(wa_pending_count(&pending), 6, "six are pending");
    is_int(pending.shared->handshakes_refused, 1, "one was refused");
    wa_pending_close(&pending, t[2]);
    is_int(wa_pending_count(&pending), 5, "one ends");
    wa_pending_close(&pending, t[2]);
    is_int(wa_pending_count(&pending), 5, "only once");
    is_int(enter("192.0.2.1", &t[5]), WA_PENDING_ADMITTED, "and another begins");
    is_int(t[5].number, t[2].number, "with its record");
    wa_pending_close(&pending, t[2]);
    is_int(wa_pending_count(&pending), 6, "which no longer is the first one's to give back");
    ok(!wa_pending_is_open(&pending, t[2]), "nor to go on with");
    ok(wa_pending_is_open(&pending, t[5]), "but the other's");
    ok(!wa_pending_is_open(&pending, none), "no ticket is no exchange");
    for (i = 0; i < 6; i++) {
        wa_pending_close(&pending, t[i]);
    }
    wa_pending_close(&pending, other);
    is_int(wa_pending_count(&pending), 0, "all end");
}

static void total(apr_pool_t *pool)
{
    static wa_pending_ticket t[2000];
    wa_pending_ticket more;
    int i;
    int admitted = 0;

    for (i = 0; i < 1000; i++) {
        admitted +=
            enter(i % 2 ? apr_psprintf(pool, "host %d", i) : NULL, &t[i]) == WA_PENDING_ADMITTED;
    }
    is_int(admitted, 1000, "as many as there may be, also without an address");
    is_int(enter("192.0.2.1", &more), WA_PENDING_FULL, "no more in all");
    is_int(enter(NULL, &more), WA_PENDING_FULL, "nor without an address");
    for (i = 0; i < 1000; i += 3) { /* from the middle of every list */
        wa_pending_close(&pending, t[i]);
    }
    for (i = 0; i < 1000; i += 3) {
        admitted += enter(NULL, &t[i]) == WA_PENDING_ADMITTED;
    }
    is_int(admitted, 1334, "as many as ended");
    pending.total = WA_SHARED_PENDING_MAX;
    for (i = 0; i < WA_SHARED_PENDING_MAX - 1000; i++) {
        admitted += enter(NULL, &t[1000 + i % 1000]) == WA_PENDING_ADMITTED;
    }
    is_int(admitted, 1334 + WA_SHARED_PENDING_MAX - 1000, "as many as there are records");
    is_int(enter(NULL, &more), WA_PENDING_FULL, "and no more");
    wa_shared_reap(pending.shared, getpid());
    is_int(wa_pending_count(&pending), 0, "a process that dies gives all of them back");
    pending.total = 1000;
}

static void expiry(void)
{
    wa_pending_ticket t[5];
    wa_pending_ticket more;
    apr_uint32_t n;
    int i;

    for (i = 0; i < 5; i++) {
        enter("192.0.2.1", &t[i]);
    }
    for (n = 1; n <= pending.shared->pending_used; n++) {
        if (n == t[0].number || n == t[1].number) {
            pending.shared->pending[n - 1].since -= 61;
        }
    }
    ok(!wa_pending_is_open(&pending, t[0]), "one that has waited too long must not go on");
    ok(wa_pending_is_open(&pending, t[2]), "another may");
    is_int(pending.shared->handshakes_expired, 2, "they are counted");
    is_int(enter("192.0.2.1", &more), WA_PENDING_ADMITTED, "and make room");
    wa_pending_close(&pending, t[0]);
    is_int(wa_pending_count(&pending), 4, "of what is left nothing is given back by them");
    wa_shared_reap(pending.shared, getpid());
}

static void processes(void)
{
    wa_pending_ticket mine;
    wa_pending_ticket more;
    pid_t child;
    int status;
    int i;

    enter("192.0.2.1", &mine);
    child = fork();
    if (child == 0) {
        for (i = 0; i < 4; i++) {
            enter("192.0.2.1", &more);
        }
        raise(SIGKILL);
    }
    waitpid(child, &status, 0);
    is_int(enter("192.0.2.1", &more), WA_PENDING_CROWDED, "one count for all processes");
    wa_shared_reap(pending.shared, child);
    is_int(wa_pending_count(&pending), 1, "what one leaves behind is given back");
    ok(wa_pending_is_open(&pending, mine), "what another has is not");
    is_int(enter("192.0.2.1", &more), WA_PENDING_ADMITTED, "and there is room again");
}

/* A process that dies in the middle of a change: lists that lead in circles. */
static void torn(void)
{
    wa_pending_ticket mine;
    wa_pending_ticket more;
    pid_t child;
    int status;
    apr_uint32_t n;

    wa_shared_reap(pending.shared, getpid());
    enter("192.0.2.1", &mine);
    enter("192.0.2.2", &more);
    child = fork();
    if (child == 0) {
        wa_shared_lock(pending.shared);
        for (n = 0; n < WA_SHARED_PENDING_CHAINS; n++) {
            pending.shared->pending_chains[n] = mine.number;
        }
        pending.shared->pending[mine.number - 1].chain = mine.number;
        pending.shared->pending[mine.number - 1].newer = mine.number;
        pending.shared->pending_free = mine.number;
        pending.shared->pending_count = 1u << 31;
        raise(SIGKILL);
    }
    waitpid(child, &status, 0);
    alarm(20); /* one that goes round and round is a failure, too */
    is_int(enter("192.0.2.3", &more), WA_PENDING_ADMITTED,
           "after a death in the middle: another begins");
    is_int(wa_pending_count(&pending), 1, "and is the only one");
    ok(!wa_pending_is_open(&pending, mine), "what was pending starts anew");
    wa_pending_close(&pending, mine);
    is_int(wa_pending_count(&pending), 1, "and gives nothing back");
    wa_shared_reap(pending.shared, child);
    wa_shared_reap(pending.shared, getpid());
    is_int(wa_pending_count(&pending), 0, "all ends well");
    alarm(0);
}

int main(void)
{
    apr_pool_t *pool;
    const char *error = NULL;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    pending.shared = wa_shared_make(pool, &error);
    ok(pending.shared != NULL, "shared memory");
    addresses();
    total(pool);
    expiry();
    processes();
    torn();
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
