/* Which reason a failed gss_accept_sec_context stands for. */
#ifndef WA_ENGINE_GSSERROR_H
#define WA_ENGINE_GSSERROR_H

#include "core/exchange.h"

#include <gssapi/gssapi.h>

/* Verdict and reason for a Kerberos failure.  Source: RFC 4120 section 7.5.9, RFC 2743
 * section 1.2.1. */
void wa_gsserror_map(OM_uint32 major, OM_uint32 minor, wa_verdict *verdict_out,
                     wa_reason *reason_out);

#endif
