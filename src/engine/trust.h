/* What a server trusts: its keys, its NTLM authority, its names for domains.
 *
 * Made once at start-up, read-only afterwards but for the shelves of idle credentials.  Servers
 * with equal settings share one, so that "proved under the same trust" is a comparison of
 * pointers. */
#ifndef WA_ENGINE_TRUST_H
#define WA_ENGINE_TRUST_H

#include "engine/authority.h"
#include "engine/gate.h"
#include "engine/lockout.h"
#include "engine/spares.h"

#include <apr_tables.h>

typedef struct wa_trust {
    const char *keytab;      /* path, or NULL for libkrb5's default */
    const char *acceptor;    /* "HTTP@host" or a principal, or NULL for any key of the keytab */
    wa_authority *authority; /* who judges NTLM, or NULL: NTLM is neither offered nor accepted */
    bool authority_given;    /* by WinAuthNTLMAuthority, not by default */
    const apr_table_t *realms;         /* realm -> NetBIOS domain */
    wa_gate kdc;                       /* before whatever may make a thread wait for a KDC */
    const wa_lockout *lockout;         /* WinAuthLockout, or NULL: nothing is counted */
    bool spnego_ntlm;                  /* NTLM may be negotiated inside SPNEGO */
    wa_spares *krb5_spares;            /* acceptor credentials for Kerberos; per child process */
    wa_spares *ntlm_spares;            /* and for NTLM inside SPNEGO */
    wa_spares *proxy_spares;           /* and for Kerberos with a ticket of the service's own */
    const char *keytab_name;           /* keytab, or the default's name; in pchild */
    bool krb5_possible;                /* there may be Kerberos keys; as the child found it */
    volatile apr_uint32_t proxy_pause; /* no such credential is made before, in seconds */
} wa_trust;

/* NetBIOS domain of a Kerberos realm, or NULL.  Realms are compared exactly, as Kerberos does. */
const char *wa_trust_domain(const wa_trust *trust, const char *realm);

/* True iff that is what WinAuthDomain calls some realm, in whatever case. */
bool wa_trust_calls(const wa_trust *trust, const char *domain);

/* Prepares the parts that belong to a child process of so many threads; call in child_init,
 * before they serve. */
void wa_trust_open(wa_trust *trust, int threads, apr_pool_t *pchild);

#endif
