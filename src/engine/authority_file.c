/* The file authority: accounts in a file, for machines without a domain and for tests.
 *
 * Lines are DOMAIN:USER:PASSWORD or smbpasswd's [DOMAIN\]USER:UID:LMHASH:NTHASH:[FLAGS]:…, the
 * two formats gss-ntlmssp reads too.  The file is parsed once into a hash table; before each
 * logon a stat tells whether it changed.  Clear passwords are hashed while parsing and not kept.
 */
#include "engine/authority.h"

#include "core/utf.h"
#include "engine/ntlmhash.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_MAX_BYTES = 64 * 1024 * 1024,
    KEY_MAX = 4 * WA_NTLM_NAME_MAX + 2,
    HEX_HASH = 2 * WA_NTLM_HASH_LEN,
    NETBIOS_MAX = 15
};

typedef struct entry {
    const char *name;
    const char *domain; /* NULL: the line names none */
    unsigned char nt_hash[WA_NTLM_HASH_LEN];
    wa_reason refusal; /* WA_REASON_OK, or why the account may not log in */
} entry;

typedef struct table {
    apr_pool_t *pool;
    apr_hash_t *entries; /* upper-cased DOMAIN\USER in UTF-16 -> entry */
    const char *home;    /* domain of the first line that names one, or NULL */
    apr_time_t mtime;
    apr_ino_t inode;
    apr_off_t size;
} table;

typedef struct file_authority {
    wa_authority base;
    const char *path;
    const char *host; /* NetBIOS name of this machine */
    const apr_table_t *realms;
    apr_pool_t *pool; /* parent of the table's pool; only touched under the mutex */
    apr_thread_mutex_t
        *mutex;   /* guards table; NULL until open(), when there is one thread only */
    table *table; /* NULL: the file could not be used when last looked at */
} file_authority;

/* Key of an account: case of names does not matter, a backslash cannot be part of one. */
static bool make_key(const char *domain, const char *user, wa_writer *w)
{
    bool ok = wa_utf8_to_utf16(wa_span_of(domain, strlen(domain)), w);

    wa_writer_le16(w, '\\');
    ok = ok && wa_utf8_to_utf16(wa_span_of(user, strlen(user)), w);
    wa_utf16_upcase(w->p, w->n);
    return ok && !w->bad;
}

static const entry *find(const table *t, const char *domain, const char *user)
{
    unsigned char key[KEY_MAX];
    wa_writer w;

    wa_writer_init(&w, key, sizeof(key));
    return make_key(domain, user, &w) ? apr_hash_get(t->entries, key, (apr_ssize_t)w.n) : NULL;
}

static bool unhex(const char *hex, unsigned char out[WA_NTLM_HASH_LEN])
{
    size_t i;

    if (strlen(hex) != HEX_HASH) {
        return false;
    }
    for (i = 0; i < WA_NTLM_HASH_LEN; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1])) {
            return false;
        }
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

/* smbpasswd's account flags: U user, D disabled, L locked, W/S/I trust accounts, N no password */
static wa_reason refusal_of(const char *flags)
{
    if (strpbrk(flags, "WSI") != NULL) {
        return WA_REASON_MACHINE_ACCOUNT_REFUSED;
    }
    if (strchr(flags, 'D') != NULL) {
        return WA_REASON_ACCOUNT_DISABLED;
    }
    if (strchr(flags, 'L') != NULL) {
        return WA_REASON_ACCOUNT_LOCKED;
    }
    return strchr(flags, 'N') != NULL ? WA_REASON_LOGON_RESTRICTED : WA_REASON_OK;
}

/* A number, then two fields of the length of a hash: no password with colons looks like that. */
static bool is_smbpasswd(char **field)
{
    return field[1][0] != '\0' && strspn(field[1], "0123456789") == strlen(field[1])
           && strlen(field[2]) == HEX_HASH && strlen(field[3]) == HEX_HASH;
}

