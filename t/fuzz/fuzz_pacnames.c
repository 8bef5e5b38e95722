/* Any bytes as the UPN_DNS_INFO buffer of a PAC, or as its PAC_REQUESTOR. */
#include "core/pac.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wa_span buffer = wa_span_of(data, size);
    wa_pac_names names;
    wa_sid sid;

    if (wa_pac_parse_names(buffer, &names)) {
        CHECK(fuzz_holds(buffer, names.upn) && fuzz_holds(buffer, names.dns));
        CHECK(fuzz_holds(buffer, names.account));
        CHECK(names.sid.count <= WA_SID_SUBAUTHS_MAX && names.has_sid == (names.sid.count > 0));
        fuzz_accepted++;
    }
    if (wa_pac_parse_requestor(buffer, &sid)) {
        CHECK(sid.count > 0 && size == 8 + 4 * (size_t)sid.count);
    }
    return 0;
}
