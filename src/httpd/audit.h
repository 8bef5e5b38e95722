/* Who still uses NTLM, and why: for administrators who want to switch it off. */
#ifndef WA_HTTPD_AUDIT_H
#define WA_HTTPD_AUDIT_H

#include "httpd/facts.h"

/* Where the section audits NTLM: one line in the log for each NTLM login, when its first request
 * is served there, and WINAUTH_NTLM_WHY for every request.  f has the slot the login came from.
 */
void wa_audit_ntlm(request_rec *r, wa_facts *f, const wa_identity *identity);

/* log_transaction hook, early: the loggers look at the last of a chain of internal redirects,
 * whose variables were renamed. */
int wa_audit_log(request_rec *r);

#endif
