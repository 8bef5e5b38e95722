#include "core/reason.h"

static const wa_reason_row rows[WA_REASON_COUNT] = {
#define X(name, token, answer, loud, substatus, win32, advice) \
    { token, WA_ANSWER_##answer, WA_LOUD_##loud, substatus, win32, advice },
    WA_REASONS(X)
#undef X
};

const wa_reason_row *wa_reason_get(wa_reason reason)
{
    return reason < WA_REASON_COUNT ? &rows[reason] : &rows[WA_REASON_BAD_TOKEN];
}
