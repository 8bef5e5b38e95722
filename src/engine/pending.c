#include "engine/pending.h"

#include "core/bytes.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static apr_uint32_t now_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (apr_uint32_t)t.tv_sec;
}

/* Keyed, so that nobody chooses addresses that share a chain. */
static apr_uint64_t tag_of(const wa_shared *shared, const void *text, size_t n)
{
    unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
    apr_uint64_t tag;

    HMAC(EVP_sha256(), shared->key, sizeof(shared->key), text, n, digest, NULL);
    memcpy(&tag, digest, sizeof(tag));
    return tag;
}

/* The lists are not what they should be.  Whoever finds it stops; then all begins anew: mend. */
static void tear(wa_shared *shared)
{
    shared->torn = 1;
}

/* Records are numbered from 1; 0 ends a list.  Every child can write these numbers: none is an
 * index before it has come through here. */
static wa_shared_pending *record(wa_shared *shared, apr_uint32_t number)
{
    if (number == 0 || number > WA_SHARED_PENDING_MAX) {
        tear(shared);
        return &shared->pending[0]; /* is worth nothing any more, but is there */
    }
    return &shared->pending[number - 1];
}

static volatile apr_uint32_t *chain_of(wa_shared *shared, apr_uint64_t tag)
{
    return &shared->pending_chains[tag % WA_SHARED_PENDING_CHAINS];
}

/* The next one in a chain, or 0.  A chain of more records than there are has no end. */
static apr_uint32_t follow(wa_shared *shared, apr_uint32_t number, apr_uint32_t *steps)
{
    if (++*steps > WA_SHARED_PENDING_MAX) {
        tear(shared);
        return 0;
    }
    return shared->torn ? 0 : record(shared, number)->chain;
}

/* Under the mutex, as everything up to the interface. */
static void unchain(wa_shared *shared, apr_uint32_t number)
{
    volatile apr_uint32_t *link = chain_of(shared, record(shared, number)->tag);
    apr_uint32_t steps = 0;
    apr_uint32_t at;

    for (at = *link; at != 0 && at != number; at = follow(shared, at, &steps)) {
        link = &record(shared, at)->chain;
    }
    if (at != number) {
        tear(shared);
        return;
    }
    *link = record(shared, number)->chain;
}

/* What leads to the record behind one, from the older side; and from the newer one. */
static volatile apr_uint32_t *behind(wa_shared *shared, apr_uint32_t older)
{
    return older != 0 ? &record(shared, older)->newer : &shared->pending_oldest;
}

static volatile apr_uint32_t *before(wa_shared *shared, apr_uint32_t newer)
{
    return newer != 0 ? &record(shared, newer)->older : &shared->pending_newest;
}

static void unqueue(wa_shared *shared, apr_uint32_t number)
{
    apr_uint32_t older = record(shared, number)->older;
    apr_uint32_t newer = record(shared, number)->newer;

    if (*behind(shared, older) != number || *before(shared, newer) != number) {
        tear(shared);
        return;
    }
    *behind(shared, older) = newer;
    *before(shared, newer) = older;
}

static void release(wa_shared *shared, apr_uint32_t number)
{
    wa_shared_pending *p = record(shared, number);

    if (p->process == 0 || shared->pending_count == 0) {
        tear(shared);
        return;
    }
    unchain(shared, number);
    unqueue(shared, number);
    p->process = 0;
    p->serial++;
    p->newer = shared->pending_free;
    shared->pending_free = number;
    shared->pending_count--;
}

static bool is_too_old(const wa_pending *pending, apr_uint32_t number, apr_uint32_t now)
{
    return number != 0 && now - record(pending->shared, number)->since > pending->seconds;
}

/* All live equally long, so the oldest is the first to be too old. */
static void expire(const wa_pending *pending, apr_uint32_t now)
{
    wa_shared *shared = pending->shared;
    apr_uint32_t oldest = shared->pending_oldest;
    apr_uint32_t steps;

    for (steps = 0; steps < WA_SHARED_PENDING_MAX && is_too_old(pending, oldest, now); steps++) {
        release(shared, oldest);
        if (shared->torn) {
            return;
        }
        shared->handshakes_expired++;
        oldest = shared->pending_oldest;
    }
}

static apr_uint32_t count_of(wa_shared *shared, apr_uint64_t tag)
{
    apr_uint32_t steps = 0;
    apr_uint32_t n = 0;
    apr_uint32_t at;

    for (at = *chain_of(shared, tag); at != 0; at = follow(shared, at, &steps)) {
        const wa_shared_pending *p = record(shared, at);
        n += p->tag == tag;
        if (p->process == 0) {
            tear(shared);
        }
    }
    return n;
}

/* A record that is free: one that was used before, or the next that never was. */
static apr_uint32_t take_free(wa_shared *shared)
{
    apr_uint32_t number = shared->pending_free;

    if (number != 0) {
        shared->pending_free = record(shared, number)->newer;
    }
    else if (shared->pending_used < WA_SHARED_PENDING_MAX) {
        number = ++shared->pending_used;
    }
    if (number != 0 && record(shared, number)->process != 0) {
        tear(shared);
    }
    return shared->torn ? 0 : number;
}

