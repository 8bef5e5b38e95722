#include "engine/gssntlm.h"

#include <stdlib.h>
#include <string.h>

typedef struct accept_job {
    wa_job job;
    gss_ctx_id_t ctx;
    wa_gsscred *cred;
    wa_gssntlm_answer answer;
    size_t size;
    unsigned char token[];
} accept_job;

static void run_accept(wa_job *job)
{
    accept_job *j = (accept_job *)job;
    gss_buffer_desc in = { j->size, j->token };

    j->answer.major = gss_accept_sec_context(
        &j->answer.minor, &j->ctx, wa_gsscred_handle(j->cred, WA_GSSCRED_SPNEGO_NTLM), &in,
        GSS_C_NO_CHANNEL_BINDINGS, NULL, NULL, &j->answer.token, NULL, NULL, NULL);
}

static void end_accept(wa_job *job)
{
    accept_job *j = (accept_job *)job;
    OM_uint32 ignored;

    gss_release_buffer(&ignored, &j->answer.token);
    if (j->ctx != GSS_C_NO_CONTEXT) {
        gss_delete_sec_context(&ignored, &j->ctx, GSS_C_NO_BUFFER);
    }
    if (j->cred != NULL) { /* not onto a shelf: that is the child's, which may have ended */
        wa_gsscred_give_back(NULL, WA_GSSCRED_SPNEGO_NTLM, j->cred, false);
    }
    wa_secret_wipe(j->token, j->size);
    free(j);
}

/* What the job has held goes back to the caller. */
static void hand_back(accept_job *j, gss_ctx_id_t *ctx, wa_gsscred **cred)
{
    *ctx = j->ctx;
    *cred = j->cred;
    j->ctx = GSS_C_NO_CONTEXT;
    j->cred = NULL;
}

wa_offload_outcome wa_gssntlm_accept(wa_offload *offload, gss_ctx_id_t *ctx, wa_gsscred **cred,
                                     wa_span token, wa_gssntlm_answer *answer)
{
    accept_job *j = calloc(1, sizeof(*j) + token.n);
    wa_offload_outcome outcome;

    if (j == NULL) {
        return WA_OFFLOAD_BUSY;
    }
    j->job.run = run_accept;
    j->job.end = end_accept;
    j->size = token.n;
    memcpy(j->token, token.p, token.n);
    j->ctx = *ctx;
    j->cred = *cred;
    *ctx = GSS_C_NO_CONTEXT;
    *cred = NULL;
    outcome = wa_offload_run(offload, &j->job);
    if (outcome == WA_OFFLOAD_LATE) {
        return outcome;
    }
    hand_back(j, ctx, cred);
    if (outcome == WA_OFFLOAD_DONE) {
        *answer = j->answer;
        memset(&j->answer.token, 0, sizeof(j->answer.token));
    }
    end_accept(&j->job);
    return outcome;
}
