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

/* Records are numbered from 1; 0 ends a list. */
static wa_shared_pending *record(wa_shared *shared, apr_uint32_t number)
{
    return &shared->pending[number - 1];
}

static apr_uint32_t *chain_of(wa_shared *shared, apr_uint64_t tag)
{
    return &shared->pending_chains[tag % WA_SHARED_PENDING_CHAINS];
}

/* Under the mutex, as everything up to the interface. */
static void unchain(wa_shared *shared, apr_uint32_t number)
{
    apr_uint32_t *link = chain_of(shared, record(shared, number)->tag);

    while (*link != 0 && *link != number) {
        link = &record(shared, *link)->chain;
    }
    if (*link == number) {
        *link = record(shared, number)->chain;
    }
}

static void unqueue(wa_shared *shared, apr_uint32_t number)
{
    const wa_shared_pending *p = record(shared, number);

    if (p->older != 0) {
        record(shared, p->older)->newer = p->newer;
    }
    else {
        shared->pending_oldest = p->newer;
    }
    if (p->newer != 0) {
        record(shared, p->newer)->older = p->older;
    }
    else {
        shared->pending_newest = p->older;
    }
}

static void release(wa_shared *shared, apr_uint32_t number)
{
    wa_shared_pending *p = record(shared, number);

    unchain(shared, number);
    unqueue(shared, number);
    p->process = 0;
    p->serial++;
    p->newer = shared->pending_free;
    shared->pending_free = number;
    shared->pending_count--;
}

/* All live equally long, so the oldest is the first to be too old. */
static void expire(const wa_pending *pending, apr_uint32_t now)
{
    wa_shared *shared = pending->shared;

    while (shared->pending_oldest != 0
           && now - record(shared, shared->pending_oldest)->since > pending->seconds) {
        release(shared, shared->pending_oldest);
        shared->handshakes_expired++;
    }
}

static apr_uint32_t count_of(wa_shared *shared, apr_uint64_t tag)
{
    apr_uint32_t number = *chain_of(shared, tag);
    apr_uint32_t n = 0;

    while (number != 0) {
        n += record(shared, number)->tag == tag;
        number = record(shared, number)->chain;
    }
    return n;
}

/* A record that is free: one that was used before, or the next that never was. */
static apr_uint32_t take_free(wa_shared *shared)
{
    apr_uint32_t number = shared->pending_free;

    if (number != 0) {
        shared->pending_free = record(shared, number)->newer;
        return number;
    }
    return shared->pending_used < WA_SHARED_PENDING_MAX ? ++shared->pending_used : 0;
}

static wa_pending_answer admit(const wa_pending *pending, apr_uint64_t tag, bool counted,
                               wa_pending_ticket *ticket)
{
    wa_shared *shared = pending->shared;
    apr_uint32_t now = now_seconds();
    wa_shared_pending *p;
    apr_uint32_t number;

    expire(pending, now);
    if (counted && count_of(shared, tag) >= pending->per_address) {
        return WA_PENDING_CROWDED;
    }
    number = shared->pending_count < pending->total ? take_free(shared) : 0;
    if (number == 0) {
        return WA_PENDING_FULL;
    }
    p = record(shared, number);
    p->tag = tag;
    p->process = (apr_uint32_t)getpid();
    p->since = now;
    p->chain = *chain_of(shared, tag);
    *chain_of(shared, tag) = number;
    p->older = shared->pending_newest;
    p->newer = 0;
    if (p->older != 0) {
        record(shared, p->older)->newer = number;
    }
    else {
        shared->pending_oldest = number;
    }
    shared->pending_newest = number;
    shared->pending_count++;
    ticket->number = number;
    ticket->serial = p->serial;
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
    memset(shared->pending_chains, 0, sizeof(shared->pending_chains));
    shared->pending_count = shared->pending_used = shared->pending_free = 0;
    shared->pending_oldest = shared->pending_newest = 0;
    shared->torn = false;
}

static bool lock_table(wa_shared *shared)
{
    if (!wa_shared_lock(shared)) {
        return false;
    }
    if (shared->torn) {
        reset(shared);
    }
    return true;
}

wa_pending_answer wa_pending_open(const wa_pending *pending, const char *address,
                                  wa_pending_ticket *ticket)
{
    wa_shared *shared = pending->shared;
    wa_pending_answer answer = WA_PENDING_FULL;
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
    if (answer != WA_PENDING_ADMITTED) {
        shared->handshakes_refused++;
    }
    wa_shared_unlock(shared);
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
        open = is_same(pending->shared, ticket);
        wa_shared_unlock(pending->shared);
    }
    return open;
}

void wa_pending_close(const wa_pending *pending, wa_pending_ticket ticket)
{
    if (lock_table(pending->shared)) {
        if (is_same(pending->shared, ticket)) {
            release(pending->shared, ticket.number);
        }
        wa_shared_unlock(pending->shared);
    }
}

void wa_pending_reap(wa_shared *shared, pid_t process)
{
    apr_uint32_t number;

    if (!lock_table(shared)) {
        return;
    }
    for (number = 1; number <= shared->pending_used; number++) {
        if (record(shared, number)->process == (apr_uint32_t)process) {
            release(shared, number);
        }
    }
    wa_shared_unlock(shared);
}
