/* The winbind authority: responses go to winbindd's privileged pipe and from there to a domain
 * controller, which answers with the canonical account, its SIDs and the session key.
 *
 * Source: wbclient.h; NTSTATUS values and their meaning: [MS-ERREF] 2.3.1, [MS-APDS] 3.1.5. */
#include "engine/authority.h"

#include "engine/identity.h"
#include "engine/spares.h"
#include "engine/winbind.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wbclient.h>

enum { RID_GUEST = 501, SE_GROUP_ENABLED = 4 };

/* clang-format off */
/* Statuses that are a judgement.  Everything else means that nobody judged. */
static const struct {
    uint32_t status;
    wa_reason reason;
} judgements[] = {
    { 0xc000006du, WA_REASON_BAD_PASSWORD },            /* LOGON_FAILURE */
    { 0xc000006au, WA_REASON_BAD_PASSWORD },            /* WRONG_PASSWORD */
    { 0xc0000064u, WA_REASON_UNKNOWN_USER },            /* NO_SUCH_USER */
    { 0xc00000dfu, WA_REASON_UNKNOWN_USER },            /* NO_SUCH_DOMAIN */
    { 0xc0000072u, WA_REASON_ACCOUNT_DISABLED },        /* ACCOUNT_DISABLED */
    { 0xc0000234u, WA_REASON_ACCOUNT_LOCKED },          /* ACCOUNT_LOCKED_OUT */
    { 0xc0000193u, WA_REASON_ACCOUNT_EXPIRED },         /* ACCOUNT_EXPIRED */
    { 0xc0000071u, WA_REASON_PASSWORD_EXPIRED },        /* PASSWORD_EXPIRED */
    { 0xc0000224u, WA_REASON_PASSWORD_MUST_CHANGE },    /* PASSWORD_MUST_CHANGE */
    { 0xc000006fu, WA_REASON_LOGON_RESTRICTED },        /* INVALID_LOGON_HOURS */
    { 0xc0000070u, WA_REASON_LOGON_RESTRICTED },        /* INVALID_WORKSTATION */
    { 0xc000006eu, WA_REASON_LOGON_RESTRICTED },        /* ACCOUNT_RESTRICTION */
    { 0xc000015bu, WA_REASON_LOGON_RESTRICTED },        /* LOGON_TYPE_NOT_GRANTED */
    { 0xc0000250u, WA_REASON_LOGON_RESTRICTED },        /* SMARTCARD_LOGON_REQUIRED */
    { 0xc0000413u, WA_REASON_LOGON_RESTRICTED },        /* AUTHENTICATION_FIREWALL_FAILED */
    { 0xc0000418u, WA_REASON_LOGON_RESTRICTED },        /* NTLM_BLOCKED */
    { 0xc0000198u, WA_REASON_MACHINE_ACCOUNT_REFUSED }, /* NOLOGON_INTERDOMAIN_TRUST_ACCOUNT */
    { 0xc0000199u, WA_REASON_MACHINE_ACCOUNT_REFUSED }, /* NOLOGON_WORKSTATION_TRUST_ACCOUNT */
    { 0xc000019au, WA_REASON_MACHINE_ACCOUNT_REFUSED }, /* NOLOGON_SERVER_TRUST_ACCOUNT */
};
/* clang-format on */

static void rule_status(uint32_t status, const char *text, apr_pool_t *pool, wa_ruling *out)
{
    const char *detail = apr_psprintf(pool, "winbindd says %s (0x%08x)",
                                      text != NULL ? text : "nothing", (unsigned)status);
    size_t i;

    for (i = 0; i < sizeof(judgements) / sizeof(judgements[0]); i++) {
        if (judgements[i].status == status) {
            wa_ruling_set(out, WA_VERDICT_FAILED, judgements[i].reason, detail);
            return;
        }
    }
    wa_ruling_set(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_DOWN, detail);
}

