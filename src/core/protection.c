#include "core/protection.h"

#include <string.h>
#include <strings.h>

bool wa_protection_compares(const wa_protection *p, bool tls)
{
    return tls && p->mode != WA_PROTECT_NONE && !p->proxy;
}

bool wa_protection_possible(const wa_protection *p, bool tls)
{
    return tls || p->proxy || p->mode != WA_PROTECT_REQUIRE;
}

/* Direct TLS: the binding decides, and the service name adds nothing to it. */
static wa_reason judge_compared(const wa_protection *p, const wa_evidence *e)
{
    switch (e->binding) {
    case WA_BINDING_MATCH:
        return WA_REASON_OK;
    case WA_BINDING_ABSENT:
        return p->mode == WA_PROTECT_ALLOW ? WA_REASON_OK : WA_REASON_EPA_MISSING;
    case WA_BINDING_EMPTY:
    case WA_BINDING_UNSEEN:
    case WA_BINDING_UNDEFINED:
    case WA_BINDING_PRESENT:
        return WA_REASON_EPA_MISSING;
    case WA_BINDING_WRONG:
    case WA_BINDING_COUNT:
        break;
    }
    return WA_REASON_EPA_MISMATCH;
}

/* TLS ends elsewhere: a client of NTLM must at least have been bound to some channel.  Kerberos
 * keeps its binding to itself unless it can be compared; its ticket names the service. */
static bool is_bound_somewhere(const wa_protection *p, const wa_evidence *e)
{
    return p->mode != WA_PROTECT_REQUIRE || p->cohosting || e->ticket
           || e->binding == WA_BINDING_PRESENT || e->binding == WA_BINDING_MATCH;
}

static wa_reason judge_service(const wa_protection *p, const wa_evidence *e, bool named)
{
    if (e->ticket || p->any_service) {
        return WA_REASON_OK;
    }
    if (e->spn == NULL) {
        return p->mode == WA_PROTECT_ALLOW ? WA_REASON_OK : WA_REASON_SPN_MISMATCH;
    }
    return named ? WA_REASON_OK : WA_REASON_SPN_MISMATCH;
}

wa_reason wa_protection_judge(const wa_protection *p, bool tls, const wa_evidence *e, bool named)
{
    if (p->mode == WA_PROTECT_NONE) {
        return WA_REASON_OK;
    }
    if (wa_protection_compares(p, tls)) {
        return e->binding == WA_BINDING_UNDEFINED && p->mode == WA_PROTECT_ALLOW
                   ? judge_service(p, e, named)
                   : judge_compared(p, e);
    }
    if (!wa_protection_possible(p, tls) || e->binding == WA_BINDING_WRONG
        || !is_bound_somewhere(p, e)) {
        return e->binding == WA_BINDING_WRONG ? WA_REASON_EPA_MISMATCH : WA_REASON_EPA_MISSING;
    }
    return judge_service(p, e, named);
}

wa_span wa_protection_host(const char *spn)
{
    size_t n;

    if (strncasecmp(spn, "HTTP", 4) != 0 || (spn[4] != '/' && spn[4] != '@')) {
        return wa_span_of(NULL, 0);
    }
    spn += 5;
    n = strcspn(spn, "/:@");
    return n > 0 ? wa_span_of(spn, n) : wa_span_of(NULL, 0);
}
