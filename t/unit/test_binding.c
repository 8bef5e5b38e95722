/* Channel bindings: certificates made here, and messages of real clients.  Sources: RFC 5929
 * section 4.1; the exchanges named in vectors/README. */
#include "engine/binding.h"
#include "sample.h"
#include "tap.h"

#include <apr_general.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

/* In ntlm-auth's two exchanges: over the SHA-256 of its test certificate. */
static const unsigned char published[WA_BINDING_DIGEST_LEN] = {
    0x6e, 0xa1, 0x9d, 0xf0, 0x66, 0xda, 0x46, 0x22, 0x05, 0x1f, 0x9c, 0x4f, 0x92, 0xc6, 0xdf, 0x74
};

static wa_evidence read_message(const char *name, const wa_binding *binding, apr_pool_t *pool)
{
    sample m = sample_load(name);
    wa_evidence e = { WA_BINDING_WRONG, true, "unset" };
    wa_ntlm_authenticate message;

    ok(wa_ntlm_parse_authenticate(m.s, &message) == WA_REASON_OK, "%s: parsed", name);
    wa_binding_read_ntlm(&message, binding, pool, &e);
    ok(!e.ticket, "%s: no ticket", name);
    sample_free(&m);
    return e;
}

static void test_messages(apr_pool_t *pool)
{
    static const unsigned char some[] = "tls-server-end-point:...";
    wa_binding right = { wa_span_of(some, sizeof(some) - 1), { 0 } };
    wa_binding wrong = right;
    wa_binding undefined = { wa_span_of(NULL, 0), { 0 } };
    wa_evidence e;

    memcpy(right.digest, published, sizeof(published));
    memcpy(wrong.digest, published, sizeof(published));
    wrong.digest[15] ^= 1;
    is_int(read_message("ntlm-auth-cbt-authenticate.hex", &right, pool).binding, WA_BINDING_MATCH,
           "right");
    is_int(read_message("ntlm-auth-cbt-mic-authenticate.hex", &right, pool).binding,
           WA_BINDING_MATCH, "right");
    is_int(read_message("ntlm-auth-cbt-authenticate.hex", &wrong, pool).binding, WA_BINDING_WRONG,
           "one bit");
    is_int(read_message("ntlm-auth-cbt-authenticate.hex", NULL, pool).binding, WA_BINDING_PRESENT,
           "not compared");
    is_int(read_message("ntlm-auth-cbt-authenticate.hex", &undefined, pool).binding,
           WA_BINDING_UNDEFINED, "none defined");
    is_int(read_message("ms-nlmp-v2-authenticate.hex", &right, pool).binding, WA_BINDING_ABSENT,
           "none");
    e = read_message("win2019-authenticate.hex", &right, pool);
    is_int(e.binding, WA_BINDING_EMPTY, "Windows declares that it makes them");
    is_str(e.spn, "HOST\\dc01.domain.local", "and says which service it wants");
}

/* A certificate of a new key, signed with that hash, in PEM. */
static char *make_pem(int type, const EVP_MD *hash, bool pss, const char *digest_name,
                      unsigned char *digest, unsigned int *len)
{
    EVP_PKEY *key = type == EVP_PKEY_RSA ? EVP_RSA_gen(2048) : NULL;
    EVP_PKEY_CTX *kctx = type != EVP_PKEY_RSA ? EVP_PKEY_CTX_new_id(type, NULL) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    X509 *cert = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    long n;

    if (kctx != NULL) {
        EVP_PKEY_keygen_init(kctx);
        EVP_PKEY_keygen(kctx, &key);
        EVP_PKEY_CTX_free(kctx);
    }
    X509_set_pubkey(cert, key);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    EVP_DigestSignInit(ctx, &pctx, hash, NULL, key);
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
    }
    if (X509_sign_ctx(cert, ctx) <= 0) {
        sample_die("no certificate with", digest_name);
    }
    X509_digest(cert, EVP_get_digestbyname(digest_name), digest, len);
    PEM_write_bio_X509(bio, cert);
    n = BIO_get_mem_data(bio, &pem);
    pem = strndup(pem, (size_t)n);
    BIO_free(bio);
    EVP_MD_CTX_free(ctx);
    X509_free(cert);
    EVP_PKEY_free(key);
    return pem;
}

static void test_certificates(apr_pool_t *pool)
{
    static const char prefix[] = "tls-server-end-point:";
    struct {
        const char *what;
        int type;
        const EVP_MD *hash;
        bool pss;
        const char *digest;
    } rows[] = {
        { "RSA, MD5", EVP_PKEY_RSA, EVP_md5(), false, "SHA256" },
        { "RSA, SHA-1", EVP_PKEY_RSA, EVP_sha1(), false, "SHA256" },
        { "RSA, SHA-256", EVP_PKEY_RSA, EVP_sha256(), false, "SHA256" },
        { "RSA, SHA-384", EVP_PKEY_RSA, EVP_sha384(), false, "SHA384" },
        { "RSA, SHA-512", EVP_PKEY_RSA, EVP_sha512(), false, "SHA512" },
        { "PSS, SHA-384", EVP_PKEY_RSA, EVP_sha384(), true, "SHA384" },
        { "PSS, SHA-1", EVP_PKEY_RSA, EVP_sha1(), true, "SHA256" },
        { "Ed25519", EVP_PKEY_ED25519, NULL, false, "SHA256" },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned char expected[sizeof(prefix) - 1 + EVP_MAX_MD_SIZE];
        const char *error = NULL;
        const wa_binding *b;
        unsigned int n = 0;
        char *pem;

        memcpy(expected, prefix, sizeof(prefix) - 1);
        pem = make_pem(rows[i].type, rows[i].hash, rows[i].pss, rows[i].digest,
                       expected + sizeof(prefix) - 1, &n);
        b = wa_binding_make(pem, pool, &error);
        ok(b != NULL && error == NULL, "%s: made", rows[i].what);
        if (rows[i].hash == NULL) {
            ok(b != NULL && b->data.n == 0, "%s: none is defined", rows[i].what);
        }
        else {
            ok(b != NULL && wa_span_equal(b->data, wa_span_of(expected, sizeof(prefix) - 1 + n)),
               "%s: by %s", rows[i].what, rows[i].digest);
        }
        free(pem);
    }
}

int main(void)
{
    const char *error = NULL;
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_messages(pool);
    test_certificates(pool);
    ok(wa_binding_make("no certificate", pool, &error) == NULL && error != NULL,
       "no certificate");
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