static void fill(wa_shared *shared, apr_uint32_t number, apr_uint64_t tag, apr_uint32_t now)
{
    wa_shared_pending *p = record(shared, number);
    apr_uint32_t older = shared->pending_newest;

    p->tag = tag;
    p->process = (apr_uint32_t)getpid();
    p->since = now;
    p->chain = *chain_of(shared, tag);
    *chain_of(shared, tag) = number;
    p->older = older;
    p->newer = 0;
    *behind(shared, older) = number;
    shared->pending_newest = number;
    shared->pending_count++;
}

static wa_pending_answer admit(const wa_pending *pending, apr_uint64_t tag, bool counted,
                               wa_pending_ticket *ticket)
{
    wa_shared *shared = pending->shared;
    apr_uint32_t now = now_seconds();
    apr_uint32_t number;

    expire(pending, now);
    if (counted && count_of(shared, tag) >= pending->per_address) {
        return WA_PENDING_CROWDED;
    }
    number = shared->pending_count < pending->total ? take_free(shared) : 0;
    if (number == 0) {
        return WA_PENDING_FULL;
    }
    fill(shared, number, tag, now);
    ticket->number = number;
    ticket->serial = record(shared, number)->serial;
    return WA_PENDING_ADMITTED;
}

/* Whoever died in the middle of it may have left the lists in any state.  No record is worth
 * finding out: their exchanges start anew. */
static void reset(wa_shared *shared)
{
    size_t i;

    for (i = 0; i < WA_SHARED_PENDING_MAX; i++) {
        shared->pending[i].process = 0;
        shared->pending[i].serial++;
    }
    for (i = 0; i < WA_SHARED_PENDING_CHAINS; i++) {
        shared->pending_chains[i] = 0;
    }
    shared->pending_count = shared->pending_used = shared->pending_free = 0;
    shared->pending_oldest = shared->pending_newest = 0;
    shared->torn = 0;
}

/* As far as can be told at a glance; the rest shows when it is used. */
static bool is_sound(const wa_shared *shared)
{
    bool empty = shared->pending_count == 0;

    return !shared->torn && shared->pending_count <= shared->pending_used
           && shared->pending_used <= WA_SHARED_PENDING_MAX
           && (shared->pending_oldest == 0) == empty && (shared->pending_newest == 0) == empty;
}

/* True iff there was something to mend: nothing is pending now. */
static bool mend(wa_shared *shared)
{
    if (is_sound(shared)) {
        return false;
    }
    reset(shared);
    return true;
}

/* Before anything else is done here.  So a new process that has a dead one's number has no
 * records yet when those of the dead one are given back. */
static void reap(wa_shared *shared)
{
    apr_uint32_t used = shared->pending_used;
    apr_uint32_t number;
    wa_dead_list dead;

    if (!wa_dead_take(&shared->dead, &dead) || used > WA_SHARED_PENDING_MAX) {
        return;
    }
    for (number = 1; number <= used && !shared->torn; number++) {
        apr_uint32_t process = record(shared, number)->process;
        if (process != 0 && wa_dead_has(&dead, process)) {
            release(shared, number);
        }
    }
}

static bool lock_table(wa_shared *shared)
{
    if (!wa_shared_lock(shared)) {
        return false;
    }
    reap(shared);
    mend(shared);
    return true;
}

static void unlock_table(wa_shared *shared)
{
    mend(shared);
    wa_shared_unlock(shared);
}

wa_pending_answer wa_pending_open(const wa_pending *pending, const char *address,
                                  wa_pending_ticket *ticket)
{
    wa_shared *shared = pending->shared;
    wa_pending_answer answer;
    apr_uint64_t tag;

    if (!lock_table(shared)) {
        return WA_PENDING_FULL;
    }
    if (address != NULL) {
        tag = tag_of(shared, address, strlen(address));
    }
    else { /* spread over the chains, which are walked */
        shared->pending_spread++;
        tag = tag_of(shared, &shared->pending_spread, sizeof(shared->pending_spread));
    }
    answer = admit(pending, tag, address != NULL, ticket);
    if (mend(shared)) {
        answer = admit(pending, tag, address != NULL, ticket);
    }
    if (answer != WA_PENDING_ADMITTED) {
        shared->handshakes_refused++;
    }
    unlock_table(shared);
    return answer;
}

static bool is_same(wa_shared *shared, wa_pending_ticket ticket)
{
    return ticket.number != 0 && record(shared, ticket.number)->serial == ticket.serial
           && record(shared, ticket.number)->process != 0;
}

bool wa_pending_is_open(const wa_pending *pending, wa_pending_ticket ticket)
{
    bool open = false;

    if (lock_table(pending->shared)) {
        expire(pending, now_seconds());
        mend(pending->shared);
        open = is_same(pending->shared, ticket);
        unlock_table(pending->shared);
    }
    return open;
}

void wa_pending_close(const wa_pending *pending, wa_pending_ticket ticket)
{
    if (lock_table(pending->shared)) {
        if (is_same(pending->shared, ticket)) {
            release(pending->shared, ticket.number);
        }
        unlock_table(pending->shared);
    }
}

apr_uint32_t wa_pending_count(const wa_pending *pending)
{
    bool locked = lock_table(pending->shared);
    apr_uint32_t n = pending->shared->pending_count; /* not locked: better than nothing */

    if (locked) {
        wa_shared_unlock(pending->shared);
    }
    return n;
}
