/* From a Kerberos context's names to an account. */
#ifndef WA_ENGINE_GSSNAME_H
#define WA_ENGINE_GSSNAME_H

#include "core/reason.h"
#include "engine/identity.h"
#include "engine/trust.h"

#include <gssapi/gssapi.h>

/* Fills the account of identity from the client's name and its PAC; strings go to pool.
 * service is the acceptor's name, or GSS_C_NO_NAME.  WA_REASON_OK; WA_REASON_UNKNOWN_USER for a
 * name that could be read in two ways; WA_REASON_BAD_TOKEN for a PAC that is not to be believed.
 */
wa_reason wa_gssname_read(const wa_trust *trust, gss_name_t client, gss_name_t service,
                          apr_pool_t *pool, wa_identity *identity);

#endif
