/* RC4 is MS-NLMP's word for it, and protects nothing here that the MIC does not.  OpenSSL's other
 * way to it is a module that need not be installed. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "engine/ntlmhash.h"

#include "core/utf.h"

#include <apr_md4.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rc4.h>
#include <string.h>

enum { PASSWORD_MAX_UTF16 = 512 };

static bool hmac_md5(const unsigned char key[WA_NTLM_HASH_LEN], const unsigned char *data,
                     size_t n, unsigned char out[WA_NTLM_HASH_LEN])
{
    unsigned int len = 0;

    return HMAC(EVP_md5(), key, WA_NTLM_HASH_LEN, data, n, out, &len) != NULL
           && len == WA_NTLM_HASH_LEN;
}

bool wa_ntlmhash_password(const char *password, unsigned char out[WA_NTLM_HASH_LEN])
{
    unsigned char utf16[PASSWORD_MAX_UTF16];
    wa_writer w;
    bool ok;

    wa_writer_init(&w, utf16, sizeof(utf16));
    ok = wa_utf8_to_utf16(wa_span_of(password, strlen(password)), &w)
         && apr_md4(out, utf16, (apr_size_t)w.n) == APR_SUCCESS;
    wa_secret_wipe(utf16, sizeof(utf16));
    return ok;
}

/* NTOWFv2: HMAC-MD5 of Uppercase(User) + UserDom under the NT hash */
static bool ntowf_v2(const unsigned char nt_hash[WA_NTLM_HASH_LEN], const wa_ntlm_authenticate *m,
                     wa_span domain, unsigned char out[WA_NTLM_HASH_LEN])
{
    unsigned char names[4 * WA_NTLM_NAME_MAX];
    wa_writer w;

    wa_writer_init(&w, names, sizeof(names));
    if (!wa_ntlm_name_to_utf16(m->user, m->flags, &w)) {
        return false;
    }
    wa_utf16_upcase(names, w.n);
    return wa_ntlm_name_to_utf16(domain, m->flags, &w) && hmac_md5(nt_hash, names, w.n, out);
}

/* NTProofStr: HMAC-MD5 of ServerChallenge + blob under NTOWFv2 */
static bool verify_with(const unsigned char nt_hash[WA_NTLM_HASH_LEN],
                        const unsigned char challenge[WA_NTLM_CHALLENGE_LEN],
                        const wa_ntlm_authenticate *m, wa_span domain,
                        unsigned char session_key[WA_NTLM_HASH_LEN])
{
    unsigned char key[WA_NTLM_HASH_LEN];
    unsigned char proof[WA_NTLM_HASH_LEN];
    unsigned char *data;
    wa_span blob;
    bool ok = false;

    if (wa_span_slice(m->nt, WA_NTLM_HASH_LEN, m->nt.n - WA_NTLM_HASH_LEN, &blob)
        && ntowf_v2(nt_hash, m, domain, key)) {
        data = OPENSSL_malloc(WA_NTLM_CHALLENGE_LEN + blob.n);
        if (data != NULL) {
            memcpy(data, challenge, WA_NTLM_CHALLENGE_LEN);
            memcpy(data + WA_NTLM_CHALLENGE_LEN, blob.p, blob.n);
            ok = hmac_md5(key, data, WA_NTLM_CHALLENGE_LEN + blob.n, proof)
                 && wa_secret_equal(proof, m->nt.p, WA_NTLM_HASH_LEN)
                 && hmac_md5(key, proof, WA_NTLM_HASH_LEN, session_key);
            OPENSSL_free(data);
        }
    }
    wa_secret_wipe(key, sizeof(key));
    return ok;
}

bool wa_ntlmhash_verify(const unsigned char nt_hash[WA_NTLM_HASH_LEN],
                        const unsigned char challenge[WA_NTLM_CHALLENGE_LEN],
                        const wa_ntlm_authenticate *message,
                        unsigned char session_key[WA_NTLM_HASH_LEN])
{
    wa_span none = { NULL, 0 };

    if (message->nt.n <= WA_NTLM_HASH_LEN) {
        return false;
    }
    return verify_with(nt_hash, challenge, message, message->domain, session_key)
           || (message->domain.n > 0
               && verify_with(nt_hash, challenge, message, none, session_key));
}

void wa_ntlmhash_exported_key(const wa_ntlm_authenticate *message,
                              const unsigned char base_key[WA_NTLM_HASH_LEN],
                              unsigned char out[WA_NTLM_HASH_LEN])
{
    RC4_KEY rc4;

    memcpy(out, base_key, WA_NTLM_HASH_LEN);
    if ((message->flags & WA_NTLM_KEY_EXCH) != 0 && message->session_key.n == WA_NTLM_HASH_LEN) {
        RC4_set_key(&rc4, WA_NTLM_HASH_LEN, base_key);
        RC4(&rc4, WA_NTLM_HASH_LEN, message->session_key.p, out);
        wa_secret_wipe((unsigned char *)&rc4, sizeof(rc4));
    }
}

bool wa_ntlmhash_mic(const unsigned char exported_key[WA_NTLM_HASH_LEN], wa_span negotiate,
                     wa_span challenge, wa_span authenticate, apr_pool_t *pool)
{
    unsigned char expected[WA_NTLM_HASH_LEN];
    size_t total = negotiate.n + challenge.n + authenticate.n;
    unsigned char *data;
    wa_writer w;
    wa_span mic;

    if (!wa_span_slice(authenticate, WA_NTLM_MIC_OFFSET, WA_NTLM_HASH_LEN, &mic)) {
        return false;
    }
    data = apr_palloc(pool, total);
    wa_writer_init(&w, data, total);
    wa_writer_bytes(&w, negotiate.p, negotiate.n);
    wa_writer_bytes(&w, challenge.p, challenge.n);
    wa_writer_bytes(&w, authenticate.p, authenticate.n);
    memset(data + negotiate.n + challenge.n + WA_NTLM_MIC_OFFSET, 0, WA_NTLM_HASH_LEN);
    return !w.bad && hmac_md5(exported_key, data, total, expected)
           && wa_secret_equal(expected, mic.p, WA_NTLM_HASH_LEN);
}
