/* A section of mod_status: what was counted in shared memory. */
#ifndef WA_HTTPD_STATUS_H
#define WA_HTTPD_STATUS_H

/* Call while hooks are registered. */
void wa_status_register(void);

#endif
