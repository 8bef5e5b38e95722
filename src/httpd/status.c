#include "httpd/status.h"

#include "httpd/commons.h"

#include <http_protocol.h>
#include <mod_status.h>

typedef struct line {
    const char *name; /* for programs (?auto) */
    const char *text; /* for people */
    apr_uint32_t value;
} line;

static void print_line(request_rec *r, bool automatic, const line *l)
{
    if (automatic) {
        ap_rprintf(r, "%s: %u\n", l->name, l->value);
    }
    else {
        ap_rprintf(r, "<tr><td>%s</td><td>%u</td></tr>\n", l->text, l->value);
    }
}

static int print_status(request_rec *r, int flags)
{
    const wa_shared *shared = wa_commons_shared();
    bool automatic = (flags & AP_STATUS_SHORT) != 0;
    size_t i;

    if (shared == NULL) {
        return DECLINED;
    }
    const line lines[] = {
        { "WinAuthAuthorityWaiting", "questions to the NTLM authority under way",
          wa_slots_taken(&shared->authority) },
        { "WinAuthHandshakesPending", "handshakes waiting for their client",
          wa_pending_count(wa_commons_pending()) },
#define X(member, name, text) { "WinAuth" name, text, shared->member },
        WA_COUNTERS(X)
#undef X
    };
    if (!automatic) {
        ap_rputs("<hr />\n<h2>mod_winauth</h2>\n<table>\n", r);
    }
    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        print_line(r, automatic, &lines[i]);
    }
    if (!automatic) {
        ap_rputs("</table>\n", r);
    }
    return OK;
}

void wa_status_register(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, print_status, NULL, NULL, APR_HOOK_MIDDLE);
}
