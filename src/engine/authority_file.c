/* The file authority: accounts in a file, for machines without a domain and for tests.
 *
 * Lines are DOMAIN:USER:PASSWORD or smbpasswd's [DOMAIN\]USER:UID:LMHASH:NTHASH:[FLAGS]:…, the
 * two formats gss-ntlmssp reads too.  The file is parsed once into a hash table; before each
 * logon a stat tells whether it changed.  Clear passwords are hashed while parsing and not kept.
 */
#include "engine/authority.h"

#include "engine/ntlmhash.h"
#include "engine/userfile.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 64 * 1024 * 1024, NETBIOS_MAX = 15 };

/* What tells one state of the file from another. */
typedef struct stamp {
    apr_time_t mtime;
    apr_ino_t inode;
    apr_off_t size;
    apr_fileperms_t protection;
} stamp;

typedef struct file_authority {
    wa_authority base;
    const char *path;
    const char *host; /* NetBIOS name of this machine */
    const apr_table_t *realms;
    apr_pool_t *pool; /* parent of the table's pool; only touched under the mutex */
    apr_thread_mutex_t
        *mutex;         /* guards table; NULL until open(), when there is one thread only */
    wa_userfile *table; /* NULL: the file could not be used when last looked at */
    stamp seen;         /* of the file when it was last read */
    char failure[300];  /* why that failed; means nothing when table != NULL */
} file_authority;

/* Refuses what cannot be trusted: not a file, absurdly large, or readable by everybody. */
static const char *judge_file(const apr_finfo_t *info, const char *path, apr_pool_t *pool)
{
    if (info->filetype != APR_REG) {
        return apr_psprintf(pool, "%s is not a file", path);
    }
    if (info->size > FILE_MAX_BYTES) {
        return apr_psprintf(pool, "%s is larger than 64 MiB", path);
    }
    if (info->protection & (APR_FPROT_WREAD | APR_FPROT_WWRITE)) {
        return apr_psprintf(pool, "%s holds secrets and is open to everybody: chmod 640", path);
    }
    return NULL;
}

enum {
    WANTED = APR_FINFO_MTIME | APR_FINFO_SIZE | APR_FINFO_INODE | APR_FINFO_TYPE | APR_FINFO_PROT
};

static void note_stamp(stamp *s, const apr_finfo_t *info)
{
    s->mtime = info->mtime;
    s->inode = info->inode;
    s->size = info->size;
    s->protection = info->protection;
}

/* Reads the file into a new table in a pool of its own, or NULL and *error in error_pool. */
static wa_userfile *load(file_authority *a, apr_pool_t *error_pool, const char **error)
{
    apr_pool_t *pool;
    apr_file_t *file;
    apr_finfo_t info;
    apr_status_t rv;
    wa_userfile *t = NULL;
    char why[120];

    apr_pool_create(&pool, a->pool);
    memset(&a->seen, 0,
           sizeof(a->seen)); /* a file that cannot be opened is tried again each time */
    rv = apr_file_open(&file, a->path, APR_FOPEN_READ, 0, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, WANTED, file);
    }
    if (rv != APR_SUCCESS) {
        *error = apr_psprintf(error_pool, "%s: %s", a->path, apr_strerror(rv, why, sizeof(why)));
    }
    else {
        note_stamp(&a->seen, &info);
        t = wa_userfile_make(pool);
        *error = judge_file(&info, a->path, error_pool);
        if (*error == NULL) {
            *error = wa_userfile_parse(file, (apr_size_t)info.size, a->path, t, error_pool);
        }
        apr_file_close(file);
    }
    if (*error != NULL) {
        apr_pool_destroy(pool);
        return NULL;
    }
    return t;
}

static bool is_same(const stamp *s, const apr_finfo_t *info)
{
    return info->mtime == s->mtime && info->inode == s->inode && info->size == s->size
           && info->protection == s->protection;
}

/* Under the mutex: makes a->table what the file says now.  A file that was found broken is not
 * parsed again until it changes. */
