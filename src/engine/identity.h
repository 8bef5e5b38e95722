/* Who was proved, and how.  Written once, by the engine that proved it, into the exchange's own
 * pool; whoever reads it later asks not only "who" but also "proved with what". */
#ifndef WA_ENGINE_IDENTITY_H
#define WA_ENGINE_IDENTITY_H

#include "core/account.h"
#include "core/header.h"
#include "core/protection.h"
#include "engine/ccache.h"

#include <apr_pools.h>
#include <apr_time.h>

typedef enum {
    WA_PACKAGE_NONE = 0,
    WA_PACKAGE_KERBEROS,
    WA_PACKAGE_NTLM,
    WA_PACKAGE_COUNT
} wa_package;

typedef struct wa_identity {
    wa_account account;
    wa_package package;
    wa_scheme scheme;     /* of the header the proof came in; set by the request layer */
    wa_evidence evidence; /* for extended protection: what a section may ask for besides */
    apr_time_t proved;    /* when */
    apr_time_t expires;   /* end of the ticket, or 0 when nothing ends it */
    bool in_spnego;       /* NTLM: was negotiated; */
    bool krb5_proposed;   /* and Kerberos was on the client's list, too */
    wa_delegate delegate; /* what was taken if the client gave it */
    const char *ccache;   /* "FILE:/…", what it gave; goes with this pool; or NULL */
} wa_identity;

/* A copy in pool, strings and SIDs included. */
wa_identity *wa_identity_copy(const wa_identity *identity, apr_pool_t *pool);

/* Gives account its groups: a set of n SIDs, the user's own among them, in any order and as often
 * as they come; sids is left in disorder.  The set goes to pool. */
void wa_identity_set_sids(wa_account *account, wa_sid *sids, size_t n, apr_pool_t *pool);

/* Gives account the UPN of the directory, or where that has none, or where it is not to be
 * believed, the one every account has: its name and the DNS name of its domain in lower case.
 * A UPN is believed from the server's own domain, and from another one only for names of its own:
 * its controllers might call somebody by the name of one of ours.  upn and dns may be NULL;
 * strings go to pool. */
void wa_identity_set_upn(wa_account *account, const char *upn, const char *dns, apr_pool_t *pool);

const char *wa_package_name(wa_package package); /* "Kerberos", "NTLM", or NULL */

#endif
