/* mod_winauth: Windows authentication (Negotiate, Kerberos, NTLM) for Apache httpd.
 *
 * The table of contents: module record and hooks.  How a request goes through the layers is told
 * in src/README. */
#include "httpd/answer.h"
#include "httpd/audit.h"
#include "httpd/authz.h"
#include "httpd/channel.h"
#include "httpd/commons.h"
#include "httpd/config.h"
#include "httpd/delegation.h"
#include "httpd/export.h"
#include "httpd/origin.h"
#include "httpd/publish.h"
#include "httpd/request.h"
#include "httpd/startup.h"
#include "httpd/status.h"

#include <ap_provider.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_auth.h>
#include <mpm_common.h>

/* Everything else is hidden, so that no other module's helper of the same name is ever called. */
extern module AP_MODULE_DECLARE_DATA winauth_module __attribute__((visibility("default")));

static void register_hooks(apr_pool_t *pool)
{
    static const char *const before_authz[] = { "mod_authz_core.c", NULL };

    wa_answer_register();
    wa_authz_register(pool);
    wa_channel_register();
    wa_export_register();
    wa_publish_register();
    wa_status_register();
    ap_hook_check_config(wa_startup_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(wa_startup_dump, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(wa_startup_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(wa_startup_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(wa_delegation_child_status, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(wa_delegation_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(wa_commons_bury, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_authn(wa_request_authenticate, NULL, NULL, APR_HOOK_MIDDLE,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_access_ex(wa_request_authorize_early, NULL, before_authz, APR_HOOK_LAST,
                            AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_access_ex(wa_request_authenticate_early, NULL, NULL, APR_HOOK_FIRST,
                            AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_fixups(wa_origin_admitted, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(wa_origin_shield, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_filter(wa_origin_begun, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_error_filter(wa_answer_settle, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_note_auth_failure(wa_request_note_failure, NULL, NULL, APR_HOOK_MIDDLE);
    /* before every logger: an intermediate leg is none of their business */
    ap_hook_log_transaction(wa_publish_log, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_log_transaction(wa_audit_log, NULL, NULL, APR_HOOK_FIRST);
}

/* clang-format off */
module AP_MODULE_DECLARE_DATA winauth_module = {
    STANDARD20_MODULE_STUFF,
    wa_config_create_dir,
    wa_config_merge_dir,
    wa_config_create_server,
    wa_config_merge_server,
    wa_config_commands,
    register_hooks,
    /* a server without directives of ours gets a struct of its own: its name makes its trust */
    AP_MODULE_FLAG_ALWAYS_MERGE
};
/* clang-format on */
