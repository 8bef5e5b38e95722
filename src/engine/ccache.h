/* Credentials that clients delegate, as credential caches for applications: a FILE cache each, of
 * mode 0600 and an unguessable name, which goes with the pool of its login.
 *
 * The caches of a server lie in one directory, 0700, and there in one sub-directory per child
 * process, which the child keeps locked for as long as it lives.  What is not locked belonged to
 * a process that died: anybody may sweep it, and neither a reused process id nor a second httpd
 * with the same directory is mistaken for it.  Only what is named as we name is ever removed. */
#ifndef WA_ENGINE_CCACHE_H
#define WA_ENGINE_CCACHE_H

#include <apr_pools.h>
#include <gssapi/gssapi.h>
#include <stdbool.h>
#include <sys/types.h>

typedef enum {
    WA_DELEGATE_OFF = 0,
    WA_DELEGATE_FORWARDED,   /* the client's own ticket-granting ticket, if it forwards one */
    WA_DELEGATE_CONSTRAINED, /* its ticket for us, with which we may ask for more (S4U2Proxy) */
    WA_DELEGATE_COUNT
} wa_delegate;

typedef struct wa_ccache_dir {
    const char *path; /* absolute; in pconf */
    const char *own;  /* this child's below it, in pchild; NULL: there is none, nothing is kept */
} wa_ccache_dir;

/* NULL, or in pool why the directory cannot be used, as far as can be told without making one. */
const char *wa_ccache_check(const char *path, uid_t uid, apr_pool_t *pool);

/* Makes the directory when it is not there, for uid and gid if we are root.  NULL, or in pool why
 * it cannot be used. */
const char *wa_ccache_prepare(const char *path, uid_t uid, gid_t gid, apr_pool_t *pool);

/* Removes what dead processes left.  False: another process is in the way; try again. */
bool wa_ccache_sweep(const char *path);

/* This child's part of it, removed with pchild.  APR_SUCCESS, or why not. */
apr_status_t wa_ccache_open(wa_ccache_dir *dir, apr_pool_t *pchild);

/* Stores what cred holds; the name of the cache, "FILE:/…", in pool, with which the file goes.
 * NULL: it cannot be stored, and *detail_out, in pool, says why. */
const char *wa_ccache_keep(const wa_ccache_dir *dir, gss_cred_id_t cred, apr_pool_t *pool,
                           const char **detail_out);

/* Removes the cache of that name with pool, too, if it is still there then. */
void wa_ccache_end_with(const char *name, apr_pool_t *pool);

#endif
