/* The keyed half of NTLMv2.  Source: [MS-NLMP] 3.3.1 (NTOWFv1), 3.3.2 (NTLMv2), 3.1.5.1.2 (MIC).
 */
#ifndef WA_ENGINE_NTLMHASH_H
#define WA_ENGINE_NTLMHASH_H

#include "core/ntlm.h"

#include <apr_pools.h>

/* NT hash of a UTF-8 password into out[16].  False: not UTF-8, or too long. */
bool wa_ntlmhash_password(const char *password, unsigned char out[WA_NTLM_HASH_LEN]);

/* Verifies the NT response of message against an account's NT hash; on success *session_key is
 * the SessionBaseKey.  Names are hashed as the client sent them, the user in upper case; where
 * that fails, once more without the domain, which some clients leave out of the hash. */
bool wa_ntlmhash_verify(const unsigned char nt_hash[WA_NTLM_HASH_LEN],
                        const unsigned char challenge[WA_NTLM_CHALLENGE_LEN],
                        const wa_ntlm_authenticate *message,
                        unsigned char session_key[WA_NTLM_HASH_LEN]);

/* The ExportedSessionKey, with which the MIC is made: what the client has sent under the
 * SessionBaseKey where there is a key exchange, else that key itself.  Source: [MS-NLMP]
 * 3.2.5.1.2. */
void wa_ntlmhash_exported_key(const wa_ntlm_authenticate *message,
                              const unsigned char base_key[WA_NTLM_HASH_LEN],
                              unsigned char out[WA_NTLM_HASH_LEN]);

/* Verifies the MIC of an AUTHENTICATE over the three messages exactly as they went over the wire.
 * False also when authenticate is too short to hold one. */
bool wa_ntlmhash_mic(const unsigned char exported_key[WA_NTLM_HASH_LEN], wa_span negotiate,
                     wa_span challenge, wa_span authenticate, apr_pool_t *pool);

#endif
