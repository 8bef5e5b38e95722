/* A login takes effect for a request. */
#ifndef WA_HTTPD_ADMIT_H
#define WA_HTTPD_ADMIT_H

#include "engine/identity.h"

#include <httpd.h>

/* Publishes the identity with all that the section asks for, and sees that an answer which
 * refuses it all the same is a proper one.  False: the account has no form in the section's
 * WinAuthUserFormat. */
bool wa_admit(request_rec *r, const wa_identity *identity);

#endif
