/* Who judges an NTLM response: winbindd on behalf of the domain, or a file of accounts.
 *
 * A refused response is submitted exactly once: a second try with the same wrong password would
 * count twice towards the domain's lockout. */
#ifndef WA_ENGINE_AUTHORITY_H
#define WA_ENGINE_AUTHORITY_H

#include "core/account.h"
#include "core/exchange.h"
#include "core/ntlm.h"
#include "engine/names.h"
#include "engine/offload.h"

#include <apr_pools.h>
#include <apr_tables.h>

/* What is submitted. */
typedef struct wa_logon {
    const unsigned char *challenge;      /* our 8 bytes */
    const wa_ntlm_authenticate *message; /* shape already judged */
    const char *user;                    /* UTF-8, as typed */
    const char *domain;                  /* UTF-8, as typed; "" when none */
    const char *workstation;             /* UTF-8; "" when none */
} wa_logon;

/* What comes back. */
typedef struct wa_ruling {
    wa_verdict verdict; /* DONE, FAILED or UNAVAILABLE */
    wa_reason reason;   /* for FAILED and UNAVAILABLE */
    const char *detail; /* for the log; or NULL */
    wa_account account; /* canonical; set iff DONE; in the pool given */
    bool late;          /* the question was given up, but is still under way */
    unsigned char session_key[WA_NTLM_HASH_LEN];
} wa_ruling;

struct wa_authority {
    const char *spec; /* as configured: "winbind" or "file:PATH" */

    /* Prepares the child's part (shelves, mutexes).  Called in each child before threads
     * serve, once for each trust that shares the authority. */
    void (*open)(wa_authority *authority, apr_pool_t *pchild);

    /* Names for our challenge, in pool.  Not WA_REASON_OK: the authority does not answer; *detail
     * says why. */
    wa_reason (*target)(wa_authority *authority, apr_pool_t *pool, wa_ntlm_target *out,
                        const char **detail);

    /* Judges a response.  out is zeroed by the caller; strings go to pool. */
    void (*judge)(wa_authority *authority, const wa_logon *logon, apr_pool_t *pool,
                  wa_ruling *out);

    /* Judges a password in the clear; domain is "" when none was typed.  out is zeroed by the
     * caller; strings go to pool. */
    void (*password)(wa_authority *authority, const char *user, const char *domain,
                     const char *password, apr_pool_t *pool, wa_ruling *out);

    /* True iff the authority could judge now; else *detail, in pool, says why not. */
    bool (*ready)(wa_authority *authority, apr_pool_t *pool, const char **detail);

    /* The SID of who is meant, in pool, or NULL when nobody is; asked before a password of theirs
     * is submitted.  Not WA_REASON_OK: the authority does not answer.  The member is NULL where
     * every spelling is told apart without asking. */
    wa_reason (*whose)(wa_authority *authority, const char *user, const char *domain,
                       apr_pool_t *pool, const char **sid, const char **detail);

    /* The SID of a group; domain is "" for one of the server's own.  Unless FOUND, *detail, in
     * pool, says why not.  NULL: an authority that knows no groups.  Both for engine/names.c,
     * which remembers. */
    wa_lookup (*group)(wa_authority *authority, const char *domain, const char *name,
                       apr_pool_t *pool, wa_sid *out, const char **detail);

    /* The names of n SIDs, see wa_names_list; names_out is zeroed by the caller.  False: nobody
     * answers.  NULL as above. */
    bool (*group_names)(wa_authority *authority, const wa_sid *sids, size_t n, apr_pool_t *pool,
                        const char **names_out, const char **detail);
    wa_names *names; /* != NULL iff the two above are */

    bool may_hang;       /* answers come through a daemon, or not at all */
    wa_offload *offload; /* for whatever may make a thread wait for it; NULL: nothing may */
};

/* Fills out from an AUTHENTICATE and the challenge it answers; strings go to pool.  False: a name
 * is not well-formed. */
bool wa_logon_read(const wa_ntlm_authenticate *message, const unsigned char *challenge,
                   apr_pool_t *pool, wa_logon *out);

/* Fills out for anything but DONE. */
void wa_ruling_set(wa_ruling *out, wa_verdict verdict, wa_reason reason, const char *detail);

/* An authority that reads accounts from path: DOMAIN:USER:PASSWORD or smbpasswd lines.  realms
 * maps UPN suffixes to NetBIOS domains.  NULL, and *error set, when the file cannot be used now.
 */
wa_authority *wa_authority_file(const char *path, const apr_table_t *realms, apr_pool_t *pconf,
                                const char **error);

/* How winbindd was found when the server started. */
typedef enum {
    WA_WINBIND_AWAY = 0, /* it does not answer */
    WA_WINBIND_CLOSED,   /* it answers, but takes no logons of httpd's user */
    WA_WINBIND_READY     /* for all that is known: its domain controller may not answer */
} wa_winbind_state;

/* The authority behind winbindd, and whether it is there now; unless that is READY, *detail, in
 * pconf, says why.  It asks in a process of its own, which calls as_child to be what the children
 * will be.  NULL: it cannot be made. */
wa_authority *wa_authority_winbind(void (*as_child)(void), apr_pool_t *pconf,
                                   wa_winbind_state *state, const char **detail);

#endif
