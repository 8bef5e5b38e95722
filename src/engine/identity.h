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
    const char *sid;      /* user SID in S-1-… form, or NULL when not known */
    wa_evidence evidence; /* for extended protection: what a section may ask for besides */
    apr_time_t proved;    /* when */
    apr_time_t expires;   /* end of the ticket, or 0 when nothing ends it */
    bool in_spnego;       /* NTLM: was negotiated; */
    bool krb5_proposed;   /* and Kerberos was on the client's list, too */
    wa_delegate delegate; /* what was taken if the client gave it */
    const char *ccache;   /* "FILE:/…", what it gave; goes with this pool; or NULL */
} wa_identity;

/* A copy in pool, strings included. */
wa_identity *wa_identity_copy(const wa_identity *identity, apr_pool_t *pool);

const char *wa_package_name(wa_package package); /* "Kerberos", "NTLM", or NULL */

#endif
