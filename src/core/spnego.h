/* Just enough of SPNEGO to see what is inside a token before a library is handed it.
 *
 * The negotiation itself is GSSAPI's.  We look for two things only: which mechanism the client
 * chose, so that the right acceptor credential is used, and an NTLM message inside, so that it
 * can be checked like a raw one.  Sources: RFC 4178 section 4.2, RFC 2743 section 3.1 (framing),
 * X.690. */
#ifndef WA_CORE_SPNEGO_H
#define WA_CORE_SPNEGO_H

#include "core/bytes.h"

enum { WA_SPNEGO_MECHS_MAX = 16 }; /* more mechanism types than this in one token are refused */

typedef enum {
    WA_MECH_OTHER = 0, /* NEGOEX, user-to-user, anything else: skipped in negotiation */
    WA_MECH_KRB5,      /* 1.2.840.113554.1.2.2 */
    WA_MECH_MS_KRB5,   /* 1.2.840.48018.1.2.2, what Windows puts first */
    WA_MECH_NTLM,      /* 1.3.6.1.4.1.311.2.2.10 */
    WA_MECH_SPNEGO,    /* 1.3.6.1.5.5.2, only as the outer framing */
    WA_MECH_COUNT
} wa_mech;

typedef struct wa_spnego_init {
    wa_mech mechs[WA_SPNEGO_MECHS_MAX]; /* in the client's order of preference */
    size_t mech_count;                  /* >= 1 */
    wa_span mech_token;                 /* optimistic token for mechs[0]; may be empty */
} wa_spnego_init;

typedef struct wa_spnego_resp {
    wa_span response_token; /* may be empty */
} wa_spnego_resp;

/* Mechanism named by the GSS framing "60 len 06 len OID" at the start of token, WA_MECH_OTHER
 * when there is no such framing; *inner_out is what follows the OID. */
wa_mech wa_spnego_framing(wa_span token, wa_span *inner_out);

/* Decodes an InitialContextToken with a NegTokenInit.  False: not one, or not well-formed. */
bool wa_spnego_parse_init(wa_span token, wa_spnego_init *out);

/* Decodes a NegTokenResp.  False: not one, or not well-formed. */
bool wa_spnego_parse_resp(wa_span token, wa_spnego_resp *out);

/* True iff mech is among the types the client proposed. */
bool wa_spnego_proposes(const wa_spnego_init *init, wa_mech mech);

#endif
