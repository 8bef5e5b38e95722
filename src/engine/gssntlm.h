/* NTLM inside SPNEGO: one token for gss-ntlmssp, which may ask winbindd about it and hang. */
#ifndef WA_ENGINE_GSSNTLM_H
#define WA_ENGINE_GSSNTLM_H

#include "engine/gsscred.h"
#include "engine/offload.h"

/* What gss_accept_sec_context says. */
typedef struct wa_gssntlm_answer {
    OM_uint32 major;
    OM_uint32 minor;
    gss_buffer_desc token; /* the caller releases it */
} wa_gssntlm_answer;

/* Accepts the token, as offload runs jobs.  Context and credential go with the call: when it is
 * late neither comes back, *ctx is GSS_C_NO_CONTEXT and *cred is NULL.  answer is set iff the
 * outcome is WA_OFFLOAD_DONE. */
wa_offload_outcome wa_gssntlm_accept(wa_offload *offload, gss_ctx_id_t *ctx, wa_gsscred **cred,
                                     wa_span token, wa_gssntlm_answer *answer);

#endif