/* [DOMAIN\]USER : UID : LMHASH : NTHASH : [FLAGS] … */
static void parse_smbpasswd(char **field, size_t count, apr_pool_t *pool, entry *e)
{
    char *user = strchr(field[0], '\\');

    if (user != NULL) {
        *user++ = '\0';
        e->domain = apr_pstrdup(pool, field[0]);
    }
    e->name = apr_pstrdup(pool, user != NULL ? user : field[0]);
    e->refusal = count > 4 ? refusal_of(field[4]) : WA_REASON_OK;
    if (!unhex(field[3], e->nt_hash) && e->refusal == WA_REASON_OK) {
        e->refusal = WA_REASON_LOGON_RESTRICTED; /* XXXX… or NO PASSWORD: no way to log in */
    }
}

/* DOMAIN : USER : PASSWORD */
static const char *parse_plain(char **field, apr_pool_t *pool, entry *e)
{
    e->domain = apr_pstrdup(pool, field[0]);
    e->name = apr_pstrdup(pool, field[1]);
    e->refusal = WA_REASON_OK;
    if (*field[2] == '\0') {
        return "an empty password lets everybody in";
    }
    return wa_ntlmhash_password(field[2], e->nt_hash) ? NULL
                                                      : "password is not UTF-8 or too long";
}

static size_t split(char *line, char **field, size_t max)
{
    size_t n = 0;

    while (n < max) {
        char *colon = strchr(line, ':');
        field[n++] = line;
        if (colon == NULL) {
            break;
        }
        *colon = '\0';
        line = colon + 1;
    }
    return n;
}

