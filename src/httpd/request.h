/* The one orchestrator: gathers what a request brings, looks up what follows, and lets it happen.
 */
#ifndef WA_HTTPD_REQUEST_H
#define WA_HTTPD_REQUEST_H

#include <httpd.h>

/* check_authn hook.  DECLINED where AuthType is not WinAuth; OK with r->user set; or the status
 * of the answer. */
int wa_request_authenticate(request_rec *r);

/* access_checker_ex hook, before authorization: where credentials are optional, those that come
 * are judged also when "Require all granted" would not ask for any. */
int wa_request_authenticate_early(request_rec *r);

/* access_checker_ex hook, before mod_authz_core's: the whole of Require for who has logged in
 * early. */
int wa_request_authorize_early(request_rec *r);

/* note_auth_failure hook: somebody else refuses a request of a section of ours. */
int wa_request_note_failure(request_rec *r, const char *auth_type);

#endif
