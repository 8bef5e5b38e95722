/* What threads share, used by many of them at the same time: shelves, gates, the crew, the table
 * of pending exchanges, the user file while it changes, acceptor credentials, exchanges under one
 * trust.  "make tsan" runs it under ThreadSanitizer; each part also counts what must come out. */
#include "core/utf.h"
#include "engine/engine.h"
#include "engine/gsscred.h"
#include "engine/offload.h"
#include "engine/pending.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <krb5.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS = 12, ROUNDS = 400, LIMIT = 5 };

static char *dir; /* of this run */
static apr_pool_t *root;

/* Runs body THREADS times at once; each gets its number, and what it returns is added up. */
typedef long (*body)(long number, apr_pool_t *pool);
struct thread {
    pthread_t id;
    body run;
    long number;
    long result;
};

static void *start(void *data)
{
    struct thread *t = data;
    apr_pool_t *pool;

    apr_pool_create_unmanaged(&pool); /* a pool is one thread's */
    t->result = t->run(t->number, pool);
    apr_pool_destroy(pool);
    return NULL;
}

static long together(body run)
{
    struct thread threads[THREADS];
    long sum = 0;
    long i;

    for (i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){ 0, run, i, 0 };
        pthread_create(&threads[i].id, NULL, start, &threads[i]);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i].id, NULL);
        sum += threads[i].result;
    }
    return sum;
}

/* --- shelves: a handle is never two threads'
 * ---------------------------------------------------- */

static wa_spares *spares;
static apr_uint32_t made, freed;

static void release_handle(void *handle)
{
    __atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
    free(handle);
}

static long use_spares(long number, apr_pool_t *pool)
{
    long shared = 0;
    int i;

    (void)pool;
    for (i = 0; i < ROUNDS; i++) {
        long *mine = wa_spares_take(spares);
        if (mine == NULL) {
            mine = calloc(1, sizeof(*mine));
            __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
        }
        shared += *mine != 0;
        *mine = number + 1; /* without a lock: the race detector's to see */
        sched_yield();
        shared += *mine != number + 1;
        *mine = 0;
        wa_spares_put(spares, mine);
    }
    return shared;
}

static void test_spares(void)
{
    apr_pool_t *pool;

    apr_pool_create(&pool, root);
    spares = wa_spares_create(pool, LIMIT, release_handle);
    is_int(together(use_spares), 0, "shelves: no handle is in two hands");
    apr_pool_destroy(pool);
    is_int(made, freed, "shelves: what was made is freed");
}

/* --- a gate: never more inside than it lets in -------------------------------------------------
 */

static wa_gate gate = { LIMIT, 0 };
static long inside;

static long use_gate(long number, apr_pool_t *pool)
{
    long too_many = 0;
    int i;

    (void)number;
    (void)pool;
    for (i = 0; i < ROUNDS; i++) {
        if (wa_gate_enter(&gate)) {
            too_many += __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) > LIMIT;
            sched_yield();
            __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
            wa_gate_leave(&gate);
        }
    }
    return too_many;
}

static void test_gate(void)
{
    is_int(together(use_gate), 0, "gate: never more than it lets in");
    is_int(gate.waiting, 0, "gate: and in the end nobody");
}

/* --- the crew: jobs that are done in time, and jobs that are late
 * -------------------------------- */

static wa_offload offload;
static apr_uint32_t ended;

typedef struct question {
    wa_job job;
    long asked;
    long answer;
    bool slow;
} question;

static void answer(wa_job *job)
{
    question *q = (question *)job;

    if (q->slow) {
        usleep(1200 * 1000);
    }
    q->answer = q->asked * 2;
}

static void end_question(wa_job *job)
{
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELAXED);
    free(job);
}

static long use_crew(long number, apr_pool_t *pool)
{
    long wrong = 0;
    int i;

    (void)pool;
    for (i = 0; i < ROUNDS / 4; i++) {
        question *q = calloc(1, sizeof(*q));
        wa_offload_outcome outcome;

        q->job.run = answer;
        q->job.end = end_question;
        q->asked = number * ROUNDS + i;
        q->slow = i == 7 && number % 4 == 0;
        outcome = wa_offload_run(&offload, &q->job);
        if (outcome != WA_OFFLOAD_LATE) {
            wrong += outcome == WA_OFFLOAD_DONE && q->answer != 2 * (number * ROUNDS + i);
            end_question(&q->job);
        }
    }
    return wrong;
}

