/* Any bytes as the logon information of a PAC. */
#include "core/pac.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

/* The list is never longer than was said, and each of it is a SID that can be written and read. */
static void check_list(const wa_pac_logon *logon)
{
    wa_sid *sids = calloc(logon->listed, sizeof(*sids));
    char text[WA_SID_TEXT_MAX];
    wa_sid again;
    size_t n, i;

    if (sids == NULL) {
        abort();
    }
    CHECK(logon->listed <= WA_PAC_LIST_MAX);
    n = wa_pac_list(logon, sids);
    CHECK(n >= 1 && n <= logon->listed);
    for (i = 0; i < n; i++) {
        CHECK(sids[i].count > 0 && sids[i].count <= WA_SID_SUBAUTHS_MAX);
        wa_sid_format(&sids[i], text);
        CHECK(wa_sid_parse(text, &again) && wa_sid_compare(&sids[i], &again) == 0);
    }
    free(sids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wa_span buffer = wa_span_of(data, size);
    wa_pac_logon logon;

    if (wa_pac_parse_logon(buffer, &logon)) {
        CHECK(fuzz_holds(buffer, logon.account) && logon.account.n > 0);
        CHECK(fuzz_holds(buffer, logon.domain) && logon.domain.n > 0);
        CHECK(fuzz_holds(buffer, logon.groups) && fuzz_holds(buffer, logon.resource_groups));
        CHECK(fuzz_holds(buffer, logon.extra_attributes) && fuzz_holds(buffer, logon.extra_sids));
        check_list(&logon);
        fuzz_accepted++;
    }
    return 0;
}
