#include "engine/lockout.h"

#include <apr_atomic.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>

enum {
    WAYS = WA_SHARED_LOCKOUT_WAYS,
    STALE = 60 /* seconds after which a reservation is taken for one that was left behind */
};

/* Of the machine since it was started: the same in all processes, and nobody sets it. */
static apr_uint32_t now_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (apr_uint32_t)t.tv_sec + 1; /* 0 is no time */
}

void wa_lockout_add(const wa_lockout *lockout, char kind, wa_span text, wa_lockout_keys *keys)
{
    const wa_shared *shared = lockout->offload->shared;
    unsigned char key[sizeof(shared->key) + 1];
    unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };

    memcpy(key, shared->key, sizeof(shared->key));
    key[sizeof(shared->key)] = (unsigned char)kind;
    HMAC(EVP_sha256(), key, sizeof(key), text.p, text.n, digest, NULL);
    memcpy(keys->digest[keys->count++], digest, sizeof(keys->digest[0]));
    wa_secret_wipe(key, sizeof(key));
}

static wa_shared_row *bucket_of(wa_shared *shared, const unsigned char *digest)
{
    size_t number = ((size_t)digest[8] << 8 | digest[9]) % WA_SHARED_LOCKOUT_BUCKETS;

    return shared->lockout[number];
}

static apr_uint64_t tag_of(const unsigned char *digest)
{
    apr_uint64_t tag;

    memcpy(&tag, digest, sizeof(tag));
    return tag != 0 ? tag : 1; /* 0 is a free row */
}

/* What time has done to a row. */
static void age(const wa_lockout *l, wa_shared_row *row, apr_uint32_t now)
{
    if (row->pending > 0 && now - row->entered > STALE + l->offload->seconds) {
        row->pending = 0;
    }
    if (row->failures > 0 && now - row->failed > l->seconds) {
        row->failures = 0;
    }
    if (row->pending == 0 && row->failures == 0) {
        row->tag = 0;
    }
}

static bool is_evictable(const wa_lockout *l, const wa_shared_row *row)
{
    return row->pending == 0 && row->failures < l->attempts;
}

/* Which of two rows may rather give way; NULL is none. */
static wa_shared_row *rather(const wa_lockout *l, wa_shared_row *a, wa_shared_row *b)
{
    if (is_evictable(l, b)) {
        return a == NULL || !is_evictable(l, a) || b->failures < a->failures ? b : a;
    }
    /* a locked address, of which an attacker may have any number; never a locked account */
    if (l->per_address && b->pending == 0 && (a == NULL || !is_evictable(l, a))) {
        return a == NULL || b->failed < a->failed ? b : a;
    }
    return a;
}

/* Under the mutex: the row of a key; or a new one, in place of one that is free or else of the
 * one with the fewest refusals; or NULL.  An account that is locked never gives way. */
static wa_shared_row *find(const wa_lockout *l, const unsigned char *digest, apr_uint32_t now,
                           bool make)
{
    wa_shared_row *row = bucket_of(l->offload->shared, digest);
    apr_uint64_t tag = tag_of(digest);
    wa_shared_row *best = NULL;
    int i;

    for (i = 0; i < WAYS; i++) {
        age(l, &row[i], now);
        if (row[i].tag == tag) {
            return &row[i];
        }
        best = rather(l, best, &row[i]);
    }
    if (!make || best == NULL) {
        return NULL;
    }
    memset(best, 0, sizeof(*best));
    best->tag = tag;
    return best;
}

/* Under the mutex. */
static wa_lockout_answer ask(const wa_lockout *l, const wa_lockout_keys *keys, apr_uint32_t now)
{
    wa_lockout_answer answer = WA_LOCKOUT_GO;
    const wa_shared_row *row;
    int i;

    for (i = 0; i < keys->count; i++) {
        row = find(l, keys->digest[i], now, true);
        if (row == NULL || row->failures >= l->attempts) {
            return WA_LOCKOUT_LOCKED;
        }
        if (row->failures + row->pending >= l->attempts) {
            answer = WA_LOCKOUT_WAIT;
        }
    }
    return answer;
}

wa_lockout_answer wa_lockout_enter(const wa_lockout *lockout, const wa_lockout_keys *keys)
{
    wa_shared *shared = lockout->offload->shared;
    apr_uint32_t now = now_seconds();
    wa_lockout_answer answer;
    int i;

    if (!wa_shared_lock(shared)) {
        return WA_LOCKOUT_LOCKED;
    }
    answer = ask(lockout, keys, now);
    for (i = 0; answer == WA_LOCKOUT_GO && i < keys->count; i++) {
        wa_shared_row *row = find(lockout, keys->digest[i], now, true);
        if (row != NULL) {
            row->pending++;
            row->entered = now;
        }
    }
    wa_shared_unlock(shared);
    if (answer == WA_LOCKOUT_LOCKED) {
        apr_atomic_inc32(&shared->locked_out);
    }
    return answer;
}

static void settle(const wa_lockout *l, wa_shared_row *row, wa_lockout_result result,
                   apr_uint32_t now)
{
    if (row->pending > 0 && result != WA_LOCKOUT_UNKNOWN) {
        row->pending--;
    }
    if (result == WA_LOCKOUT_REFUSED) {
        row->failures++;
        row->failed = now;
    }
    if (result == WA_LOCKOUT_RIGHT && !l->per_address) {
        row->failures = 0;
    }
    age(l, row, now);
}

void wa_lockout_leave(const wa_lockout *lockout, const wa_lockout_keys *keys,
                      wa_lockout_result result)
{
    wa_shared *shared = lockout->offload->shared;
    apr_uint32_t now = now_seconds();
    int i;

    if (!wa_shared_lock(shared)) {
        return;
    }
    for (i = 0; i < keys->count; i++) {
        wa_shared_row *row = find(lockout, keys->digest[i], now, result == WA_LOCKOUT_REFUSED);
        if (row != NULL) {
            settle(lockout, row, result, now);
        }
    }
    wa_shared_unlock(shared);
}
