/* What the rest of httpd sees of a request's authentication. */
#ifndef WA_HTTPD_PUBLISH_H
#define WA_HTTPD_PUBLISH_H

#include "core/reason.h"
#include "engine/identity.h"

#include <apr_tables.h>
#include <httpd.h>

/* One per request that met a section of ours; in the request's pool. */
typedef struct wa_request {
    wa_reason reason;            /* outcome so far */
    const wa_identity *identity; /* who, or NULL; valid while the request is being handled, not at
                                    logging time: the connection may have moved on by then */
    apr_array_header_t *lines;   /* const char *: the challenge of mod_dir's look for an index,
                                    which mod_dir may lose on its way to the answer; or NULL */
    const char *final_line;      /* challenge line that ends the exchange, or NULL */
    bool judged;                 /* our hook has decided about this request */
    bool ahead;                  /* and did so for a sub-request, before this one's own turn */
    bool admitted;               /* nor has authorization anything against it */
    bool counted;                /* it, or a part of it, was served by the connection's login */
    bool leg;                    /* an intermediate leg */
    bool hidden;                 /* not to be logged */
    bool begun;                  /* the page is being made */
    bool bound;                  /* this request's exchange left a login on the connection */
} wa_request;

/* The record of r, or NULL. */
wa_request *wa_publish_find(const request_rec *r);

/* Notes that r's page is being made from now on; and whether it is.  Costs no memory. */
void wa_publish_begin(request_rec *r);
bool wa_publish_has_begun(const request_rec *r);

/* The same, made if need be. */
wa_request *wa_publish_record(request_rec *r);

/* Notes the outcome and sets WINAUTH_REASON, WINAUTH_SUBSTATUS and WINAUTH_WIN32. */
void wa_publish_reason(request_rec *r, wa_reason reason);

/* As an environment variable and as a note; value must live as long as r. */
void wa_publish_variable(request_rec *r, const char *name, const char *value);

/* Sets r->user, r->ap_auth_type and the WINAUTH_* variables of a login.  False: the account has
 * no form in the section's WinAuthUserFormat. */
bool wa_publish_identity(request_rec *r, const wa_identity *identity);

/* Who r is served to; NULL when that is nobody, or one that another module let in.  A sub-request
 * or redirect that httpd did not authenticate anew is served to whom its origin is. */
const wa_identity *wa_publish_identity_of(const request_rec *r);

/* Makes the answer say whether the next request on this connection is served without credentials.
 */
void wa_publish_persistence(request_rec *r, bool bound);

/* Hooks. */
void wa_publish_register(void);
int wa_publish_log(request_rec *r);

#endif
