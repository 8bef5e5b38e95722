#include "engine/names.h"

#include "engine/authority.h"

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <apr_time.h>
#include <string.h>

enum {
    FOUND_LIFETIME = 600, /* seconds */
    UNKNOWN_LIFETIME = 60,
    RETRY = 5,          /* until an authority that did not answer is asked again */
    PATIENCE = 60,      /* how long the others use what one thread is asking anew */
    STRINGS_MAX = 50000 /* kept; then all is forgotten */
};

/* By a name: its SID.  By a SID: its name. */
typedef struct entry {
    wa_lookup found;
    wa_sid sid;
    const char *name;
    apr_time_t until;
} entry;

struct wa_names {
    apr_thread_mutex_t *mutex; /* guards all below */
    apr_pool_t *pool;          /* of the tables, their keys and entries; cleared with them */
    apr_hash_t *by_name;       /* lower case -> entry */
    apr_hash_t *by_sid;        /* text -> entry */
    int strings;               /* put into pool so far */
};

static apr_status_t destroy_pool(void *pool)
{
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

static void forget(wa_names *names)
{
    apr_pool_clear(names->pool);
    names->by_name = apr_hash_make(names->pool);
    names->by_sid = apr_hash_make(names->pool);
    names->strings = 0;
}

wa_names *wa_names_make(apr_pool_t *pconf)
{
    wa_names *names = apr_pcalloc(pconf, sizeof(*names));

    if (apr_thread_mutex_create(&names->mutex, APR_THREAD_MUTEX_DEFAULT, pconf) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_create_unmanaged(&names->pool);
    apr_pool_cleanup_register(pconf, names->pool, destroy_pool, apr_pool_cleanup_null);
    forget(names);
    return names;
}

/* Under the mutex: what is known by this key, into *out.  False: the authority is to be asked;
 * *out is what it said before, if it did. */
static bool recall(apr_hash_t *table, const char *key, apr_pool_t *pool, entry *out)
{
    entry *e = apr_hash_get(table, key, APR_HASH_KEY_STRING);
    apr_time_t now = apr_time_now();
    bool fresh = e != NULL && now < e->until;

    memset(out, 0, sizeof(*out));
    if (e != NULL) {
        *out = *e;
        out->name = apr_pstrdup(pool, e->name); /* NULL stays NULL */
        if (!fresh) {
            e->until = now + apr_time_from_sec(PATIENCE); /* the others go on with it */
        }
    }
    return fresh;
}

/* Under the mutex: what the authority said just now.  If it said nothing, what it said before
 * goes on to hold, also in *said. */
static void keep(wa_names *names, bool by_name, const char *key, entry *said, const entry *before)
{
    static const int lifetimes[] = {
        [WA_LOOKUP_UNAVAILABLE] = RETRY,
        [WA_LOOKUP_UNKNOWN] = UNKNOWN_LIFETIME,
        [WA_LOOKUP_FOUND] = FOUND_LIFETIME,
    };
    apr_hash_t *table;
    entry *e;

    said->until = apr_time_now() + apr_time_from_sec(lifetimes[said->found]);
    if (said->found == WA_LOOKUP_UNAVAILABLE && before->found != WA_LOOKUP_UNAVAILABLE) {
        said->found = before->found;
        said->sid = before->sid;
        said->name = before->name;
    }
    if (names->strings >= STRINGS_MAX) {
        forget(names);
    }
    table = by_name ? names->by_name : names->by_sid;
    e = apr_hash_get(table, key, APR_HASH_KEY_STRING);
    if (e == NULL) {
        e = apr_pcalloc(names->pool, sizeof(*e));
        apr_hash_set(table, apr_pstrdup(names->pool, key), APR_HASH_KEY_STRING, e);
        names->strings++;
    }
    e->found = said->found;
    e->sid = said->sid;
    e->until = said->until;
    if (said->name == NULL || e->name == NULL || strcmp(said->name, e->name) != 0) {
        e->name = apr_pstrdup(names->pool, said->name);
        names->strings += said->name != NULL;
    }
}

const char *wa_names_key(const char *name, apr_pool_t *pool)
{
    char *out = apr_pstrdup(pool, name);
    char *p;

    for (p = out; *p != '\0'; p++) {
        *p = (char)apr_tolower(*p);
    }
    return out;
}

static wa_lookup ask_sid(wa_authority *authority, const char *key, apr_pool_t *pool, wa_sid *out,
                         const char **detail)
{
    const char *backslash = strchr(key, '\\');

    if (backslash == NULL) {
        return authority->group(authority, "", key, pool, out, detail);
    }
    return authority->group(authority, apr_pstrmemdup(pool, key, (apr_size_t)(backslash - key)),
                            backslash + 1, pool, out, detail);
}

wa_lookup wa_names_sid(wa_authority *authority, const char *key, apr_pool_t *pool, wa_sid *out,
                       const char **detail)
{
    wa_names *names;
    entry before, said;
    bool fresh;

    *detail = NULL;
    if (authority == NULL || authority->group == NULL) {
        *detail =
            "the server's WinAuthNTLMAuthority knows no groups: name its SID, or use winbind";
        return WA_LOOKUP_UNAVAILABLE;
    }
    names = authority->names;
    apr_thread_mutex_lock(names->mutex);
    fresh = recall(names->by_name, key, pool, &before);
    apr_thread_mutex_unlock(names->mutex);
    if (fresh) {
        *out = before.sid;
        return before.found;
    }
    memset(&said, 0, sizeof(said));
    said.found = ask_sid(authority, key, pool, &said.sid, detail); /* not under the mutex */
    apr_thread_mutex_lock(names->mutex);
    keep(names, true, key, &said, &before);
    apr_thread_mutex_unlock(names->mutex);
    *out = said.sid;
    return said.found;
}

/* What a list is put together from. */
typedef struct listing {
    wa_sid *asked;     /* SIDs whose names have to be asked for */
    uint32_t *places;  /* where they stand in the list */
    const char **keys; /* their text */
    entry *before;     /* what was known of them */
    const char **said; /* what the authority says */
    size_t count;      /* of them */
} listing;

static void make_listing(size_t n, apr_pool_t *pool, listing *l)
{
    l->asked = apr_palloc(pool, n * sizeof(*l->asked));
    l->places = apr_palloc(pool, n * sizeof(*l->places));
    l->keys = apr_palloc(pool, n * sizeof(*l->keys));
    l->before = apr_palloc(pool, n * sizeof(*l->before));
    l->said = apr_pcalloc(pool, n * sizeof(*l->said));
    l->count = 0;
}

/* Fills in what is known, and gathers what is not. */
static void recall_all(wa_names *names, const wa_sidset *set, apr_pool_t *pool, const char **out,
                       listing *l)
{
    char text[WA_SID_TEXT_MAX];
    uint32_t i;

    apr_thread_mutex_lock(names->mutex);
    for (i = 0; i < set->count; i++) {
        entry *e = &l->before[l->count];
        wa_sid *sid = &l->asked[l->count];
        (void)wa_sidset_at(set, i, sid);
        wa_sid_format(sid, text);
        if (!recall(names->by_sid, text, pool, e)) {
            l->keys[l->count] = apr_pstrdup(pool, text);
            l->places[l->count++] = i;
        }
        out[i] = e->name;
    }
    apr_thread_mutex_unlock(names->mutex);
}

static void keep_all(wa_names *names, bool answered, const listing *l, const char **out)
{
    size_t i;

    apr_thread_mutex_lock(names->mutex);
    for (i = 0; i < l->count; i++) {
        entry said = { WA_LOOKUP_UNAVAILABLE, { 0, 0, { 0 } }, l->said[i], 0 };
        if (answered) {
            said.found = said.name != NULL ? WA_LOOKUP_FOUND : WA_LOOKUP_UNKNOWN;
        }
        keep(names, false, l->keys[i], &said, &l->before[i]);
        out[l->places[i]] = said.name;
    }
    apr_thread_mutex_unlock(names->mutex);
}

void wa_names_list(wa_authority *authority, const wa_sidset *set, apr_pool_t *pool,
                   const char **out)
{
    const char *detail = NULL;
    bool answered;
    listing l;

    memset(out, 0, set->count * sizeof(*out));
    if (authority == NULL || authority->group_names == NULL) {
        return;
    }
    make_listing(set->count, pool, &l);
    recall_all(authority->names, set, pool, out, &l);
    if (l.count > 0) {
        answered = authority->group_names(authority, l.asked, l.count, pool, l.said, &detail);
        keep_all(authority->names, answered, &l, out);
    }
}
