#include "engine/engine.h"

void wa_step_fail(wa_step *out, wa_verdict verdict, wa_reason reason, const char *detail)
{
    out->verdict = verdict;
    out->reason = reason;
    out->token = wa_span_of(NULL, 0);
    out->detail = detail;
    out->identity = NULL;
}
