#include "engine/gssname.h"

#include "core/pac.h"
#include "core/utf.h"

#include <apr_strings.h>
#include <gssapi/gssapi_ext.h>
#include <string.h>

static const char *display(gss_name_t name, apr_pool_t *pool)
{
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    const char *out = NULL;
    OM_uint32 ignored;

    /* a NUL inside would make two names one; gss-ntlmssp counts the one at the end */
    if (!GSS_ERROR(gss_display_name(&ignored, name, &text, NULL))) {
        size_t n = text.length;
        n -= n > 0 && ((const char *)text.value)[n - 1] == '\0' ? 1 : 0;
        if (memchr(text.value, '\0', n) == NULL) {
            out = apr_pstrmemdup(pool, text.value, n);
        }
        gss_release_buffer(&ignored, &text);
    }
    return out;
}

/* alice@REALM as an account; the NetBIOS domain comes from WinAuthDomain. */
static bool krb5_account(const wa_trust *trust, const char *client, const char *service,
                         apr_pool_t *pool, wa_account *out)
{
    wa_span name, realm, ignored, own_realm;

    if (client == NULL || !wa_account_split_principal(client, &name, &realm)) {
        return false;
    }
    out->name = apr_pstrmemdup(pool, (const char *)name.p, name.n);
    out->realm = apr_pstrmemdup(pool, (const char *)realm.p, realm.n);
    out->domain = wa_trust_domain(trust, out->realm);
    out->home = service != NULL && wa_account_split_principal(service, &ignored, &own_realm)
                && wa_span_equal(realm, own_realm);
    return true;
}

static const char *utf8_name(wa_span utf16, apr_pool_t *pool)
{
    char buf[WA_ACCOUNT_MAX];
    wa_writer w;
    const char *name;

    wa_writer_init(&w, (unsigned char *)buf, sizeof(buf));
    if (!wa_utf16_to_utf8(utf16, &w)) {
        return NULL;
    }
    name = apr_pstrmemdup(pool, buf, w.n);
    return wa_account_name_ok(name) ? name : NULL;
}

/* The PAC's word over the client's: the account as the directory spells it, its NetBIOS domain,
 * its SID. The domain's name only for users of the server's own realm, whose controllers made the
 * PAC: another realm's might call itself by our name.  False: there is a PAC, and it is not to be
 * believed. */
static bool read_pac(gss_name_t client, apr_pool_t *pool, wa_identity *identity)
{
    static char attribute[] = "urn:mspac:logon-info";
    gss_buffer_desc name = { sizeof(attribute) - 1, attribute };
    gss_buffer_desc value = GSS_C_EMPTY_BUFFER;
    gss_buffer_desc shown = GSS_C_EMPTY_BUFFER;
    char sid[WA_SID_TEXT_MAX];
    int authenticated = 0, complete = 0, more = -1;
    const char *account, *domain;
    wa_pac_logon logon;
    OM_uint32 minor;
    bool good;

    if (GSS_ERROR(gss_get_name_attribute(&minor, client, &name, &authenticated, &complete, &value,
                                         &shown, &more))) {
        return true; /* no logon information: an MIT KDC, or gssproxy in between */
    }
    good = authenticated && wa_pac_parse_logon(wa_span_of(value.value, value.length), &logon);
    gss_release_buffer(&minor, &shown);
    if (good) {
        account = utf8_name(logon.account, pool);
        domain = utf8_name(logon.domain, pool);
        wa_sid_format(&logon.sid, sid);
        good = account != NULL && domain != NULL;
    }
    if (good) {
        identity->sid = logon.sid.count > 0 ? apr_pstrdup(pool, sid) : NULL;
        identity->account.name = account;
        identity->account.domain = identity->account.home ? domain : identity->account.domain;
    }
    gss_release_buffer(&minor, &value);
    return good;
}

wa_reason wa_gssname_read(const wa_trust *trust, gss_name_t client, gss_name_t service,
                          apr_pool_t *pool, wa_identity *identity)
{
    const char *own = service != GSS_C_NO_NAME ? display(service, pool) : NULL;

    if (!krb5_account(trust, display(client, pool), own, pool, &identity->account)) {
        return WA_REASON_UNKNOWN_USER;
    }
    return read_pac(client, pool, identity) ? WA_REASON_OK : WA_REASON_BAD_TOKEN;
}
