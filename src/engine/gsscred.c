#include "engine/gsscred.h"

#include "engine/keytab.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IDLE_CREDENTIALS = 32,
    PROXY_PAUSE = 10 /* seconds in which a KDC that did not answer is not asked again */
};

const gss_OID_desc wa_gss_mech_krb5 = {
    9, (void *)(uintptr_t) "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
};
const gss_OID_desc wa_gss_mech_ntlm = {
    10, (void *)(uintptr_t) "\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
};
static const gss_OID_desc mech_spnego = { 6, (void *)(uintptr_t) "\x2b\x06\x01\x05\x05\x02" };

struct wa_gsscred {
    gss_cred_id_t plain;  /* krb5 alone; GSS_C_NO_CREDENTIAL in an NTLM credential */
    gss_cred_id_t spnego; /* SPNEGO with one negotiable mechanism */
    bool proxy;           /* from wa_gsscred_take_proxy */
    apr_time_t until;     /* of a proxy: when its ticket is too old to be given away */
};

typedef enum {
    USE_ACCEPT = 0,
    USE_TRY,  /* accept without a replay cache, where nothing is decided by it */
    USE_PROXY /* accept, and hold a ticket of one's own */
} usage;

static void release(void *handle)
{
    wa_gsscred *cred = handle;
    OM_uint32 ignored;

    gss_release_cred(&ignored, &cred->plain);
    gss_release_cred(&ignored, &cred->spnego);
    free(cred);
}

void wa_gsscred_open(wa_trust *trust, apr_pool_t *pchild)
{
    trust->krb5_spares = wa_spares_create(pchild, IDLE_CREDENTIALS, release);
    trust->proxy_spares = wa_spares_create(pchild, IDLE_CREDENTIALS, release);
    trust->ntlm_spares = wa_spares_create(pchild, IDLE_CREDENTIALS, release);
}

static void append_status(OM_uint32 code, int type, gss_OID mech, apr_pool_t *pool, char **text)
{
    OM_uint32 more = 0;
    OM_uint32 ignored;

    do {
        gss_buffer_desc s = GSS_C_EMPTY_BUFFER;
        if (GSS_ERROR(gss_display_status(&ignored, code, type, mech, &more, &s))) {
            return;
        }
        *text = apr_pstrcat(pool, *text, **text != '\0' ? "; " : "",
                            apr_pstrmemdup(pool, s.value, s.length), NULL);
        gss_release_buffer(&ignored, &s);
    } while (more != 0);
}

const char *wa_gss_error(OM_uint32 major, OM_uint32 minor, gss_OID mech, apr_pool_t *pool)
{
    char *text = apr_pstrdup(pool, "");

    append_status(major, GSS_C_GSS_CODE, GSS_C_NO_OID, pool, &text);
    if (minor != 0) {
        append_status(minor, GSS_C_MECH_CODE, mech, pool, &text);
    }
    return text;
}

bool wa_gss_has_mech(const gss_OID_desc *mech)
{
    gss_OID_set all = GSS_C_NO_OID_SET;
    OM_uint32 ignored;
    int present = 0;

    if (!GSS_ERROR(gss_indicate_mechs(&ignored, &all))) {
        gss_test_oid_set_member(&ignored, (gss_OID)(uintptr_t)mech, all, &present);
        gss_release_oid_set(&ignored, &all);
    }
    return present != 0;
}

/* The configured acceptor name, or GSS_C_NO_NAME for any.  False: there is none, as *detail says.
 */
static bool import_acceptor(const wa_trust *trust, gss_name_t *out, apr_pool_t *pool,
                            const char **detail)
{
    const char *name;
    gss_buffer_desc text;
    OM_uint32 minor;
    OM_uint32 major;

    *out = GSS_C_NO_NAME;
    if (trust->acceptor == NULL) {
        return true;
    }
    name = wa_keytab_acceptor(trust, pool, detail);
    if (name == NULL) {
        return false;
    }
    text.value = (void *)(uintptr_t)name;
    text.length = strlen(name);
    major = gss_import_name(&minor, &text, (gss_OID)(uintptr_t)GSS_KRB5_NT_PRINCIPAL_NAME, out);
    if (GSS_ERROR(major)) {
        *detail = wa_gss_error(major, minor, GSS_C_NO_OID, pool);
    }
    return !GSS_ERROR(major);
}

static void put_element(gss_key_value_set_desc *store, const char *key, const char *value)
{
    store->elements[store->count].key = key;
    store->elements[store->count++].value = value;
}

/* A credential for mech out of the keytab, or of the default one.  A proxy's own ticket comes by
 * the same keys, and lies in the memory of this process. */
