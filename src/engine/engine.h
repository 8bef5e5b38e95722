/* One exchange with one client, whatever mechanism is at work.
 *
 * begin makes an exchange in a pool of its own; step feeds it the client's tokens one by one
 * until the verdict is something else than CONTINUE.  Destroying the pool ends the exchange and
 * frees what it holds.  An exchange is used by one request at a time: it belongs to one
 * connection. */
#ifndef WA_ENGINE_ENGINE_H
#define WA_ENGINE_ENGINE_H

#include "core/exchange.h"
#include "engine/binding.h"
#include "engine/identity.h"
#include "engine/trust.h"

#include <apr_pools.h>

typedef struct wa_step {
    wa_verdict verdict;    /* FAILED until an engine says otherwise */
    wa_reason reason;      /* for FAILED and UNAVAILABLE */
    wa_span token;         /* to send back; in the request's pool; may be empty */
    const char *detail;    /* for the log, never for the client; or NULL */
    wa_identity *identity; /* in the exchange's pool; set iff verdict == DONE */
} wa_step;

typedef struct wa_engine wa_engine;
struct wa_engine {
    void (*step)(wa_engine *engine, wa_span token, apr_pool_t *request_pool, wa_step *out);
    apr_pool_t *pool;          /* of the exchange */
    const wa_binding *binding; /* of the channel the next token came over, or NULL when it is not
                                  to be compared; set anew before each step, read only in it */
    const char *address;       /* of the client, or NULL when it is many clients'; likewise */
};

/* Raw NTLM.  trust->authority must not be NULL. */
wa_engine *wa_ntlm_begin(const wa_trust *trust, apr_pool_t *exchange_pool);

/* Kerberos and SPNEGO.  With kerberos_only, NTLM is not negotiated. */
wa_engine *wa_gss_begin(const wa_trust *trust, bool kerberos_only, apr_pool_t *exchange_pool);

/* Makes such an engine keep in dir what the client delegates.  A login does not depend on it:
 * what went wrong is in the detail of the step. */
void wa_gss_delegate(wa_engine *gss, wa_delegate delegate, const wa_ccache_dir *dir);

/* A password in the clear; the token is "user:password".  One leg; never CONTINUE. */
wa_engine *wa_basic_begin(const wa_trust *trust, apr_pool_t *exchange_pool);

enum { WA_BASIC_DIGEST_LEN = 32 };

/* Salted digest of credentials, for recognising them.  False: there is no digest. */
bool wa_basic_digest(const unsigned char *salt, size_t salt_len, wa_span credentials,
                     unsigned char out[WA_BASIC_DIGEST_LEN]);

/* Fills out for a refusal; detail may be NULL and must live as long as the request. */
void wa_step_fail(wa_step *out, wa_verdict verdict, wa_reason reason, const char *detail);

#endif
