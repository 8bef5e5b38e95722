/* Any bytes as the logon information of a PAC. */
#include "core/pac.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wa_span buffer = wa_span_of(data, size);
    char text[WA_SID_TEXT_MAX];
    wa_pac_logon logon;

    if (wa_pac_parse_logon(buffer, &logon)) {
        CHECK(fuzz_holds(buffer, logon.account) && logon.account.n > 0);
        CHECK(fuzz_holds(buffer, logon.domain) && logon.domain.n > 0);
        CHECK(logon.sid.count <= WA_SID_SUBAUTHS_MAX);
        wa_sid_format(&logon.sid, text);
        CHECK(strlen(text) < sizeof(text) - 1);
        fuzz_accepted++;
    }
    return 0;
}