static const wa_userfile *current(file_authority *a, apr_pool_t *pool, const char **error)
{
    apr_finfo_t info;
    bool there = apr_stat(&info, a->path, WANTED, pool) == APR_SUCCESS;

    if (there && is_same(&a->seen, &info)) {
        *error = a->table == NULL ? apr_pstrdup(pool, a->failure) : NULL;
        return a->table;
    }
    if (a->table != NULL) {
        apr_pool_destroy(a->table->pool);
    }
    a->table = load(a, pool, error);
    if (a->table == NULL) {
        apr_cpystrn(a->failure, *error, sizeof(a->failure));
    }
    return a->table;
}

static const wa_userfile *lock(file_authority *a, apr_pool_t *pool, const char **error)
{
    if (a->mutex != NULL) {
        apr_thread_mutex_lock(a->mutex);
    }
    return current(a, pool, error);
}

static void unlock(file_authority *a)
{
    if (a->mutex != NULL) {
        apr_thread_mutex_unlock(a->mutex);
    }
}

/* Domain that accounts without one belong to. */
static const char *home_of(const file_authority *a, const wa_userfile *t)
{
    return t->home != NULL ? t->home : a->host;
}

/* An account by plain name: in the server's own domain, or on a line without domain. */
static const wa_userfile_entry *find_home(const file_authority *a, const wa_userfile *t,
                                          const char *user)
{
    const wa_userfile_entry *e = wa_userfile_find(t, home_of(a, t), user);

    return e != NULL ? e : wa_userfile_find(t, "", user);
}

/* user@SUFFIX, where the suffix is a realm with a NetBIOS name or such a name itself. */
static const wa_userfile_entry *find_upn(const file_authority *a, const wa_userfile *t,
                                         const char *upn, apr_pool_t *pool)
{
    const char *at = strrchr(upn, '@');
    const char *user = apr_pstrmemdup(pool, upn, (apr_size_t)(at - upn));
    const char *domain = a->realms != NULL ? apr_table_get(a->realms, at + 1) : NULL;

    return wa_userfile_find(t, domain != NULL ? domain : at + 1, user);
}

static const wa_userfile_entry *look_up(const file_authority *a, const wa_userfile *t,
                                        const char *domain, const char *user, apr_pool_t *pool)
{
    const wa_userfile_entry *e;

    if (*domain == '\0') {
        return strchr(user, '@') != NULL ? find_upn(a, t, user, pool) : find_home(a, t, user);
    }
    e = wa_userfile_find(t, domain, user);
    if (e == NULL && wa_account_same_domain(domain, home_of(a, t))) {
        e = wa_userfile_find(t, "", user);
    }
    return e;
}

/* Copies out of the table all that is needed, so that nothing points into it once it is unlocked.
 */
static bool fetch(file_authority *a, const char *domain, const char *user, apr_pool_t *pool,
                  wa_userfile_entry *out, wa_ruling *ruling)
{
    const char *error = NULL;
    const wa_userfile *t = lock(a, pool, &error);
    const wa_userfile_entry *e = t != NULL ? look_up(a, t, domain, user, pool) : NULL;
    const char *home = t != NULL ? apr_pstrdup(pool, home_of(a, t)) : NULL;

    if (e != NULL) {
        *out = *e;
        out->name = apr_pstrdup(pool, e->name);
        out->domain = e->domain != NULL ? apr_pstrdup(pool, e->domain) : home;
    }
    unlock(a);
    if (t == NULL) {
        wa_ruling_set(ruling, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_DOWN, error);
        return false;
    }
    if (e == NULL) {
        wa_ruling_set(ruling, WA_VERDICT_FAILED, WA_REASON_UNKNOWN_USER, NULL);
        return false;
    }
    ruling->account.name = out->name;
    ruling->account.domain = out->domain;
    ruling->account.home = wa_account_same_domain(out->domain, home);
    return true;
}

static void judge(wa_authority *authority, const wa_logon *logon, apr_pool_t *pool,
                  wa_ruling *out)
{
    file_authority *a = (file_authority *)authority;
    wa_userfile_entry e;

    if (!fetch(a, logon->domain, logon->user, pool, &e, out)) {
        return;
    }
    /* the password first: an account's state is told to nobody who does not know it */
    if (!wa_ntlmhash_verify(e.nt_hash, logon->challenge, logon->message, out->session_key)) {
        wa_ruling_set(
            out, WA_VERDICT_FAILED,
            e.refusal == WA_REASON_LOGON_RESTRICTED ? e.refusal : WA_REASON_BAD_PASSWORD, NULL);
    }
    else if (e.refusal != WA_REASON_OK) {
        wa_ruling_set(out, WA_VERDICT_FAILED, e.refusal, NULL);
    }
    else {
        wa_ruling_set(out, WA_VERDICT_DONE, WA_REASON_OK, NULL);
    }
    wa_secret_wipe(e.nt_hash, sizeof(e.nt_hash));
}

