#include "engine/authority.h"

#include <apr_strings.h>
#include <string.h>

/* A name field as a string in pool, or NULL. */
static const char *name_string(wa_span name, uint32_t flags, apr_pool_t *pool)
{
    char buf[2 * WA_NTLM_NAME_MAX];
    wa_writer w;

    wa_writer_init(&w, (unsigned char *)buf, sizeof(buf));
    return wa_ntlm_name_to_utf8(name, flags, &w) ? apr_pstrmemdup(pool, buf, w.n) : NULL;
}

bool wa_logon_read(const wa_ntlm_authenticate *message, const unsigned char *challenge,
                   apr_pool_t *pool, wa_logon *out)
{
    out->challenge = challenge;
    out->message = message;
    out->user = name_string(message->user, message->flags, pool);
    out->domain = name_string(message->domain, message->flags, pool);
    out->workstation = name_string(message->workstation, message->flags, pool);
    return out->user != NULL && out->domain != NULL && out->workstation != NULL;
}

void wa_ruling_set(wa_ruling *out, wa_verdict verdict, wa_reason reason, const char *detail)
{
    out->verdict = verdict;
    out->reason = reason;
    out->detail = detail;
}
