/* Open exchanges of connections, counted and bounded: WinAuthPendingLimit. */
#ifndef WA_HTTPD_HANDSHAKES_H
#define WA_HTTPD_HANDSHAKES_H

#include "httpd/connection.h"

/* Counts the slot's exchange, until its pool is destroyed or wa_handshakes_end; once only. False:
 * there are too many, *detail says of what. */
bool wa_handshakes_admit(const request_rec *r, wa_slot *slot, const char **detail);

/* The exchange has come to its end. */
void wa_handshakes_end(wa_slot *slot);

/* True iff the exchange has waited too long for its client. */
bool wa_handshakes_expired(const wa_slot *slot);

#endif
