/* WinAuthLockout's table: who is locked, who waits, what time and other processes do to it. */
#include "engine/lockout.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static wa_offload offload = { .seconds = 10 };
static wa_lockout lockout = { .offload = &offload, .attempts = 3, .seconds = 600 };

static wa_lockout_keys key_of(char kind, const char *text)
{
    wa_lockout_keys keys = { 0, { { 0 } } };

    wa_lockout_add(&lockout, kind, wa_span_of(text, strlen(text)), &keys);
    return keys;
}

static wa_lockout_answer try(const wa_lockout_keys *keys, wa_lockout_result result)
{
    wa_lockout_answer answer = wa_lockout_enter(&lockout, keys);

    if (answer == WA_LOCKOUT_GO) {
        wa_lockout_leave(&lockout, keys, result);
    }
    return answer;
}

/* How many are refused until the account is locked. */
static int refusals(const wa_lockout_keys *keys)
{
    int n = 0;

    while (n < 100 && try(keys, WA_LOCKOUT_REFUSED) == WA_LOCKOUT_GO) {
        n++;
    }
    return n;
}

static wa_shared_row *row_of(const wa_lockout_keys *keys)
{
    wa_shared_row *row;
    apr_uint64_t tag;
    int i;

    memcpy(&tag, keys->digest[0], sizeof(tag));
    for (i = 0; i < WA_SHARED_LOCKOUT_BUCKETS * WA_SHARED_LOCKOUT_WAYS; i++) {
        row = &offload.shared->lockout[i / WA_SHARED_LOCKOUT_WAYS][i % WA_SHARED_LOCKOUT_WAYS];
        if (row->tag == tag) {
            return row;
        }
    }
    return NULL;
}

static void counting(void)
{
    wa_lockout_keys alice = key_of('n', "ALICE");
    wa_lockout_keys bob = key_of('n', "BOB");
    wa_lockout_keys address = key_of('a', "ALICE");
    int i;

    is_int(refusals(&alice), 3, "three refusals, and no more");
    is_int(wa_lockout_enter(&lockout, &alice), WA_LOCKOUT_LOCKED, "then nothing is submitted");
    is_int(try(&bob, WA_LOCKOUT_RIGHT), WA_LOCKOUT_GO, "of others it is");
    is_int(try(&address, WA_LOCKOUT_RIGHT), WA_LOCKOUT_GO, "what is spelled the same is another");
    ok(row_of(&bob) == NULL, "who is right leaves no row");

    try(&bob, WA_LOCKOUT_REFUSED);
    try(&bob, WA_LOCKOUT_REFUSED);
    try(&bob, WA_LOCKOUT_RIGHT);
    is_int(refusals(&bob), 3, "the right password clears the count");
    for (i = 0; i < 10; i++) {
        try(&address, WA_LOCKOUT_UNJUDGED);
    }
    is_int(refusals(&address), 3, "what nobody judged does not count");
    lockout.per_address = true;
    address = key_of('a', "192.0.2.1");
    try(&address, WA_LOCKOUT_REFUSED);
    try(&address, WA_LOCKOUT_REFUSED);
    try(&address, WA_LOCKOUT_RIGHT);
    is_int(refusals(&address), 1, "of an address, a right password clears nothing");
    lockout.per_address = false;
}

static void reservations(void)
{
    wa_lockout_keys carol = key_of('n', "CAROL");
    int i;

    for (i = 0; i < 3; i++) {
        is_int(wa_lockout_enter(&lockout, &carol), WA_LOCKOUT_GO, "submission %d at one time", i);
    }
    is_int(wa_lockout_enter(&lockout, &carol), WA_LOCKOUT_WAIT, "a fourth waits");
    wa_lockout_leave(&lockout, &carol, WA_LOCKOUT_RIGHT);
    is_int(wa_lockout_enter(&lockout, &carol), WA_LOCKOUT_GO, "one is right: the next may");
    for (i = 0; i < 3; i++) {
        wa_lockout_leave(&lockout, &carol, WA_LOCKOUT_REFUSED);
    }
    is_int(wa_lockout_enter(&lockout, &carol), WA_LOCKOUT_LOCKED, "all of them refused: locked");

    carol = key_of('n', "CAROLINE");
    for (i = 0; i < 3; i++) {
        wa_lockout_enter(&lockout, &carol);
        wa_lockout_leave(&lockout, &carol, WA_LOCKOUT_UNKNOWN);
    }
    is_int(wa_lockout_enter(&lockout, &carol), WA_LOCKOUT_WAIT,
           "what is still under way keeps its reservation");
    row_of(&carol)->entered -= 80;
    is_int(wa_lockout_enter(&lockout, &carol), WA_LOCKOUT_GO, "but not for ever");
}

