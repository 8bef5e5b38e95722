/* What applications and other modules get to know about a login beyond its name: groups as
 * variables, and the functions of mod_winauth.h. */
#ifndef WA_HTTPD_EXPORT_H
#define WA_HTTPD_EXPORT_H

#include "engine/identity.h"

#include <httpd.h>

/* WinAuthExport, as a set; none is 0. */
enum { WA_EXPORT_GROUPS = 1, WA_EXPORT_GROUP_NAMES = 2 };

/* Sets what r's section exports. */
void wa_export_groups(request_rec *r, const wa_identity *identity);

/* Registers the optional functions. */
void wa_export_register(void);

#endif
