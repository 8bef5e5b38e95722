/* Acceptor credentials, one kind per mechanism, kept idle per child.
 *
 * Never one credential for everything: gss-ntlmssp 1.2.0 builds a broken credential when it is
 * handed a credential store and the process then dies of a raw NTLM token; and a client's SPNEGO
 * must find exactly the mechanisms that are allowed.  So Kerberos comes from the keytab with
 * {krb5} as its only negotiable mechanism, NTLM without any store with {ntlmssp}. */
#ifndef WA_ENGINE_GSSCRED_H
#define WA_ENGINE_GSSCRED_H

#include "engine/trust.h"

#include <gssapi/gssapi.h>

typedef enum {
    WA_GSSCRED_NONE = 0,
    WA_GSSCRED_KRB5,        /* a Kerberos token without SPNEGO around it */
    WA_GSSCRED_SPNEGO_KRB5, /* SPNEGO, Kerberos inside */
    WA_GSSCRED_SPNEGO_NTLM  /* SPNEGO, NTLM inside */
} wa_gsscred_kind;

typedef struct wa_gsscred wa_gsscred;

extern const gss_OID_desc wa_gss_mech_krb5;
extern const gss_OID_desc wa_gss_mech_ntlm;

/* Sets up the shelves of a child. */
void wa_gsscred_open(wa_trust *trust, apr_pool_t *pchild);

/* A credential of this kind, the caller's until it is given back; NULL when none can be made,
 * which means that keys or mechanism are missing; *detail, in pool, says why. */
wa_gsscred *wa_gsscred_take(const wa_trust *trust, wa_gsscred_kind kind, apr_pool_t *pool,
                            const char **detail);

/* The same for Kerberos, with the service's own ticket beside its keys: what it accepts can be
 * delegated further (S4U2Proxy).  May ask a KDC.  NULL also when a KDC was asked in vain a moment
 * ago, or when too many are being asked; the login can do without. */
wa_gsscred *wa_gsscred_take_proxy(const wa_trust *trust, apr_pool_t *pool, const char **detail);

/* The GSSAPI handle inside; stays the credential's. */
gss_cred_id_t wa_gsscred_handle(const wa_gsscred *cred, wa_gsscred_kind kind);

/* Gives it back; one that met trouble with its keys is thrown away instead. */
void wa_gsscred_give_back(const wa_trust *trust, wa_gsscred_kind kind, wa_gsscred *cred,
                          bool good);

/* True iff the keytab can be read and holds anything, asked afresh; else *detail, in pool, says
 * why. */
bool wa_gsscred_keytab_usable(const wa_trust *trust, apr_pool_t *pool, const char **detail);

/* Accepts a bare Kerberos token, to learn what is wrong with it; the context is thrown away.
 * Without replays the replay cache is neither read nor written to.  Returns the major status. */
OM_uint32 wa_gsscred_try(const wa_trust *trust, wa_span token, bool replays, apr_pool_t *pool,
                         OM_uint32 *minor);

/* True iff the GSSAPI library of this machine has the mechanism. */
bool wa_gss_has_mech(const gss_OID_desc *mech);

/* Text of a GSSAPI error, in pool. */
const char *wa_gss_error(OM_uint32 major, OM_uint32 minor, gss_OID mech, apr_pool_t *pool);

#endif
