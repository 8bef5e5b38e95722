#include "engine/binding.h"

#include "core/utf.h"

#include <apr_strings.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

enum { SPN_MAX = 1024 };

#define UNTRUSTED_TARGET 0x4u /* MsvAvFlags: the client had the name from somebody else */

static const char prefix[] = "tls-server-end-point:";

enum { PREFIX_LEN = sizeof(prefix) - 1 };

/* The hash of the certificate's signature; MD5 and SHA-1 are replaced by SHA-256 (RFC 5929
 * section 4.1).  NULL: it names none. */
static const EVP_MD *hash_of(const X509 *cert)
{
    int md = NID_undef;

    /* also tells the hash inside the parameters of RSASSA-PSS */
    if (X509_get_signature_info((X509 *)(uintptr_t)cert, &md, NULL, NULL, NULL) != 1) {
        return NULL;
    }
    if (md == NID_md5 || md == NID_sha1) {
        md = NID_sha256;
    }
    return md != NID_undef ? EVP_get_digestbynid(md) : NULL;
}

static X509 *read_pem(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return cert;
}

/* gss_channel_bindings_struct as it is hashed: no addresses, then length and data; every integer
 * little-endian. */
static bool digest_structure(wa_span data, unsigned char out[WA_BINDING_DIGEST_LEN])
{
    unsigned char buf[20 + PREFIX_LEN + EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    wa_writer w;

    wa_writer_init(&w, buf, sizeof(buf));
    wa_writer_zeros(&w, 16);
    wa_writer_le32(&w, (uint32_t)data.n);
    wa_writer_bytes(&w, data.p, data.n);
    return !w.bad && EVP_Digest(buf, w.n, out, &n, EVP_md5(), NULL) == 1
           && n == WA_BINDING_DIGEST_LEN;
}

/* NULL, or why there is no binding. */
static const char *fill(const X509 *cert, unsigned char *data, wa_binding *out)
{
    const EVP_MD *hash = hash_of(cert);
    unsigned int n = 0;

    memset(out, 0, sizeof(*out));
    if (hash == NULL) {
        return NULL;
    }
    memcpy(data, prefix, PREFIX_LEN);
    if (X509_digest(cert, hash, data + PREFIX_LEN, &n) == 1) {
        out->data = wa_span_of(data, PREFIX_LEN + n);
    }
    return n > 0 && digest_structure(out->data, out->digest)
               ? NULL
               : "OpenSSL does not provide the hash of the server's certificate, or MD5";
}

/* Nothing is left in pool, which is a connection's, when it fails: it may be tried once a
 * request. */
const wa_binding *wa_binding_make(const char *pem, apr_pool_t *pool, const char **error)
{
    unsigned char data[PREFIX_LEN + EVP_MAX_MD_SIZE];
    X509 *cert = read_pem(pem);
    wa_binding binding;

    *error =
        cert != NULL ? fill(cert, data, &binding) : "the server's certificate cannot be read";
    X509_free(cert);
    if (*error != NULL) {
        return NULL;
    }
    binding.data = wa_span_of(apr_pmemdup(pool, data, binding.data.n), binding.data.n);
    return apr_pmemdup(pool, &binding, sizeof(binding));
}

static wa_binding_state compare(wa_span sent, const wa_binding *binding)
{
    static const unsigned char empty[WA_BINDING_DIGEST_LEN];

    if (binding != NULL && binding->data.n == 0) {
        return WA_BINDING_UNDEFINED;
    }
    if (sent.n != WA_BINDING_DIGEST_LEN) {
        return WA_BINDING_ABSENT;
    }
    if (wa_secret_equal(sent.p, empty, sizeof(empty))) {
        return WA_BINDING_EMPTY;
    }
    if (binding == NULL) {
        return WA_BINDING_PRESENT;
    }
    return wa_secret_equal(sent.p, binding->digest, sizeof(binding->digest)) ? WA_BINDING_MATCH
                                                                             : WA_BINDING_WRONG;
}

/* The name as text; one that is no text is nobody's, and not the same as none. */
static const char *target_name(const wa_ntlm_blob *blob, apr_pool_t *pool)
{
    char buf[SPN_MAX];
    wa_writer w;

    if (blob->target_name.n == 0 || (blob->av_flags & UNTRUSTED_TARGET) != 0) {
        return NULL;
    }
    wa_writer_init(&w, (unsigned char *)buf, sizeof(buf));
    return wa_utf16_to_utf8(blob->target_name, &w) && memchr(buf, '\0', w.n) == NULL
               ? apr_pstrmemdup(pool, buf, w.n)
               : "(not text)";
}

void wa_binding_read_ntlm(const wa_ntlm_authenticate *message, const wa_binding *binding,
                          apr_pool_t *pool, wa_evidence *out)
{
    out->binding = compare(message->blob.channel_bindings, binding);
    out->ticket = false;
    out->spn = target_name(&message->blob, pool);
}
