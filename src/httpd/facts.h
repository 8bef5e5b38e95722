/* What is known about a request before anything is decided: everything is looked up here, once,
 * and nothing is changed. */
#ifndef WA_HTTPD_FACTS_H
#define WA_HTTPD_FACTS_H

#include "httpd/config.h"
#include "httpd/connection.h"

typedef struct wa_facts {
    const wa_dir_config *section;
    const wa_trust *trust;
    wa_providers providers;
    wa_protection protection;
    bool tls;
    wa_slot *slot;  /* or NULL */
    wa_state state; /* of the slot, as far as this request may go on with it */
    bool stream;    /* HTTP/2 */
    bool proxied;   /* through a proxy that is not known to pin connections */
    wa_header header;
    wa_span token; /* decoded; in the request's pool */
    wa_event event;
    wa_reason veto; /* != WA_REASON_OK: refused before the table is asked */
} wa_facts;

/* Fills f for r. */
void wa_facts_gather(request_rec *r, wa_facts *f);

/* The part of it that tells what the section demands, for a request that brings nothing of its
 * own. */
void wa_facts_section(request_rec *r, wa_facts *f);

/* WA_REASON_OK iff a login proved like this is one the section accepts, else why it is not. Asked
 * when it is proved and again each time it is reused: sections differ. */
wa_reason wa_facts_accepts(const request_rec *r, const wa_facts *f, const wa_identity *identity);

/* What binds a login to r's TLS channel, for the engine; NULL when the section does not compare
 * it.  Made once per connection, which needs a slot.  *error is set when there should be one and
 * there is none. */
const wa_binding *wa_facts_binding(request_rec *r, wa_facts *f, const char **error);

/* True iff the section needs TLS and the channel has none. */
bool wa_facts_lacks_tls(const wa_facts *f);

/* True iff such a login may stay with the connection. */
bool wa_facts_may_bind(const wa_facts *f, const wa_identity *identity);

/* True iff the event is a raw NTLM message. */
bool wa_facts_is_raw_ntlm(wa_event event);

#endif
