/* Shared memory that somebody has written to who should not: what the parent does with it, which
 * is root, and what other children do.  And those who die: nothing of theirs is lost for good. */
#include "engine/offload.h"
#include "engine/pending.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 40, FAR = 0x10000000 };

static wa_pending pending = { .total = 1000, .per_address = 5, .seconds = 60 };
static wa_shared *shared;

/* A process that ends at once, and so a number of one that is no more. */
static pid_t gone(void)
{
    pid_t child = fork();

    if (child == 0) {
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return child;
}

/* As a child that is killed leaves it: n records, of addresses of its own. */
static pid_t leave(int n)
{
    pid_t child = fork();
    char address[40];
    int i;

    if (child == 0) {
        for (i = 0; i < n; i++) {
            wa_pending_ticket ticket;
            apr_snprintf(address, sizeof(address), "%d of %d", i, (int)getpid());
            wa_pending_open(&pending, address, &ticket);
        }
        raise(SIGKILL);
    }
    waitpid(child, NULL, 0);
    return child;
}

static void empty(void)
{
    char *from = (char *)shared->lockout;

    memset(from, 0, (size_t)((char *)(shared + 1) - from));
    memset((void *)&shared->dead, 0, sizeof(shared->dead));
    memset((void *)&shared->authority, 0, sizeof(shared->authority));
    shared->torn = 0;
}

static wa_shared_pending *each(apr_uint32_t i)
{
    return &shared->pending[i];
}

#define ALL(member, value)                               \
    do {                                                 \
        apr_uint32_t i_;                                 \
        for (i_ = 0; i_ < WA_SHARED_PENDING_MAX; i_++) { \
            each(i_)->member = (value);                  \
        }                                                \
    } while (0)

#define CHAINS(value)                                       \
    do {                                                    \
        apr_uint32_t i_;                                    \
        for (i_ = 0; i_ < WA_SHARED_PENDING_CHAINS; i_++) { \
            shared->pending_chains[i_] = (value);           \
        }                                                   \
    } while (0)

/* X(name, what is written) */
#define HOSTILE(X)                                                                               \
    X("used: very many", shared->pending_used = 0xffffffffu)                                     \
    X("used: one more than there are", shared->pending_used = WA_SHARED_PENDING_MAX + 1)         \
    X("used: none", shared->pending_used = 0)                                                    \
    X("used: less", shared->pending_used = MANY - 1)                                             \
    X("count: very many", shared->pending_count = 0xffffffffu)                                   \
    X("count: none", shared->pending_count = 0)                                                  \
    X("count: too few", shared->pending_count = 3)                                               \
    X("free: far away", shared->pending_free = FAR)                                              \
    X("free: one too far", shared->pending_free = WA_SHARED_PENDING_MAX + 1)                     \
    X("free: one that is not", shared->pending_free = 2)                                         \
    X("free: in circles", shared->pending_free = 1000; ALL(newer, 1000))                         \
    X("oldest: far away", shared->pending_oldest = FAR)                                          \
    X("oldest: the last number there is", shared->pending_oldest = 0xffffffffu)                  \
    X("oldest: none", shared->pending_oldest = 0)                                                \
    X("oldest: a free one", shared->pending_oldest = 5000)                                       \
    X("oldest: another", shared->pending_oldest = 7)                                             \
    X("newest: far away", shared->pending_newest = FAR)                                          \
    X("newest: none", shared->pending_newest = 0)                                                \
    X("newest: a free one", shared->pending_newest = 5000)                                       \
    X("newest: another", shared->pending_newest = 7)                                             \
    X("older: far away", ALL(older, FAR))                                                        \
    X("older: one too far", ALL(older, WA_SHARED_PENDING_MAX + 1))                               \
    X("older: itself", ALL(older, i_ + 1))                                                       \
    X("newer: far away", ALL(newer, FAR))                                                        \
    X("newer: itself", ALL(newer, i_ + 1))                                                       \
    X("newer: in circles", ALL(newer, i_ % 7 + 1))                                               \
    X("the list of ages: in circles, both ways", ALL(newer, i_ % 7 + 1);                         \
      ALL(older, (i_ + 5) % 7 + 1))                                                              \
    X("the list of ages: a circle of old ones", ALL(newer, i_ % 7 + 1);                          \
      ALL(older, (i_ + 5) % 7 + 1); ALL(since, 0))                                               \
    X("chain: far away", ALL(chain, FAR))                                                        \
    X("chain: itself", ALL(chain, i_ + 1))                                                       \
    X("chain: in circles", ALL(chain, i_ % 1000 + 1); CHAINS(1))                                 \
    X("chain: through all of them", ALL(chain, (i_ + 1) % WA_SHARED_PENDING_MAX + 1); CHAINS(1)) \
    X("chains: far away", CHAINS(FAR))                                                           \
    X("chains: none", CHAINS(0))                                                                 \
    X("chains: all the same", CHAINS(3))                                                         \
    X("process: none", ALL(process, 0))                                                          \
    X("process: everybody", ALL(process, 0xffffffffu))                                           \
    X("tags: others", ALL(tag, 12345))                                                           \
    X("serial: others", ALL(serial, each(i_)->serial + 1))                                       \
    X("since: tomorrow", ALL(since, each(i_)->since + 86400))                                    \
    X("since: long ago", ALL(since, each(i_)->since - 86400))                                    \
    X("torn: anything", shared->torn = 0xffffffffu)                                              \
    X("dead: everybody", memset((void *)&shared->dead, 0xff, sizeof(shared->dead)))              \
    X("dead: myself", shared->dead.process[3] = (apr_uint32_t)getpid())                          \
    X("places: all taken", memset((void *)&shared->authority, 0xff, sizeof(shared->authority)))  \
    X("all of it", memset((void *)shared->lockout, 0xff,                                         \
                          (size_t)((char *)(shared + 1) - (char *)shared->lockout)))

/* Exchanges begin and end as they should: five of an address, and nothing is left of them. */
static bool is_usable(void)
{
    wa_pending_ticket t[6];
    apr_uint32_t before = wa_pending_count(&pending);
    bool good = true;
    int i;

    for (i = 0; i < 6; i++) {
        good = good
               && wa_pending_open(&pending, "198.51.100.1", &t[i])
                      == (i < 5 ? WA_PENDING_ADMITTED : WA_PENDING_CROWDED);
    }
    for (i = 0; i < 5; i++) {
        good = good && wa_pending_is_open(&pending, t[i]);
        wa_pending_close(&pending, t[i]);
    }
    return good && wa_pending_count(&pending) <= before;
}

static pid_t left_by;
static wa_pending_ticket mine[MANY];

static void prepare(void)
{
    char address[40];
    int i;

    empty();
    left_by = leave(MANY);
    for (i = 0; i < MANY; i++) {
        apr_snprintf(address, sizeof(address), "mine %d", i / 4);
        wa_pending_open(&pending, address, &mine[i]);
    }
    for (i = 0; i < MANY; i += 3) { /* some are free again */
        wa_pending_close(&pending, mine[i]);
    }
}

/* All that a child ever does, in both orders of finding out. */
static void use(bool open_first)
{
    wa_pending_ticket more;
    int i;

    if (open_first) {
        wa_pending_open(&pending, "mine 1", &more);
        wa_pending_open(&pending, NULL, &more);
    }
    for (i = 0; i < MANY; i++) {
        wa_pending_is_open(&pending, mine[i]);
        wa_pending_close(&pending, mine[i]);
    }
    wa_pending_open(&pending, "mine 1", &more);
    wa_pending_close(&pending, more);
    (void)wa_pending_count(&pending);
    i = wa_slots_take(&shared->authority, WA_SLOTS_MAX);
    if (i >= 0) {
        wa_slots_give_back(&shared->authority, i);
    }
    (void)wa_slots_taken(&shared->authority);
}

static void hostile(const char *name, void (*write)(void))
{
    int how;
    bool usable = true;

    alarm(60); /* one that goes round and round is a failure, too */
    for (how = 0; how < 4; how++) {
        prepare();
        write();
        if (how & 1) {
            wa_shared_reap(shared, left_by);
        }
        use((how & 2) != 0);
        wa_shared_reap(shared, left_by);
        use(false);
        usable = usable && is_usable();
    }
    ok(usable, "%s: and all goes on", name);
    alarm(0);
}

/* One function with a number for each row: they cannot all have names. */
static int wanted;
static void write_wanted(void)
{
    int number = 0;

#define X(name, what)         \
    if (number++ == wanted) { \
        what;                 \
    }
    HOSTILE(X)
#undef X
}

static void hostile_values(void)
{
#define X(name, what) name,
    static const char *const names[] = { HOSTILE(X) };
#undef X

    for (wanted = 0; wanted < (int)(sizeof(names) / sizeof(names[0])); wanted++) {
        hostile(names[wanted], write_wanted);
    }
}

/* Whoever is told that a record in use is free, does not share it. */
static void two_of_one(void)
{
    wa_pending_ticket first;
    wa_pending_ticket second;

    empty();
    wa_pending_open(&pending, "192.0.2.1", &first);
    wa_pending_open(&pending, "192.0.2.1", &second);
    wa_pending_close(&pending, second);
    shared->pending_free = first.number;
    is_int(wa_pending_open(&pending, "192.0.2.2", &second), WA_PENDING_ADMITTED,
           "a free record that is none: another begins");
    ok(!wa_pending_is_open(&pending, first), "the first starts anew");
    wa_pending_close(&pending, first);
    ok(wa_pending_is_open(&pending, second), "and does not end the other's");
}

static apr_uint32_t seed = 1;
static apr_uint32_t draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* A number that is likely to be taken for one. */
static apr_uint32_t draw_number(void)
{
    switch (draw() % 4) {
    case 0:
        return draw() % 8;
    case 1:
        return draw() % (2 * MANY + 2);
    case 2:
        return WA_SHARED_PENDING_MAX - 2 + draw() % 4;
    default:
        return draw() << 8;
    }
}

static void write_anything(void)
{
    wa_shared_pending *p = each(draw() % (2 * MANY + 2));
    volatile apr_uint32_t *const heads[] = { &shared->pending_count,  &shared->pending_used,
                                             &shared->pending_free,   &shared->pending_oldest,
                                             &shared->pending_newest, &shared->torn };
    volatile apr_uint32_t *const links[] = { &p->process, &p->serial, &p->since,
                                             &p->chain,   &p->older,  &p->newer };

    switch (draw() % 4) {
    case 0:
        *heads[draw() % 6] = draw_number();
        break;
    case 1:
        shared->pending_chains[draw() % WA_SHARED_PENDING_CHAINS] = draw_number();
        break;
    default:
        *links[draw() % 6] = draw_number();
    }
}

static void random_values(void)
{
    int round;
    int n;

    alarm(120);
    for (round = 0; round < 300; round++) {
        prepare();
        for (n = (int)(draw() % 30) + 1; n > 0; n--) {
            write_anything();
        }
        wa_shared_reap(shared, left_by);
        use(round % 2 == 0);
    }
    empty();
    ok(is_usable(), "anything anywhere, 300 times");
    alarm(0);
}

/* A child that does not stop writing, while others are at work. */
static void a_writer(void)
{
    apr_time_t end = apr_time_now() + apr_time_from_sec(3);
    pid_t child;
    long n = 0;

    prepare();
    alarm(60);
    child = fork();
    if (child == 0) {
        for (;;) {
            write_anything();
        }
    }
    while (apr_time_now() < end) {
        wa_shared_reap(shared, left_by);
        use(n++ % 2 == 0);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    empty();
    ok(is_usable(), "a child that writes and writes, %ld times at work meanwhile", n);
    alarm(0);
}

/* --- the parent
 * --------------------------------------------------------------------------------- */

/* It does not look at the tables: they may be away.  And it waits for nobody. */
static void the_parent(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *from = (char *)(((size_t)shared->lockout + page - 1) / page * page);
    char *to = (char *)((size_t)(shared + 1) / page * page);
    apr_time_t start;
    pid_t dead;
    pid_t child;
    int locked[2];
    char c;
    int i;

    prepare();
    dead = left_by;
    shared->authority.holder[5] = (apr_uint32_t)dead;
    if (pipe(locked) != 0) {
        return;
    }
    child = fork();
    if (child == 0) {
        wa_shared_lock(shared);
        (void)!write(locked[1], "", 1);
        pause();
    }
    (void)!read(locked[0], &c, 1);
    is_int(mprotect(from, (size_t)(to - from), PROT_NONE), 0, "the tables are away");
    start = apr_time_now();
    for (i = 0; i < 3 * WA_DEAD_MAX; i++) {
        wa_shared_reap(shared, dead);
    }
    ok(apr_time_now() - start < apr_time_from_sec(1), "the parent waits for nobody's mutex");
    ok(shared->authority.holder[5] == 0, "frees places");
    mprotect(from, (size_t)(to - from), PROT_READ | PROT_WRITE);
    ok(shared->dead.more == 1, "and notes who is dead, without an end of those there is a bound");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(locked[0]);
    close(locked[1]);
    is_int(wa_pending_count(&pending), 0, "who died with the mutex leaves nothing");
    ok(is_usable(), "and others go on");
}

/* --- the dead
 * ----------------------------------------------------------------------------------- */

static void one_death(void)
{
    wa_pending_ticket ticket;
    pid_t dead;

    empty();
    wa_pending_open(&pending, "mine", &ticket);
    dead = leave(7);
    is_int(wa_pending_count(&pending), 8, "nobody knows yet that it is dead");
    wa_shared_reap(shared, dead);
    is_int(shared->pending_count, 8, "the parent gives nothing back");
    ok(wa_pending_is_open(&pending, ticket), "what is mine stays");
    is_int(shared->pending_count, 1, "whoever comes by does");
    wa_shared_reap(shared, gone());
    is_int(wa_pending_count(&pending), 1, "who had nothing leaves nothing");
}

static void many_deaths(int n, const char *what)
{
    wa_pending_ticket ticket;
    pid_t dead[WA_DEAD_MAX * 2];
    int i;

    empty();
    wa_pending_open(&pending, "mine", &ticket);
    for (i = 0; i < n; i++) {
        dead[i] = leave(2);
    }
    is_int(wa_pending_count(&pending), 2 * n + 1, "%s: each has left two", what);
    for (i = 0; i < n; i++) {
        wa_shared_reap(shared, dead[i]);
    }
    is_int(shared->dead.more != 0, n > WA_DEAD_MAX, "%s: is there a place for each", what);
    is_int(wa_pending_count(&pending), 1, "%s: all is given back", what);
    ok(wa_pending_is_open(&pending, ticket), "%s: but what is mine", what);
    ok(shared->dead.more == 0 && is_usable(), "%s: and others go on", what);
}

/* A new process has the number of one that died when there was no place for it. */
static void the_same_number(void)
{
    wa_pending_ticket ticket;
    int i;

    empty();
    for (i = 0; i < WA_DEAD_MAX; i++) {
        wa_shared_reap(shared, gone());
    }
    wa_pending_open(&pending, "198.51.100.7", &ticket);
    for (i = 0; i < WA_DEAD_MAX; i++) {
        wa_shared_reap(shared, gone());
    }
    wa_shared_reap(shared, getpid());
    is_int(wa_pending_count(&pending), 1,
           "a number that is another's now: nothing is given back");
    shared->pending[ticket.number - 1].since -= 61;
    ok(!wa_pending_is_open(&pending, ticket), "but it ends like any other");
    is_int(wa_pending_count(&pending), 0, "and nothing is lost for good");

    wa_pending_open(&pending, "198.51.100.7", &ticket); /* the dead one's */
    wa_shared_reap(shared, getpid());
    wa_pending_open(&pending, "198.51.100.8", &ticket); /* the new one's */
    ok(wa_pending_is_open(&pending, ticket), "where there is a place, only the dead one's is");
    is_int(wa_pending_count(&pending), 1, "given back");
}

int main(void)
{
    apr_pool_t *pool;
    const char *error = NULL;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    pending.shared = shared = wa_shared_make(pool, &error);
    ok(shared != NULL, "shared memory");
    the_parent();
    one_death();
    many_deaths(WA_DEAD_MAX, "as many as there are places");
    many_deaths(WA_DEAD_MAX + 1, "one more");
    many_deaths(WA_DEAD_MAX * 2, "twice as many");
    the_same_number();
    hostile_values();
    two_of_one();
    random_values();
    a_writer();
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