static const char *upper(apr_pool_t *pool, const char *s)
{
    char *out = apr_pstrdup(pool, s);
    char *p;

    for (p = out; *p != '\0'; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    return out;
}

/* A name that nobody has is an answer as well: then there is no SID. */
static wbcErr call_lookup(wa_winbind_question *q)
{
    enum wbcSidType type = WBC_SID_NAME_USE_NONE;
    wbcErr rc =
        wbcCtxLookupName(q->ctx, q->params.domain_name, q->params.account_name, &q->sid, &type);

    q->found = rc == WBC_ERR_SUCCESS && type != WBC_SID_NAME_USE_NONE;
    return rc == WBC_ERR_DOMAIN_NOT_FOUND ? WBC_ERR_SUCCESS : rc;
}

static wbcErr call_authenticate(wa_winbind_question *q)
{
    return wbcCtxAuthenticateUserEx(q->ctx, &q->params, &q->info, &q->error);
}

/* The account's names; the realm of one of the server's own domain is that one's DNS name. False:
 * its domain is not what it says, or cannot be told now, and a user must not have one name today
 * and another tomorrow. */
static bool settle_account(wa_winbind *a, const struct wbcAuthUserInfo *info, apr_pool_t *pool,
                           wa_ruling *out)
{
    wa_account *account = &out->account;
    wa_domain domain = { 0 };
    const char *detail = NULL;
    wa_reason reason = wa_winbind_origin(a, info, pool, &domain, &account->home, &detail);

    if (reason != WA_REASON_OK) {
        wa_ruling_set(
            out, reason == WA_REASON_UNKNOWN_USER ? WA_VERDICT_FAILED : WA_VERDICT_UNAVAILABLE,
            reason, detail);
        return false;
    }
    account->domain = apr_pstrdup(pool, domain.name);
    account->self_named = domain.hearsay;
    account->name = apr_pstrdup(pool, info->account_name);
    account->realm = account->home && domain.dns != NULL ? upper(pool, domain.dns) : NULL;
    wa_identity_set_upn(account, info->user_principal, domain.dns, pool);
    return true;
}

/* S-1-5-21-…-501 is Guest, anything shorter a well-known identity such as S-1-5-7 */
static bool is_guest(const struct wbcDomainSid *sid)
{
    return sid->num_auths < 5 || sid->num_auths > WBC_MAXSUBAUTHS
           || sid->sub_auths[sid->num_auths - 1] == RID_GUEST;
}

static bool is_machine(const char *name)
{
    return name[strlen(name) - 1] == '$';
}

/* The user and the primary group, which have no attributes, and the groups that are enabled for
 * access checks: the rule that the PAC is read by, too. */
static void settle_sids(const struct wbcAuthUserInfo *info, apr_pool_t *pool, wa_account *account)
{
    apr_pool_t *scratch;
    char text[WA_SID_TEXT_MAX];
    wa_sid *sids;
    size_t n = 0;
    size_t i;

    apr_pool_create(&scratch, pool);
    sids = apr_palloc(scratch, info->num_sids * sizeof(*sids));
    for (i = 0; i < info->num_sids; i++) {
        wa_winbind_read_sid(&info->sids[i].sid, &sids[n]);
        n += i < 2 || (info->sids[i].attributes & SE_GROUP_ENABLED) != 0;
    }
    wa_sid_format(&sids[0], text);
    account->sid = apr_pstrdup(pool, text);
    wa_identity_set_sids(account, sids, n, pool);
    apr_pool_destroy(scratch);
}

/* The account behind a SID and canonical names, whichever way they came: the one place where an
 * account of the domain becomes a login. */
static void rule_account(wa_winbind *a, const struct wbcAuthUserInfo *info, apr_pool_t *pool,
                         wa_ruling *out)
{
    const struct wbcDomainSid *sid = &info->sids[0].sid;
    const char *domain = info->domain_name;
    const char *name = info->account_name;

    if (name == NULL || domain == NULL || !wa_account_name_ok(domain)
        || !wa_account_name_ok(name)) {
        wa_ruling_set(out, WA_VERDICT_FAILED, WA_REASON_UNKNOWN_USER,
                      "winbindd gave no usable account name");
    }
    else if (is_guest(sid)) {
        wa_ruling_set(out, WA_VERDICT_FAILED, WA_REASON_ANONYMOUS_REFUSED, "guest logon");
    }
    else if (is_machine(name)) {
        wa_ruling_set(out, WA_VERDICT_FAILED, WA_REASON_MACHINE_ACCOUNT_REFUSED, NULL);
    }
    else if (settle_account(a, info, pool, out)) {
        settle_sids(info, pool, &out->account);
        wa_ruling_set(out, WA_VERDICT_DONE, WA_REASON_OK, NULL);
    }
}

static void rule_success(wa_winbind *a, const struct wbcAuthUserInfo *info, apr_pool_t *pool,
                         wa_ruling *out)
{
    if ((info->user_flags & WBC_AUTH_USER_INFO_GUEST) != 0 || info->num_sids == 0) {
        wa_ruling_set(out, WA_VERDICT_FAILED, WA_REASON_ANONYMOUS_REFUSED, "guest logon");
        return;
    }
    rule_account(a, info, pool, out);
    memcpy(out->session_key, info->user_session_key, sizeof(out->session_key));
}

/* Moves bytes into what is left of the question's text. */
static void *own_bytes(wa_winbind_question *q, size_t *used, const void *bytes, size_t n)
{
    void *own = q->text + *used;

    memcpy(own, bytes, n);
    *used += n;
    return own;
}

static const char *own_string(wa_winbind_question *q, size_t *used, const char *s)
{
    return own_bytes(q, used, s, strlen(s) + 1);
}

/* Puts the question to winbindd, and rules by what it says. */
static void submit(wa_winbind *a, wa_winbind_question *q, apr_pool_t *pool, wa_ruling *out)
{
    const char *detail = NULL;
    wa_reason reason = wa_winbind_submit(a, q, pool, &detail, &out->late);

    if (reason != WA_REASON_OK || q == NULL) { /* which is the same */
        wa_ruling_set(out, WA_VERDICT_UNAVAILABLE, reason, detail);
        return;
    }
    if (q->rc == WBC_ERR_SUCCESS) {
        rule_success(a, q->info, pool, out);
    }
    else {
        rule_status(q->error->nt_status, q->error->nt_string, pool, out);
    }
    wa_winbind_end(q);
}

static void judge(wa_authority *authority, const wa_logon *logon, apr_pool_t *pool,
                  wa_ruling *out)
{
    wa_winbind *a = (wa_winbind *)authority;
    wa_span nt = logon->message->nt;
    wa_winbind_question *q = wa_winbind_make(a, call_authenticate,
                                             strlen(logon->user) + strlen(logon->domain)
                                                 + strlen(logon->workstation) + 3 + nt.n);
    size_t used = 0;

    if (q != NULL) {
        q->params.level = WBC_AUTH_USER_LEVEL_RESPONSE;
        q->params.account_name = own_string(q, &used, logon->user);
        q->params.domain_name = own_string(q, &used, logon->domain);
        q->params.workstation_name = own_string(q, &used, logon->workstation);
        q->params.parameter_control = 0; /* machine accounts would need a flag here: refused */
        memcpy(q->params.password.response.challenge, logon->challenge, WA_NTLM_CHALLENGE_LEN);
        q->params.password.response.nt_length = (uint32_t)nt.n;
        q->params.password.response.nt_data = own_bytes(q, &used, nt.p, nt.n);
        /* no LM response: a domain controller that finds the NT response wrong would go on to
         * that one, and the flags in the NT response, the MIC's among them, would then be
         * nobody's word */
    }
    submit(a, q, pool, out);
}

static void judge_password(wa_authority *authority, const char *user, const char *domain,
                           const char *password, apr_pool_t *pool, wa_ruling *out)
{
    wa_winbind *a = (wa_winbind *)authority;
    wa_ntlm_target own = { NULL, NULL, NULL, NULL };
    const char *detail = NULL;
    wa_reason reason = wa_winbind_target(authority, pool, &own, &detail);
    wa_winbind_question *q;
    size_t used = 0;

    if (reason != WA_REASON_OK) {
        wa_ruling_set(out, WA_VERDICT_UNAVAILABLE, reason, detail);
        return;
    }
    if (*domain == '\0' && strchr(user, '@') == NULL) {
        domain = own.netbios_domain;
    }
    q = wa_winbind_make(a, call_authenticate,
                        strlen(user) + strlen(domain) + strlen(password) + 3);
    if (q != NULL) {
        q->params.level = WBC_AUTH_USER_LEVEL_PLAIN;
        q->params.account_name = own_string(q, &used, user);
        q->params.domain_name = own_string(q, &used, domain);
        q->params.password.plaintext = own_string(q, &used, password);
    }
    submit(a, q, pool, out);
}

/* user@realm is one name to winbindd as well, and then there is no other domain. */
static wa_reason whose(wa_authority *authority, const char *user, const char *domain,
                       apr_pool_t *pool, const char **sid, const char **detail)
{
    wa_winbind *a = (wa_winbind *)authority;
    wa_ntlm_target own = { NULL, NULL, NULL, NULL };
    char text[WBC_SID_STRING_BUFLEN];
    wa_reason reason = wa_winbind_target(authority, pool, &own, detail);
    size_t used = 0;
    wa_winbind_question *q;

    if (reason != WA_REASON_OK) {
        return reason;
    }
    if (*domain == '\0' && strchr(user, '@') == NULL) {
        domain = own.netbios_domain;
    }
    q = wa_winbind_make(a, call_lookup, strlen(user) + strlen(domain) + 2);
    if (q != NULL) {
        q->params.account_name = own_string(q, &used, user);
        q->params.domain_name = own_string(q, &used, domain);
    }
    reason = wa_winbind_ask(a, q, pool, detail);
    if (reason == WA_REASON_OK && q != NULL) {
        if (q->found) {
            wbcSidToStringBuf(&q->sid, text, sizeof(text));
            *sid = apr_pstrdup(pool, text);
        }
        wa_winbind_end(q);
    }
    return reason;
}

static apr_status_t destroy_pool(void *pool)
{
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

wa_authority *wa_authority_winbind(void (*as_child)(void), apr_pool_t *pconf,
                                   wa_winbind_state *state, const char **detail)
{
    wa_winbind *a = apr_pcalloc(pconf, sizeof(*a));

    a->base.spec = "winbind";
    a->base.may_hang = true;
    a->base.open = wa_winbind_open;
    a->base.target = wa_winbind_target;
    a->base.judge = judge;
    a->base.password = judge_password;
    a->base.ready = wa_winbind_ready;
    a->base.whose = whose;
    a->base.group = wa_winbind_group;
    a->base.group_names = wa_winbind_group_names;
    a->base.names = wa_names_make(pconf);
    if (a->base.names == NULL
        || apr_thread_mutex_create(&a->mutex, APR_THREAD_MUTEX_DEFAULT, pconf) != APR_SUCCESS) {
        *state = WA_WINBIND_AWAY;
        *detail = "no mutex could be made";
        return NULL;
    }
    apr_pool_create_unmanaged(&a->pool);
    apr_pool_cleanup_register(pconf, a->pool, destroy_pool, apr_pool_cleanup_null);
    *state = wa_winbind_probe(a, as_child, pconf, detail);
    return &a->base;
}
