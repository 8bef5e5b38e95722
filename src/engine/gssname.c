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

/* In UTF-8, or NULL when it is not well-formed or longer than any name may be. */
static const char *utf8(wa_span utf16, apr_pool_t *pool)
{
    char buf[WA_ACCOUNT_MAX];
    wa_writer w;

    wa_writer_init(&w, (unsigned char *)buf, sizeof(buf));
    return wa_utf16_to_utf8(utf16, &w) ? apr_pstrmemdup(pool, buf, w.n) : NULL;
}

static const char *utf8_name(wa_span utf16, apr_pool_t *pool)
{
    const char *name = utf8(utf16, pool);

    return name != NULL && wa_account_name_ok(name) ? name : NULL;
}

/* The groups, by way of a list that is too long to keep. */
static void take_sids(const wa_pac_logon *logon, apr_pool_t *pool, wa_account *account)
{
    apr_pool_t *scratch;
    wa_sid *sids;

    apr_pool_create(&scratch, pool);
    sids = apr_palloc(scratch, logon->listed * sizeof(*sids));
    wa_identity_set_sids(account, sids, wa_pac_list(logon, sids), pool);
    apr_pool_destroy(scratch);
}

/* The domain's name only for users of the server's own realm, whose controllers made the PAC:
 * another realm's might call itself by our name.  Its SIDs are filtered by our controllers on the
 * way here, names are not. */
static bool take_logon(const wa_pac_logon *logon, apr_pool_t *pool, wa_account *account)
{
    const char *name = utf8_name(logon->account, pool);
    const char *domain = utf8_name(logon->domain, pool);
    char sid[WA_SID_TEXT_MAX];

    if (name == NULL || domain == NULL) {
        return false;
    }
    wa_sid_format(&logon->sid, sid);
    account->name = name;
    account->domain = account->home ? domain : account->domain;
    account->sid = apr_pstrdup(pool, sid);
    take_sids(logon, pool, account);
    return true;
}

/* The names, if the PAC has them; what else it says of the user must be said of the same one. */
static bool take_names(const wa_pac *pac, const wa_pac_logon *logon, apr_pool_t *pool,
                       wa_account *account)
{
    wa_pac_names names;
    wa_sid requestor;

    if (pac->requestor.n > 0
        && (!wa_pac_parse_requestor(pac->requestor, &requestor)
            || wa_sid_compare(&requestor, &logon->sid) != 0)) {
        return false;
    }
    memset(&names, 0, sizeof(names));
    if (pac->upn_dns.n > 0
        && (!wa_pac_parse_names(pac->upn_dns, &names)
            || (names.has_sid && wa_sid_compare(&names.sid, &logon->sid) != 0))) {
        return false;
    }
    /* a realm of Active Directory is its domain's DNS name */
    wa_identity_set_upn(account, names.made_up ? NULL : utf8(names.upn, pool), account->realm,
                        pool);
    return true;
}

static bool take_pac(wa_span whole, apr_pool_t *pool, wa_account *account)
{
    wa_pac_logon logon;
    wa_pac pac;

    if (!wa_pac_open(whole, &pac)) {
        return false;
    }
    if (pac.logon.n == 0) {
        return true; /* an MIT KDC's: it tells nothing about the user */
    }
    return wa_pac_parse_logon(pac.logon, &logon) && take_logon(&logon, pool, account)
           && take_names(&pac, &logon, pool, account);
}

static char pac_attribute[] = "urn:mspac:";

/* libkrb5 lets a ticket pass whose PAC has a wrong signature, and hides what is in it; but it
 * still lists its attributes.  Where they cannot be listed, there may be one. */
static bool may_have_pac(gss_name_t client)
{
    wa_span wanted = wa_span_of(pac_attribute, sizeof(pac_attribute) - 1);
    gss_buffer_set_t listed = GSS_C_NO_BUFFER_SET;
    bool found = false;
    OM_uint32 minor;
    OM_uint32 major = gss_inquire_name(&minor, client, NULL, NULL, &listed);
    size_t i;

    if (GSS_ERROR(major)) {
        return GSS_ROUTINE_ERROR(major) != GSS_S_UNAVAILABLE;
    }
    for (i = 0; listed != GSS_C_NO_BUFFER_SET && i < listed->count; i++) {
        found = found
                || wa_span_begins(
                    wa_span_of(listed->elements[i].value, listed->elements[i].length), wanted);
    }
    gss_release_buffer_set(&minor, &listed);
    return found;
}

/* The PAC's word over the client's: the account as the directory spells it, its domain, its SID
 * and its groups.  Read as a whole, because libkrb5 reports a buffer that comes twice as one that
 * is not there.  False: there is a PAC, and it is not to be believed. */
static bool read_pac(gss_name_t client, apr_pool_t *pool, wa_account *account)
{
    gss_buffer_desc name = { sizeof(pac_attribute) - 1, pac_attribute };
    gss_buffer_desc value = GSS_C_EMPTY_BUFFER;
    gss_buffer_desc shown = GSS_C_EMPTY_BUFFER;
    int authenticated = 0, complete = 0, more = -1;
    OM_uint32 minor;
    bool good;

    if (GSS_ERROR(gss_get_name_attribute(&minor, client, &name, &authenticated, &complete, &value,
                                         &shown, &more))) {
        return !may_have_pac(client); /* there is none, or gssproxy is in between */
    }
    good = authenticated && take_pac(wa_span_of(value.value, value.length), pool, account);
    gss_release_buffer(&minor, &shown);
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
    return read_pac(client, pool, &identity->account) ? WA_REASON_OK : WA_REASON_BAD_TOKEN;
}
