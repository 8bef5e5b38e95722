#include "httpd/memo.h"

#include "httpd/connection.h"

#include <apr_general.h>
#include <string.h>

enum { SALT_LEN = 16 };

struct wa_memo {
    apr_pool_t *pool; /* of identity; replaced with it */
    unsigned char salt[SALT_LEN];
    unsigned char digest[WA_BASIC_DIGEST_LEN];
    const wa_trust *trust;
    const wa_identity *identity; /* NULL: nothing remembered */
    apr_int64_t served;          /* requests recalled for, not counting the one that proved it */
};

const wa_identity *wa_memo_find(const request_rec *r, const wa_trust *trust, wa_span credentials,
                                apr_int64_t **served_out)
{
    const wa_slot *slot = wa_slot_find(r);
    wa_memo *memo = slot != NULL ? slot->memo : NULL;
    unsigned char digest[WA_BASIC_DIGEST_LEN];

    if (memo == NULL || memo->identity == NULL || memo->trust != trust
        || !wa_basic_digest(memo->salt, SALT_LEN, credentials, digest)) {
        return NULL;
    }
    *served_out = &memo->served;
    return wa_secret_equal(digest, memo->digest, sizeof(digest)) ? memo->identity : NULL;
}

void wa_memo_keep(const request_rec *r, const wa_trust *trust, wa_span credentials,
                  const wa_identity *identity)
{
    wa_slot *slot = wa_slot_make(r);
    wa_memo *memo = slot->memo;

    if (memo == NULL) {
        memo = slot->memo = apr_pcalloc(slot->parent, sizeof(*memo));
        apr_pool_create(&memo->pool, slot->parent);
    }
    apr_pool_clear(memo->pool);
    memo->identity = NULL;
    memo->served = 0;
    if (apr_generate_random_bytes(memo->salt, SALT_LEN) == APR_SUCCESS
        && wa_basic_digest(memo->salt, SALT_LEN, credentials, memo->digest)) {
        memo->trust = trust;
        memo->identity = wa_identity_copy(identity, memo->pool);
    }
}