static void judge_password(wa_authority *authority, const char *user, const char *domain,
                           const char *password, apr_pool_t *pool, wa_ruling *out)
{
    unsigned char hash[WA_NTLM_HASH_LEN];
    wa_userfile_entry e;

    if (!fetch((file_authority *)authority, domain, user, pool, &e, out)) {
        return;
    }
    if (!wa_ntlmhash_password(password, hash)
        || !wa_secret_equal(hash, e.nt_hash, sizeof(hash))) {
        wa_ruling_set(out, WA_VERDICT_FAILED, WA_REASON_BAD_PASSWORD, NULL);
    }
    else if (e.refusal != WA_REASON_OK) {
        wa_ruling_set(out, WA_VERDICT_FAILED, e.refusal, NULL);
    }
    else {
        wa_ruling_set(out, WA_VERDICT_DONE, WA_REASON_OK, NULL);
    }
    wa_secret_wipe(hash, sizeof(hash));
    wa_secret_wipe(e.nt_hash, sizeof(e.nt_hash));
}

/* gss-ntlmssp opens the file itself, as httpd's user. */
static bool ready(wa_authority *authority, apr_pool_t *pool, const char **detail)
{
    const file_authority *a = (const file_authority *)authority;

    if (access(a->path, R_OK) != 0) {
        *detail = apr_psprintf(pool, "%s cannot be read by uid %ld", a->path, (long)getuid());
        return false;
    }
    return true;
}

static wa_reason target(wa_authority *authority, apr_pool_t *pool, wa_ntlm_target *out,
                        const char **detail)
{
    file_authority *a = (file_authority *)authority;
    const wa_userfile *t = lock(a, pool, detail);

    if (t != NULL) {
        out->netbios_domain = apr_pstrdup(pool, home_of(a, t));
        out->netbios_computer = a->host;
    }
    unlock(a);
    return t != NULL ? WA_REASON_OK : WA_REASON_AUTHORITY_DOWN;
}

static apr_status_t destroy_pool(void *pool)
{
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

static void open_child(wa_authority *authority, apr_pool_t *pchild)
{
    file_authority *a = (file_authority *)authority;

    /* without a mutex there is no safe way to re-read the file: better no child than a racy one
     */
    if (apr_thread_mutex_create(&a->mutex, APR_THREAD_MUTEX_DEFAULT, pchild) != APR_SUCCESS) {
        abort();
    }
}

/* First label of the host's name in upper case, as NetBIOS names go. */
static const char *netbios_host(apr_pool_t *pool)
{
    char host[256] = "";
    char *p;

    if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0') {
        return "LOCALHOST";
    }
    for (p = host; *p != '\0' && *p != '.' && p - host < NETBIOS_MAX; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    *p = '\0';
    return wa_account_name_ok(host) ? apr_pstrdup(pool, host) : "LOCALHOST";
}

wa_authority *wa_authority_file(const char *path, const apr_table_t *realms, apr_pool_t *pconf,
                                const char **error)
{
    file_authority *a = apr_pcalloc(pconf, sizeof(*a));

    a->base.spec = apr_pstrcat(pconf, "file:", path, NULL);
    a->base.open = open_child;
    a->base.target = target;
    a->base.judge = judge;
    a->base.password = judge_password;
    a->base.ready = ready;
    a->path = path;
    a->host = netbios_host(pconf);
    a->realms = realms;
    /* its own allocator, so that re-reading in one thread never races another's use of pconf */
    apr_pool_create_unmanaged(&a->pool);
    apr_pool_cleanup_register(pconf, a->pool, destroy_pool, apr_pool_cleanup_null);
    a->table = load(a, pconf, error);
    return a->table != NULL ? &a->base : NULL;
}