static OM_uint32 acquire(const wa_trust *trust, gss_name_t name, const gss_OID_desc *mech,
                         usage use, OM_uint32 *minor, gss_cred_id_t *out)
{
    gss_key_value_element_desc elements[3];
    gss_key_value_set_desc store = { 0, elements };
    gss_OID_set_desc mechs = { 1, (gss_OID)(uintptr_t)mech };
    char ccache[64];

    if (trust->keytab != NULL) {
        put_element(&store, "keytab", trust->keytab);
    }
    if (use == USE_TRY) {
        put_element(&store, "rcache", "none:");
    }
    if (use == USE_PROXY) {
        (void)snprintf(ccache, sizeof(ccache), "MEMORY:winauth-%p", (const void *)trust);
        put_element(&store, "client_keytab", trust->keytab_name);
        put_element(&store, "ccache", ccache);
    }
    return gss_acquire_cred_from(minor, name, GSS_C_INDEFINITE, &mechs,
                                 use == USE_PROXY ? GSS_C_BOTH : GSS_C_ACCEPT,
                                 store.count > 0 ? &store : NULL, out, NULL, NULL);
}

static OM_uint32 restrict_to(gss_cred_id_t cred, const gss_OID_desc *mech, OM_uint32 *minor)
{
    gss_OID_set_desc mechs = { 1, (gss_OID)(uintptr_t)mech };

    return gss_set_neg_mechs(minor, cred, &mechs);
}

/* The plain credential first: it fails when the keytab is missing or empty, which SPNEGO's hides.
 */
static OM_uint32 make_krb5(const wa_trust *trust, gss_name_t name, OM_uint32 *minor,
                           wa_gsscred *cred)
{
    usage use = cred->proxy ? USE_PROXY : USE_ACCEPT;
    OM_uint32 major = acquire(trust, name, &wa_gss_mech_krb5, use, minor, &cred->plain);

    if (!GSS_ERROR(major)) {
        major = acquire(trust, name, &mech_spnego, use, minor, &cred->spnego);
    }
    return GSS_ERROR(major) ? major : restrict_to(cred->spnego, &wa_gss_mech_krb5, minor);
}

static OM_uint32 make_ntlm(OM_uint32 *minor, wa_gsscred *cred)
{
    gss_OID_set_desc mechs = { 1, (gss_OID)(uintptr_t)&mech_spnego };
    OM_uint32 major = gss_acquire_cred(minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &mechs,
                                       GSS_C_ACCEPT, &cred->spnego, NULL, NULL);

    return GSS_ERROR(major) ? major : restrict_to(cred->spnego, &wa_gss_mech_ntlm, minor);
}

static OM_uint32 accept_once(gss_cred_id_t cred, wa_span token, OM_uint32 *minor)
{
    gss_buffer_desc in = { token.n, (void *)(uintptr_t)token.p };
    gss_buffer_desc answer = GSS_C_EMPTY_BUFFER;
    gss_ctx_id_t ctx = GSS_C_NO_CONTEXT;
    OM_uint32 ignored;
    OM_uint32 major = gss_accept_sec_context(minor, &ctx, cred, &in, GSS_C_NO_CHANNEL_BINDINGS,
                                             NULL, NULL, &answer, NULL, NULL, NULL);

    gss_release_buffer(&ignored, &answer);
    gss_delete_sec_context(&ignored, &ctx, GSS_C_NO_BUFFER);
    return major;
}

OM_uint32 wa_gsscred_try(const wa_trust *trust, wa_span token, bool replays, apr_pool_t *pool,
                         OM_uint32 *minor)
{
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    const char *ignored_detail;
    gss_name_t name;
    OM_uint32 ignored;
    OM_uint32 major;

    if (!import_acceptor(trust, &name, pool, &ignored_detail)) {
        *minor = (OM_uint32)KRB5_KT_NOTFOUND; /* as of a principal that is not in the keytab */
        return GSS_S_NO_CRED;
    }
    major = acquire(trust, name, &wa_gss_mech_krb5, replays ? USE_ACCEPT : USE_TRY, minor, &cred);
    if (!GSS_ERROR(major)) {
        major = accept_once(cred, token, minor);
    }
    gss_release_cred(&ignored, &cred);
    gss_release_name(&ignored, &name);
    return major;
}

bool wa_gsscred_keytab_usable(const wa_trust *trust, apr_pool_t *pool, const char **detail)
{
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;
    OM_uint32 minor = 0;
    OM_uint32 ignored;
    OM_uint32 major = acquire(trust, GSS_C_NO_NAME, &wa_gss_mech_krb5, USE_ACCEPT, &minor, &cred);

    if (GSS_ERROR(major)) {
        *detail = wa_gss_error(major, minor, (gss_OID)(uintptr_t)&wa_gss_mech_krb5, pool);
        return false;
    }
    gss_release_cred(&ignored, &cred);
    return true;
}

static wa_spares *shelf(const wa_trust *trust, wa_gsscred_kind kind, bool proxy)
{
    return kind == WA_GSSCRED_SPNEGO_NTLM ? trust->ntlm_spares
           : proxy                        ? trust->proxy_spares
                                          : trust->krb5_spares;
}

