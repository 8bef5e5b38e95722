/* The keyed half of NTLMv2 against published vectors.  Sources: [MS-NLMP] 4.2.4; and the exchanges named in
 * vectors/README. */
#include "engine/ntlmhash.h"
#include "tap.h"

#include <apr_general.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char buffers[8][2048];
static size_t used;

/* A vector file, hex digits, as bytes. */
static wa_span load(const char *name)
{
    char path[200];
    unsigned char *out = buffers[used++ % 8];
    size_t n = 0;
    unsigned byte;
    FILE *f;

    snprintf(path, sizeof(path), "t/unit/vectors/%s.hex", name);
    f = fopen(path, "r");
    if (f == NULL) {
        printf("Bail out! %s is missing\n", path);
        exit(1);
    }
    while (n < sizeof(buffers[0]) && fscanf(f, "%2x", &byte) == 1) {
        out[n++] = (unsigned char)byte;
    }
    fclose(f);
    return wa_span_of(out, n);
}

typedef struct vector {
    const char *name;
    const char *password;
    bool has_mic;
} vector;

static const vector vectors[] = {
    { "ms-nlmp-v2", "Password", false },
    { "ntlm-auth-cbt", "Password", false },
    { "ntlm-auth-cbt-mic", "Password", true },
    { "win2019", "VagrantPass1", true },
};

static wa_span message(const char *vector_name, const char *which)
{
    char name[100];

    snprintf(name, sizeof(name), "%s-%s", vector_name, which);
    return load(name);
}

static void check_vector(const vector *v)
{
    wa_span challenge_message = message(v->name, "challenge");
    wa_span authenticate = message(v->name, "authenticate");
    unsigned char hash[16], key[16], wrong[8];
    wa_ntlm_authenticate m;
    wa_span challenge;
    size_t i;

    /* not by our parser: one of these has nonsense in a field that does not matter here */
    ok(wa_span_slice(challenge_message, 24, 8, &challenge), "%s: challenge", v->name);
    is_int(wa_ntlm_parse_authenticate(authenticate, &m), WA_REASON_OK, "%s: parses", v->name);
    ok(wa_ntlmhash_password(v->password, hash), "%s: password", v->name);
    ok(wa_ntlmhash_verify(hash, challenge.p, &m, key), "%s: the response fits", v->name);
    for (i = 0; i < 8; i++) {
        memcpy(wrong, challenge.p, 8);
        wrong[i] ^= 1;
        ok(!wa_ntlmhash_verify(hash, wrong, &m, key), "%s: not with challenge bit %zu changed",
           v->name, i);
    }
    for (i = 0; i < m.nt.n; i++) {
        unsigned char *p = (unsigned char *)(uintptr_t)m.nt.p;
        bool fits;
        p[i] ^= 0x10;
        fits = wa_ntlmhash_verify(hash, challenge.p, &m, key);
        p[i] ^= 0x10;
        if (fits) {
            break;
        }
    }
    is_int(i, m.nt.n, "%s: not with any byte of the response changed", v->name);
    ok(wa_ntlmhash_password("Passw0rd", hash) && !wa_ntlmhash_verify(hash, challenge.p, &m, key),
       "%s: not with another password", v->name);
    ok(m.has_mic == v->has_mic, "%s: MIC as expected", v->name);
}

/* Only without a key exchange is the session base key the one the MIC is made with; both vectors that have a
 * MIC do one, so the exported keys published with them are used. */
static void check_mic(const char *name, const char *key_hex, apr_pool_t *pool)
{
    wa_span m1 = message(name, "negotiate"), m2 = message(name, "challenge"),
            m3 = message(name, "authenticate");
    wa_span all[3];
    unsigned char key[16];
    unsigned byte;
    size_t i, k, caught = 0, total = 0;

    for (i = 0; i < 16; i++) {
        sscanf(key_hex + 2 * i, "%2x", &byte);
        key[i] = (unsigned char)byte;
    }
    ok(wa_ntlmhash_mic(key, m1, m2, m3, pool), "%s: MIC", name);
    all[0] = m1, all[1] = m2, all[2] = m3;
    for (k = 0; k < 3; k++) {
        for (i = 0; i < all[k].n; i++) {
            unsigned char *p = (unsigned char *)(uintptr_t)all[k].p;
            p[i] ^= 1;
            total++;
            caught += !wa_ntlmhash_mic(key, m1, m2, m3, pool);
            p[i] ^= 1;
        }
    }
    is_int(caught, total, "%s: a bit changed in any of %zu bytes is noticed", name, total);
    ok(!wa_ntlmhash_mic(key, m1, m2, wa_span_of(m3.p, 87), pool), "%s: too short for one", name);
}

int main(void)
{
    apr_pool_t *pool;
    unsigned char hash[16];
    static const unsigned char nt_of_password[16] = { 0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca,
                                                      0xb6, 0x82, 0x4e, 0xe7, 0xc3, 0x0f, 0xd8, 0x52 };
    char longest[1000];
    size_t i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    ok(wa_ntlmhash_password("Password", hash) && memcmp(hash, nt_of_password, 16) == 0, "NT hash");
    ok(!wa_ntlmhash_password("\xff", hash), "a password that is not UTF-8");
    memset(longest, 'x', sizeof(longest));
    longest[999] = '\0';
    ok(!wa_ntlmhash_password(longest, hash), "a password that is too long");
    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        check_vector(&vectors[i]);
    }
    check_mic("win2019", "454f5835e1c047a3b6ae693c33e7712c", pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done_testing();
}
