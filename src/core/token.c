#include "core/token.h"

#include "core/ntlm.h"
#include "core/spnego.h"

static wa_token_kind sniff_ntlm(wa_span token)
{
    switch (wa_ntlm_message_type(token)) {
    case 1:
        return WA_TOKEN_NTLM_NEGOTIATE;
    case 3:
        return WA_TOKEN_NTLM_AUTHENTICATE;
    default:
        return WA_TOKEN_UNKNOWN; /* a type 2 is the server's to send */
    }
}

static wa_token_kind sniff_framed(wa_span token)
{
    wa_span inner;

    switch (wa_spnego_framing(token, &inner)) {
    case WA_MECH_SPNEGO:
        return WA_TOKEN_SPNEGO_INIT;
    case WA_MECH_KRB5:
        return WA_TOKEN_KRB5;
    case WA_MECH_MS_KRB5: /* only ever a name in SPNEGO's list; GSSAPI has no such mechanism */
    case WA_MECH_OTHER:
    case WA_MECH_NTLM:
    case WA_MECH_COUNT:
        break;
    }
    return WA_TOKEN_UNKNOWN;
}

wa_token_kind wa_token_sniff(wa_span token)
{
    if (token.n == 0) {
        return WA_TOKEN_UNKNOWN;
    }
    switch (token.p[0]) {
    case 'N':
        return sniff_ntlm(token);
    case 0x60:
        return sniff_framed(token);
    case 0xa1:
        return WA_TOKEN_SPNEGO_RESP;
    default:
        return WA_TOKEN_UNKNOWN;
    }
}