static void two_keys(void)
{
    wa_lockout_keys one = key_of('n', "ONE");
    wa_lockout_keys two = key_of('n', "TWO");

    wa_lockout_add(&lockout, 's', wa_span_of("S-1-5-21", 8), &one);
    wa_lockout_add(&lockout, 's', wa_span_of("S-1-5-21", 8), &two);
    is_int(refusals(&one), 3, "an account by one name");
    is_int(refusals(&two), 0, "is locked by its other name, too");
}

static void time_passes(void)
{
    wa_lockout_keys dave = key_of('n', "DAVE");

    refusals(&dave);
    row_of(&dave)->failed -= 599;
    is_int(wa_lockout_enter(&lockout, &dave), WA_LOCKOUT_LOCKED, "locked for the whole window");
    row_of(&dave)->failed -= 3;
    is_int(refusals(&dave), 3, "and not longer");

    dave = key_of('n', "DAVINA");
    try(&dave, WA_LOCKOUT_REFUSED);
    row_of(&dave)->failed -= 500;
    try(&dave, WA_LOCKOUT_REFUSED);
    row_of(&dave)->failed -= 500;
    is_int(refusals(&dave), 1, "the window begins anew with each refusal");
}

/* Somebody tries very many names. */
static void flood(apr_pool_t *pool)
{
    wa_lockout_keys victim = key_of('n', "VICTIM");
    wa_lockout_keys guessed = key_of('n', "GUESSED");
    int i;
    int locked = 0;

    refusals(&victim);
    try(&guessed, WA_LOCKOUT_REFUSED);
    try(&guessed, WA_LOCKOUT_REFUSED);
    for (i = 0; i < 200000; i++) {
        wa_lockout_keys random = key_of('n', apr_psprintf(pool, "random %d", i));
        locked += try(&random, WA_LOCKOUT_REFUSED) == WA_LOCKOUT_LOCKED;
        if (i % 1000 == 0) {
            apr_pool_clear(pool);
        }
    }
    is_int(locked, 0, "200,000 names, one guess each: none is taken for locked");
    is_int(wa_lockout_enter(&lockout, &victim), WA_LOCKOUT_LOCKED, "who is locked stays so");
    is_int(refusals(&guessed), 1, "and who has one guess left has no more than that");

    memset(offload.shared->lockout, 0xff, sizeof(offload.shared->lockout));
    for (i = 0; i < WA_SHARED_LOCKOUT_BUCKETS * WA_SHARED_LOCKOUT_WAYS; i++) {
        wa_shared_row *row = &offload.shared->lockout[i / WA_SHARED_LOCKOUT_WAYS][i % WA_SHARED_LOCKOUT_WAYS];
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        row->failures = 3;
        row->failed = (apr_uint32_t)t.tv_sec;
        row->pending = 0;
    }
    victim = key_of('n', "NEWCOMER");
    is_int(wa_lockout_enter(&lockout, &victim), WA_LOCKOUT_LOCKED,
           "where every row is a locked one, who has none is refused");
    lockout.per_address = true;
    is_int(refusals(&victim), 3, "by address the oldest gives way");
    is_int(wa_lockout_enter(&lockout, &victim), WA_LOCKOUT_LOCKED, "and the new one is counted");
    lockout.per_address = false;
    memset(offload.shared->lockout, 0, sizeof(offload.shared->lockout));
}

static void processes(void)
{
    wa_lockout_keys erin = key_of('n', "ERIN");
    pid_t child = fork();
    int status;

    if (child == 0) {
        try(&erin, WA_LOCKOUT_REFUSED);
        try(&erin, WA_LOCKOUT_REFUSED);
        if (!wa_shared_lock(offload.shared)) {
            _exit(1);
        }
        raise(SIGKILL); /* with the mutex */
    }
    waitpid(child, &status, 0);
    is_int(refusals(&erin), 1, "one count for all processes, also after one that died with the mutex");
}

int main(void)
{
    apr_pool_t *pool;
    apr_pool_t *texts;
    const char *error = NULL;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_pool_create(&texts, pool);
    offload.shared = wa_shared_make(pool, &error);
    ok(offload.shared != NULL, "shared memory");
    ok(sizeof(wa_shared) < 1024 * 1024, "of less than a megabyte: %lu",
       (unsigned long)sizeof(wa_shared));
    counting();
    reservations();
    two_keys();
    time_passes();
    flood(texts);
    processes();
    ok(offload.shared->locked_out > 0, "who was locked out is counted");
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
