/* Tells by its first bytes what kind of token a client sent.  Nothing is judged here. */
#ifndef WA_CORE_TOKEN_H
#define WA_CORE_TOKEN_H

#include "core/bytes.h"

typedef enum {
    WA_TOKEN_UNKNOWN = 0,       /* none of the below */
    WA_TOKEN_NTLM_NEGOTIATE,    /* raw NTLMSSP, type 1 */
    WA_TOKEN_NTLM_AUTHENTICATE, /* raw NTLMSSP, type 3 */
    WA_TOKEN_SPNEGO_INIT,       /* GSS framing with the SPNEGO OID */
    WA_TOKEN_SPNEGO_RESP,       /* NegTokenResp, tag a1 */
    WA_TOKEN_KRB5,              /* GSS framing with a Kerberos OID, no SPNEGO around it */
    WA_TOKEN_COUNT
} wa_token_kind;

wa_token_kind wa_token_sniff(wa_span token);

#endif
