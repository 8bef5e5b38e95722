/* Any bytes as a whole PAC: its container, and what the buffers hold. */
#include "core/pac.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wa_span whole = wa_span_of(data, size);
    wa_pac_names names;
    wa_pac_logon logon;
    wa_sid sid;
    wa_pac pac;

    if (wa_pac_open(whole, &pac)) {
        CHECK(fuzz_holds(whole, pac.logon) && fuzz_holds(whole, pac.upn_dns));
        CHECK(fuzz_holds(whole, pac.requestor));
        (void)wa_pac_parse_logon(pac.logon, &logon);
        (void)wa_pac_parse_names(pac.upn_dns, &names);
        (void)wa_pac_parse_requestor(pac.requestor, &sid);
        fuzz_accepted++;
    }
    return 0;
}