static void test_crew(void)
{
    const char *error = NULL;
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, root);
    offload.shared = wa_shared_make(root, &error);
    offload.limit = LIMIT;
    offload.seconds = 1;
    wa_offload_open(&offload, THREADS, pool);
    is_int(together(use_crew), 0, "crew: every answer is that of its own question");
    ok(offload.shared->authority_late > 0, "crew: some were late");
    for (i = 0; i < 100 && __atomic_load_n(&ended, __ATOMIC_RELAXED) < THREADS * (ROUNDS / 4);
         i++) {
        usleep(50 * 1000);
    }
    is_int(__atomic_load_n(&ended, __ATOMIC_RELAXED), THREADS * (ROUNDS / 4),
           "crew: each job is freed once");
    apr_pool_destroy(pool);
}

/* --- exchanges that wait for their clients, while processes die
 * ---------------------------------- */

static wa_pending pending = { .total = 1000, .per_address = 5, .seconds = 60 };

static long use_pending(long number, apr_pool_t *pool)
{
    const char *address = apr_psprintf(pool, "192.0.2.%ld", number / 3); /* three of each */
    long wrong = 0;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        wa_pending_ticket ticket;
        if (number == 0) {
            wa_shared_reap(pending.shared, 0x7ffffff0 + i % 8);
            continue;
        }
        wrong += wa_pending_open(&pending, address, &ticket) != WA_PENDING_ADMITTED;
        wrong += wa_pending_count(&pending) == 0 || !wa_pending_is_open(&pending, ticket);
        wa_pending_close(&pending, ticket);
    }
    return wrong;
}

static void test_pending(void)
{
    const char *error = NULL;

    pending.shared = wa_shared_make(root, &error);
    is_int(together(use_pending), 0, "pending: every exchange is its own");
    is_int(wa_pending_count(&pending), 0, "pending: and in the end there is none");
}

/* --- the user file, while somebody replaces it
 * -------------------------------------------------- */

static wa_authority *authority;

/* alice's password stays, bob's is now this, now that. */
static void put_users(int round)
{
    char *path = apr_psprintf(root, "%s/users", dir);
    char *next = apr_psprintf(root, "%s/users.new", dir);
    FILE *f = fopen(next, "w");
    int i;

    fprintf(f, "TEST:alice:stays\nTEST:bob:%s\n", round % 2 ? "this" : "that-one");
    for (i = 0; i < round % 50; i++) {
        fprintf(f, "TEST:user%d:secret\n", i);
    }
    fclose(f);
    chmod(next, 0600);
    rename(next, path);
}

static bool judged(const char *user, const char *password, apr_pool_t *pool, wa_ruling *out)
{
    memset(out, 0, sizeof(*out));
    authority->password(authority, user, "", password, pool, out);
    return out->verdict == WA_VERDICT_DONE;
}

static long use_authority(long number, apr_pool_t *pool)
{
    long wrong = 0;
    wa_ntlm_target target;
    const char *detail;
    wa_ruling r;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        if (number == 0) {
            put_users(i);
            continue;
        }
        wrong += !judged("alice", "stays", pool, &r) || strcmp(r.account.domain, "TEST") != 0;
        wrong += judged("alice", "this", pool, &r) || r.reason != WA_REASON_BAD_PASSWORD;
        wrong += !judged("bob", "this", pool, &r) && r.reason != WA_REASON_BAD_PASSWORD;
        wrong += judged("nobody", "this", pool, &r) || r.reason != WA_REASON_UNKNOWN_USER;
        memset(&target, 0, sizeof(target));
        wrong += authority->target(authority, pool, &target, &detail) != WA_REASON_OK;
        apr_pool_clear(pool);
    }
    return wrong;
}

/* --- credentials and exchanges under one trust -------------------------------------------------
 */

static wa_trust trust;