/* Three quarters of what its ticket still has to live. libkrb5 gets a new ticket when the old one
 * is past its half and a credential is made. */
static OM_uint32 set_until(wa_gsscred *cred, OM_uint32 *minor)
{
    OM_uint32 lifetime = 0;
    OM_uint32 major = gss_inquire_cred(minor, cred->plain, NULL, &lifetime, NULL, NULL);

    cred->until = apr_time_now() + apr_time_from_sec(lifetime) / 4 * 3;
    return GSS_ERROR(major) || lifetime > 0 ? major : GSS_S_CREDENTIALS_EXPIRED;
}

/* False: *detail, in pool, says why. */
static bool fill_krb5(const wa_trust *trust, wa_gsscred *cred, apr_pool_t *pool,
                      const char **detail)
{
    gss_name_t name;
    OM_uint32 minor = 0;
    OM_uint32 ignored;
    OM_uint32 major;

    if (!import_acceptor(trust, &name, pool, detail)) {
        return false;
    }
    major = make_krb5(trust, name, &minor, cred);
    if (!GSS_ERROR(major) && cred->proxy) {
        major = set_until(cred, &minor);
    }
    gss_release_name(&ignored, &name);
    if (GSS_ERROR(major)) {
        *detail = wa_gss_error(major, minor, (gss_OID)(uintptr_t)&wa_gss_mech_krb5, pool);
    }
    return !GSS_ERROR(major);
}

static bool fill_ntlm(wa_gsscred *cred, apr_pool_t *pool, const char **detail)
{
    OM_uint32 minor = 0;
    OM_uint32 major = make_ntlm(&minor, cred);

    if (GSS_ERROR(major)) {
        *detail = wa_gss_error(major, minor, GSS_C_NO_OID, pool);
    }
    return !GSS_ERROR(major);
}

static wa_gsscred *make(const wa_trust *trust, wa_gsscred_kind kind, bool proxy, apr_pool_t *pool,
                        const char **detail)
{
    wa_gsscred *cred = calloc(1, sizeof(*cred));
    bool filled;

    if (cred == NULL) {
        *detail = "out of memory";
        return NULL;
    }
    cred->proxy = proxy;
    filled = kind == WA_GSSCRED_SPNEGO_NTLM ? fill_ntlm(cred, pool, detail)
                                            : fill_krb5(trust, cred, pool, detail);
    if (!filled) {
        release(cred);
        return NULL;
    }
    return cred;
}

wa_gsscred *wa_gsscred_take(const wa_trust *trust, wa_gsscred_kind kind, apr_pool_t *pool,
                            const char **detail)
{
    wa_gsscred *cred = wa_spares_take(shelf(trust, kind, false));

    return cred != NULL ? cred : make(trust, kind, false, pool, detail);
}

static wa_gsscred *make_proxy(const wa_trust *trust, apr_pool_t *pool, const char **detail)
{
    wa_gsscred *cred = make(trust, WA_GSSCRED_SPNEGO_KRB5, true, pool, detail);

    if (cred == NULL) {
        *detail = apr_pstrcat(pool, "the service gets no ticket of its own: ", *detail, NULL);
    }
    return cred;
}

wa_gsscred *wa_gsscred_take_proxy(const wa_trust *trust, apr_pool_t *pool, const char **detail)
{
    wa_trust *shared = (wa_trust *)(uintptr_t)trust; /* gate and pause are made for sharing */
    apr_uint32_t now = (apr_uint32_t)apr_time_sec(apr_time_now());
    wa_gsscred *cred = wa_spares_take(trust->proxy_spares);

    if (cred != NULL && apr_time_now() < cred->until) {
        return cred;
    }
    if (cred != NULL) {
        release(cred);
    }
    if (now < apr_atomic_read32(&shared->proxy_pause)) {
        *detail = "the service got no ticket of its own a moment ago";
        return NULL;
    }
    if (!wa_gate_enter(&shared->kdc)) {
        *detail = "too many wait for a KDC";
        return NULL;
    }
    cred = make_proxy(trust, pool, detail);
    wa_gate_leave(&shared->kdc);
    if (cred == NULL) {
        apr_atomic_set32(&shared->proxy_pause, now + PROXY_PAUSE);
    }
    return cred;
}

gss_cred_id_t wa_gsscred_handle(const wa_gsscred *cred, wa_gsscred_kind kind)
{
    return kind == WA_GSSCRED_KRB5 ? cred->plain : cred->spnego;
}

void wa_gsscred_give_back(const wa_trust *trust, wa_gsscred_kind kind, wa_gsscred *cred,
                          bool good)
{
    if (good) {
        wa_spares_put(shelf(trust, kind, cred->proxy), cred);
    }
    else {
        release(cred);
    }
}
