/* Passwords and responses on their way to whoever judges them: past the count of those that were
 * refused (engine/lockout). */
#ifndef WA_ENGINE_SUBMIT_H
#define WA_ENGINE_SUBMIT_H

#include "engine/engine.h"

/* As the authority's judge and password, of which they are the only callers. */
void wa_submit_response(const wa_engine *engine, const wa_trust *trust, const wa_logon *logon,
                        apr_pool_t *pool, wa_ruling *out);
void wa_submit_password(const wa_engine *engine, const wa_trust *trust, const char *user,
                        const char *domain, const char *password, apr_pool_t *pool,
                        wa_ruling *out);

/* A password for somebody else than the authority.  False: it must not be submitted, out says
 * why. Who submits calls wa_submit_end with what has come of it. */
bool wa_submit_begin(const wa_engine *engine, const wa_trust *trust, const char *user,
                     wa_lockout_keys *keys, apr_pool_t *pool, wa_ruling *out);
void wa_submit_end(const wa_trust *trust, const wa_lockout_keys *keys, wa_verdict verdict,
                   wa_reason reason);

#endif