static void make_keytab(const char *path)
{
    krb5_context ctx;
    krb5_keytab keytab;
    krb5_keytab_entry entry;

    memset(&entry, 0, sizeof(entry));
    ok(krb5_init_context(&ctx) == 0, "a Kerberos context");
    krb5_parse_name(ctx, "HTTP/localhost@TEST", &entry.principal);
    krb5_c_make_random_key(ctx, ENCTYPE_AES256_CTS_HMAC_SHA1_96, &entry.key);
    entry.vno = 1;
    ok(krb5_kt_resolve(ctx, path, &keytab) == 0 && krb5_kt_add_entry(ctx, keytab, &entry) == 0,
       "a keytab");
    krb5_free_keyblock_contents(ctx, &entry.key);
    krb5_free_principal(ctx, entry.principal);
    krb5_kt_close(ctx, keytab);
    krb5_free_context(ctx);
}

static long use_credentials(long number, apr_pool_t *pool)
{
    static const wa_gsscred_kind kinds[] = { WA_GSSCRED_KRB5, WA_GSSCRED_SPNEGO_KRB5 };
    long none = 0;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        const char *detail = NULL;
        wa_gsscred_kind kind = kinds[(number + i) % 2];
        wa_gsscred *cred = wa_gsscred_take(&trust, kind, pool, &detail);

        none += cred == NULL || wa_gsscred_handle(cred, kind) == GSS_C_NO_CREDENTIAL;
        if (cred != NULL) {
            wa_gsscred_give_back(&trust, kind, cred, i % 20 != 0);
        }
    }
    return none;
}

static const char *const seeds[] = {
    "ntlm/success-negotiate",   "ntlm/success-authenticate", "spnego/success-bare-krb5",
    "spnego/success-init-krb5", "spnego/success-init2",      "spnego/truncated-init",
};

static wa_span load(const char *name, apr_pool_t *pool)
{
    char *path = apr_pstrcat(pool, "t/fuzz/corpus/", name, NULL);
    unsigned char *buf = apr_palloc(pool, 65536);
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(buf, 1, 65536, f) : 0;

    if (f != NULL) {
        fclose(f);
    }
    return wa_span_of(buf, n);
}

/* A type-1 is answered with a challenge, everything else is refused, by whichever thread. */
static long one_exchange(wa_span token, bool gss, apr_pool_t *pool)
{
    wa_engine *engine = gss ? wa_gss_begin(&trust, false, pool) : wa_ntlm_begin(&trust, pool);
    bool first = wa_ntlm_message_type(token) == 1;
    wa_step out;

    engine->step(engine, token, pool, &out);
    if (!gss && first) {
        long wrong = out.verdict != WA_VERDICT_CONTINUE || out.token.n == 0;
        engine->step(engine, load("ntlm/success-authenticate", pool), pool, &out);
        return wrong + (out.verdict != WA_VERDICT_FAILED);
    }
    return out.verdict == WA_VERDICT_DONE || out.identity != NULL;
}

static long use_exchanges(long number, apr_pool_t *pool)
{
    long wrong = 0;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        size_t n = (size_t)(number + i) % (sizeof(seeds) / sizeof(seeds[0]));
        wrong += one_exchange(load(seeds[n], pool), n >= 2, pool);
        if (i % 50 == 0 && number == 0) {
            put_users(i);
        }
        apr_pool_clear(pool);
    }
    return wrong;
}

int main(void)
{
    const char *error = NULL;

    apr_initialize();
    (void)wa_utf_init();
    apr_pool_create(&root, NULL);
    dir = mkdtemp(apr_pstrdup(root, "/tmp/wa-thread-XXXXXX"));
    setenv("KRB5_CONFIG", "/dev/null", 1);
    setenv("KRB5RCACHEDIR", dir, 1);
    put_users(0);
    authority = wa_authority_file(apr_psprintf(root, "%s/users", dir), NULL, root, &error);
    ok(authority != NULL, "a user file");
    trust.keytab = apr_psprintf(root, "%s/keytab", dir);
    trust.authority = authority;
    trust.realms = apr_table_make(root, 1);
    make_keytab(trust.keytab);
    wa_trust_open(&trust, THREADS, root);
    test_spares();
    test_gate();
    test_crew();
    test_pending();
    is_int(together(use_authority), 0, "user file: every judgement by one version of it");
    is_int(together(use_credentials), 0, "credentials: every thread gets one");
    is_int(together(use_exchanges), 0, "exchanges: each ends as it must");
    unlink(apr_psprintf(root, "%s/users", dir));
    unlink(trust.keytab);
    rmdir(dir);
    apr_pool_destroy(root);
    return done_testing();
}
