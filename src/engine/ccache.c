#include "engine/ccache.h"

#include "engine/gsscred.h"

#include <apr_errno.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <dirent.h>
#include <fcntl.h>
#include <gssapi/gssapi_ext.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANDOM = 16, NAME_LEN = 2 * RANDOM }; /* 128 bits, in hexadecimal */

static const char prefix[] = "FILE:";
static const char hexadecimal[] = "0123456789abcdef";

/* name has room for a NUL. */
static apr_status_t make_name(char *name)
{
    unsigned char bytes[RANDOM];
    apr_status_t status = apr_generate_random_bytes(bytes, sizeof(bytes));
    size_t i;

    for (i = 0; i < sizeof(bytes); i++) {
        name[2 * i] = hexadecimal[bytes[i] >> 4];
        name[2 * i + 1] = hexadecimal[bytes[i] & 15];
    }
    name[NAME_LEN] = '\0';
    return status;
}

static bool is_our_name(const char *name)
{
    return strlen(name) == NAME_LEN && strspn(name, hexadecimal) == NAME_LEN;
}

static int open_dir(int at, const char *path)
{
    return openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Calls act for every entry of the open directory that is named as we name. */
static void each_entry(int fd, void (*act)(int fd, const char *name))
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    struct dirent *entry;

    if (dir == NULL) {
        if (copy >= 0) {
            close(copy);
        }
        return;
    }
    rewinddir(dir); /* the copy shares its position with fd */
    while ((entry = readdir(dir)) != NULL) {
        if (is_our_name(entry->d_name)) {
            act(fd, entry->d_name);
        }
    }
    closedir(dir);
}

static void remove_file(int fd, const char *name)
{
    unlinkat(fd, name, 0);
}

static void sweep_child(int top, const char *name)
{
    int fd = open_dir(top, name);

    if (fd < 0) {
        return;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        each_entry(fd, remove_file);
        unlinkat(top, name, AT_REMOVEDIR);
    }
    close(fd);
}

/* Runs as root, too, in a directory that httpd's user may write to: no link is ever followed, and
 * the lock is not waited for.  Whoever holds it is a child that has not locked its own part yet,
 * or another that sweeps. */
bool wa_ccache_sweep(const char *path)
{
    int fd = open_dir(AT_FDCWD, path);
    bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;

    if (locked) {
        each_entry(fd, sweep_child);
    }
    if (fd >= 0) {
        close(fd);
    }
    return locked || fd < 0;
}

/* NULL, or why the directory is not owner's alone. */
static const char *judge_dir(const char *path, const struct stat *st, uid_t owner,
                             apr_pool_t *pool)
{
    return S_ISDIR(st->st_mode) && st->st_uid == owner && (st->st_mode & 077) == 0
               ? NULL
               : apr_psprintf(pool, "%s is not a directory of httpd's user alone (mode 0700)",
                              path);
}

/* Whoever tries a configuration need not be the one who will start httpd. */
const char *wa_ccache_check(const char *path, uid_t uid, apr_pool_t *pool)
{
    struct stat st;
    bool ours;

    if (lstat(path, &st) != 0) {
        return NULL;
    }
    ours = geteuid() != 0 && st.st_uid == geteuid();
    return judge_dir(path, &st, ours ? geteuid() : uid, pool);
}

const char *wa_ccache_prepare(const char *path, uid_t uid, gid_t gid, apr_pool_t *pool)
{
    bool made = mkdir(path, 0700) == 0;
    const char *error = NULL;
    struct stat st;
    int fd;

    if (!made && errno != EEXIST) {
        return apr_psprintf(pool, "%s cannot be made: %s", path, strerror(errno));
    }
    fd = open_dir(AT_FDCWD, path);
    if (geteuid() == 0 && made && fd >= 0 && fchown(fd, uid, gid) != 0) {
        error =
            apr_psprintf(pool, "%s cannot be given to httpd's user: %s", path, strerror(errno));
    }
    memset(&st, 0, sizeof(st));
    if (fd >= 0) {
        (void)fstat(fd, &st);
    }
    if (error == NULL) {
        error = judge_dir(path, &st, geteuid() == 0 ? uid : geteuid(), pool);
    }
    if (fd >= 0) {
        close(fd);
    }
    return error;
}

typedef struct part {
    const char *path;
    int fd; /* holds the lock */
} part;

static apr_status_t remove_part(void *data)
{
    part *p = data;

    each_entry(p->fd, remove_file);
    rmdir(p->path);
    close(p->fd);
    return APR_SUCCESS;
}

/* The lock of the whole directory keeps those who sweep away until the part has one of its own.
 */
apr_status_t wa_ccache_open(wa_ccache_dir *dir, apr_pool_t *pchild)
{
    int top = open_dir(AT_FDCWD, dir->path);
    apr_status_t status = APR_SUCCESS;
    char name[NAME_LEN + 1];
    part *p = apr_pcalloc(pchild, sizeof(*p));

    dir->own = NULL;
    if (top < 0 || flock(top, LOCK_EX) != 0) {
        status = errno;
    }
    else {
        status = make_name(name);
    }
    if (status == APR_SUCCESS) {
        p->path = apr_pstrcat(pchild, dir->path, "/", name, NULL);
        p->fd = mkdirat(top, name, 0700) == 0 ? open_dir(top, name) : -1;
        status = p->fd < 0 || flock(p->fd, LOCK_EX | LOCK_NB) != 0 ? errno : APR_SUCCESS;
    }
    if (status == APR_SUCCESS) {
        apr_pool_cleanup_register(pchild, p, remove_part, apr_pool_cleanup_null);
        dir->own = p->path;
    }
    if (top >= 0) {
        close(top);
    }
    return status;
}

static apr_status_t remove_cache(void *data)
{
    unlink(data);
    return APR_SUCCESS;
}

const char *wa_ccache_keep(const wa_ccache_dir *dir, gss_cred_id_t cred, apr_pool_t *pool,
                           const char **detail_out)
{
    gss_key_value_element_desc element = { "ccache", NULL };
    gss_key_value_set_desc store = { 1, &element };
    char random[NAME_LEN + 1];
    OM_uint32 minor = 0;
    OM_uint32 major;
    char *name;

    if (dir->own == NULL || make_name(random) != APR_SUCCESS) {
        *detail_out = "there is no directory for credential caches";
        return NULL;
    }
    name = apr_pstrcat(pool, prefix, dir->own, "/", random, NULL);
    element.value = name;
    /* before it is there: libkrb5 may fail half-way */
    apr_pool_cleanup_register(pool, name + sizeof(prefix) - 1, remove_cache,
                              apr_pool_cleanup_null);
    major = gss_store_cred_into(&minor, cred, GSS_C_INITIATE,
                                (gss_OID)(uintptr_t)&wa_gss_mech_krb5, 1, 0, &store, NULL, NULL);
    if (GSS_ERROR(major)) {
        *detail_out = apr_pstrcat(
            pool, "the credential cannot be stored: ",
            wa_gss_error(major, minor, (gss_OID)(uintptr_t)&wa_gss_mech_krb5, pool), NULL);
        return NULL;
    }
    return name;
}

void wa_ccache_end_with(const char *name, apr_pool_t *pool)
{
    apr_pool_cleanup_register(pool, apr_pstrdup(pool, name + sizeof(prefix) - 1), remove_cache,
                              apr_pool_cleanup_null);
}