/* NULL, or what is wrong with the line.  The first of two equal accounts wins. */
static const char *parse_line(char *line, table *t)
{
    unsigned char key[KEY_MAX];
    char *field[8];
    size_t count = split(line, field, sizeof(field) / sizeof(field[0]));
    entry *e = apr_pcalloc(t->pool, sizeof(*e));
    const char *wrong = NULL;
    wa_writer w;

    if (count == 3) {
        wrong = parse_plain(field, t->pool, e);
    }
    else if (count >= 4 && is_smbpasswd(field)) {
        parse_smbpasswd(field, count, t->pool, e);
    }
    else {
        wrong = "neither DOMAIN:USER:PASSWORD, without a colon in the password, nor an "
                "smbpasswd line";
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (!wa_account_name_ok(e->name) || (e->domain != NULL && !wa_account_name_ok(e->domain))) {
        return "not a name an account or domain can have";
    }
    wa_writer_init(&w, key, sizeof(key));
    if (!make_key(e->domain != NULL ? e->domain : "", e->name, &w)) {
        return "name too long";
    }
    if (apr_hash_get(t->entries, key, (apr_ssize_t)w.n) == NULL) {
        apr_hash_set(t->entries, apr_pmemdup(t->pool, key, w.n), (apr_ssize_t)w.n, e);
    }
    if (t->home == NULL) {
        t->home = e->domain;
    }
    return NULL;
}

/* Parses text in place, which ends in a NUL. */
static const char *parse_lines(char *text, const char *path, table *t, apr_pool_t *pool)
{
    unsigned number = 0;
    const char *wrong = NULL;

    while (wrong == NULL && *text != '\0') {
        char *line = text;
        size_t n = strcspn(text, "\n");
        text += n + (text[n] != '\0' ? 1 : 0);
        number++;
        line[n] = '\0';
        if (n > 0 && line[n - 1] == '\r') {
            line[--n] = '\0';
        }
        if (n > 0 && line[0] != '#') {
            wrong = parse_line(line, t);
        }
    }
    return wrong == NULL ? NULL : apr_psprintf(pool, "%s line %u: %s", path, number, wrong);
}

/* Reads the whole file and parses it.  The text, with passwords in it, is wiped before it is
 * freed; so it is not read through a buffer of somebody else's. */
static const char *parse_file(apr_file_t *file, apr_size_t size, const char *path, table *t,
                              apr_pool_t *pool)
{
    char *text = malloc(size + 1);
    apr_size_t n = 0;
    const char *wrong;

    if (text == NULL) {
        return "out of memory";
    }
    apr_file_read_full(file, text, size, &n);
    text[n] = '\0';
    wrong = strlen(text) == n ? parse_lines(text, path, t, pool)
                              : apr_pstrcat(pool, path, " is not text", NULL);
    wa_secret_wipe(text, size + 1);
    free(text);
    return wrong;
}

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

/* Reads the file into a new table in a pool below parent, or NULL and *error in error_pool. */
static table *load(const char *path, apr_pool_t *parent, apr_pool_t *error_pool,
                   const char **error)
{
    apr_pool_t *pool;
    apr_file_t *file;
    apr_finfo_t info;
    apr_status_t rv;
    table *t;
    char why[120];

    apr_pool_create(&pool, parent);
    rv = apr_file_open(&file, path, APR_FOPEN_READ, 0, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_file_info_get(&info, WANTED, file);
    }
    if (rv != APR_SUCCESS) {
        *error = apr_psprintf(error_pool, "%s: %s", path, apr_strerror(rv, why, sizeof(why)));
        apr_pool_destroy(pool);
        return NULL;
    }
    t = apr_pcalloc(pool, sizeof(*t));
    t->pool = pool;
    t->entries = apr_hash_make(pool);
    t->mtime = info.mtime;
    t->inode = info.inode;
    t->size = info.size;
    *error = judge_file(&info, path, error_pool);
    if (*error == NULL) {
        *error = parse_file(file, (apr_size_t)info.size, path, t, error_pool);
    }
    apr_file_close(file);
    if (*error != NULL) {
        apr_pool_destroy(pool);
        return NULL;
    }
    return t;
}

/* Under the mutex: makes a->table what the file says now. */
static const table *current(file_authority *a, apr_pool_t *pool, const char **error)
{
    apr_finfo_t info;

    if (a->table != NULL && apr_stat(&info, a->path, WANTED, pool) == APR_SUCCESS
        && info.mtime == a->table->mtime && info.inode == a->table->inode
        && info.size == a->table->size && judge_file(&info, a->path, pool) == NULL) {
        return a->table;
    }
    if (a->table != NULL) {
        apr_pool_destroy(a->table->pool);
    }
    a->table = load(a->path, a->pool, pool, error);
    return a->table;
}

static const table *lock(file_authority *a, apr_pool_t *pool, const char **error)
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
static const char *home_of(const file_authority *a, const table *t)
{
    return t->home != NULL ? t->home : a->host;
}

/* An account by plain name: in the server's own domain, or on a line without domain. */
static const entry *find_home(const file_authority *a, const table *t, const char *user)
{
    const entry *e = find(t, home_of(a, t), user);

    return e != NULL ? e : find(t, "", user);
}

/* user@SUFFIX, where the suffix is a realm with a NetBIOS name or such a name itself. */
static const entry *find_upn(const file_authority *a, const table *t, const char *upn,
                             apr_pool_t *pool)
{
    const char *at = strrchr(upn, '@');
    const char *user = apr_pstrmemdup(pool, upn, (apr_size_t)(at - upn));
    const char *domain = a->realms != NULL ? apr_table_get(a->realms, at + 1) : NULL;

    return find(t, domain != NULL ? domain : at + 1, user);
}

static const entry *look_up(const file_authority *a, const table *t, const char *domain,
                            const char *user, apr_pool_t *pool)
{
    const entry *e;

    if (*domain == '\0') {
        return strchr(user, '@') != NULL ? find_upn(a, t, user, pool) : find_home(a, t, user);
    }
    e = find(t, domain, user);
    if (e == NULL && wa_account_same_domain(domain, home_of(a, t))) {
        e = find(t, "", user);
    }
    return e;
}

/* Copies out of the table all that is needed, so that nothing points into it once it is unlocked.
 */
static bool fetch(file_authority *a, const char *domain, const char *user, apr_pool_t *pool,
                  entry *out, wa_ruling *ruling)
{
    const char *error = NULL;
    const table *t = lock(a, pool, &error);
    const entry *e = t != NULL ? look_up(a, t, domain, user, pool) : NULL;
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
    entry e;

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
    entry e;

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

static bool target(wa_authority *authority, apr_pool_t *pool, wa_ntlm_target *out,
                   const char **detail)
{
    file_authority *a = (file_authority *)authority;
    const table *t = lock(a, pool, detail);

    if (t != NULL) {
        out->netbios_domain = apr_pstrdup(pool, home_of(a, t));
        out->netbios_computer = a->host;
    }
    unlock(a);
    return t != NULL;
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
    a->table = load(path, a->pool, pconf, error);
    return a->table != NULL ? &a->base : NULL;
}
