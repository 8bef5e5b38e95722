/* The winbind authority: responses go to winbindd's privileged pipe and from there to a domain
 * controller, which answers with the canonical account, its SIDs and the session key.
 *
 * A libwbclient context is one socket and serves one thread at a time; idle ones are kept.
 * Source: wbclient.h; NTSTATUS values and their meaning: [MS-ERREF] 2.3.1, [MS-APDS] 3.1.5. */
#include "engine/authority.h"

#include "engine/spares.h"

#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <apr_time.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wbclient.h>

enum {
    IDLE_CONTEXTS = 16,
    NAMES_LIFETIME = 60, /* seconds until winbindd is asked for its names again */
    RID_GUEST = 501
};

typedef struct winbind_authority {
    wa_authority base;
    wa_spares *contexts;
    apr_thread_mutex_t *mutex; /* guards names, fetched and pool */
    wa_ntlm_target names;      /* of the machine account; in pool */
    apr_time_t fetched;        /* 0: never */
    apr_pool_t *pool;          /* of names; cleared with them */
} winbind_authority;

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

static void release_context(void *handle)
{
    wbcCtxFree(handle);
}

static struct wbcContext *take(winbind_authority *a)
{
    struct wbcContext *ctx = a->contexts != NULL ? wa_spares_take(a->contexts) : NULL;

    return ctx != NULL ? ctx : wbcCtxCreate();
}

/* A context that failed in any way is not used again: its socket may be out of step. */
static void give_back(winbind_authority *a, struct wbcContext *ctx, bool good)
{
    if (good && a->contexts != NULL) {
        wa_spares_put(a->contexts, ctx);
    }
    else {
        wbcCtxFree(ctx);
    }
}

static const char *explain(wbcErr rc, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        "%s: is winbindd running, and may httpd's user enter its "
                        "winbindd_privileged directory?",
                        wbcErrorString(rc));
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

static const char *lower_fqdn(apr_pool_t *pool, const char *host, const char *domain)
{
    char *out = apr_pstrcat(pool, host, ".", domain, NULL);
    char *p;

    for (p = out; *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    return out;
}

static void copy_target(const wa_ntlm_target *from, apr_pool_t *pool, wa_ntlm_target *to)
{
    to->netbios_domain = apr_pstrdup(pool, from->netbios_domain);
    to->netbios_computer = apr_pstrdup(pool, from->netbios_computer);
    to->dns_domain = apr_pstrdup(pool, from->dns_domain);
    to->dns_computer = apr_pstrdup(pool, from->dns_computer);
}

/* Asks winbindd who it is. */
static struct wbcInterfaceDetails *ask_names(winbind_authority *a, apr_pool_t *pool,
                                             const char **detail)
{
    struct wbcInterfaceDetails *d = NULL;
    struct wbcContext *ctx;
    wbcErr rc;

    if (!wa_gate_enter(&a->base.gate)) {
        *detail = "too many threads wait for winbindd";
        return NULL;
    }
    ctx = take(a);
    rc = ctx != NULL ? wbcCtxInterfaceDetails(ctx, &d) : WBC_ERR_NO_MEMORY;
    wa_gate_leave(&a->base.gate);
    if (ctx != NULL) {
        give_back(a, ctx, rc == WBC_ERR_SUCCESS);
    }
    if (rc != WBC_ERR_SUCCESS) {
        *detail = explain(rc, pool);
    }
    return d;
}

/* Under the mutex. */
static void store_names(winbind_authority *a, const struct wbcInterfaceDetails *d)
{
    apr_pool_clear(a->pool);
    memset(&a->names, 0, sizeof(a->names));
    a->names.netbios_domain = apr_pstrdup(a->pool, d->netbios_domain);
    a->names.netbios_computer = apr_pstrdup(a->pool, d->netbios_name);
    if (d->dns_domain != NULL && d->dns_domain[0] != '\0') {
        a->names.dns_domain = apr_pstrdup(a->pool, d->dns_domain);
        a->names.dns_computer = lower_fqdn(a->pool, d->netbios_name, d->dns_domain);
    }
    a->fetched = apr_time_now();
}

/* Under the mutex.  False: the caller has taken it on to ask for new names; meanwhile the others
 * go on with the old ones, where there are any. */
static bool names_fresh(winbind_authority *a)
{
    apr_time_t now = apr_time_now();
    bool fresh = a->fetched != 0 && now - a->fetched <= apr_time_from_sec(NAMES_LIFETIME);

    if (!fresh && a->fetched != 0) {
        a->fetched = now;
    }
    return fresh;
}

static bool target(wa_authority *authority, apr_pool_t *pool, wa_ntlm_target *out,
                   const char **detail)
{
    winbind_authority *a = (winbind_authority *)authority;
    struct wbcInterfaceDetails *d;
    bool known;

    apr_thread_mutex_lock(a->mutex);
    known = names_fresh(a);
    if (known) {
        copy_target(&a->names, pool, out);
    }
    apr_thread_mutex_unlock(a->mutex);
    if (known) {
        return true;
    }
    d = ask_names(a, pool, detail); /* outside the mutex: it may hang */
    apr_thread_mutex_lock(a->mutex);
    if (d != NULL) {
        store_names(a, d);
        copy_target(&a->names, pool, out);
    }
    else {
        a->fetched =
            0; /* who asks next asks winbindd: it says whether NTLM can be judged at all */
    }
    apr_thread_mutex_unlock(a->mutex);
    known = d != NULL;
    wbcFreeMemory(d);
    return known;
}

static bool ready(wa_authority *authority, apr_pool_t *pool, const char **detail)
{
    winbind_authority *a = (winbind_authority *)authority;
    struct wbcContext *ctx = take(a);
    wbcErr rc = ctx != NULL ? wbcCtxPingDc(ctx, NULL, NULL) : WBC_ERR_NO_MEMORY;

    if (ctx != NULL) {
        give_back(a, ctx, rc == WBC_ERR_SUCCESS);
    }
    if (rc != WBC_ERR_SUCCESS) {
        *detail = explain(rc, pool);
    }
    return rc == WBC_ERR_SUCCESS;
}

/* True iff account is the server's own domain's; then its realm is the domain's DNS name. */
static void settle_account(winbind_authority *a, const char *domain, const char *name,
                           apr_pool_t *pool, wa_ruling *out)
{
    wa_ntlm_target own = { NULL, NULL, NULL, NULL };
    const char *detail = NULL;

    out->account.domain = apr_pstrdup(pool, domain);
    out->account.name = apr_pstrdup(pool, name);
    if (target(&a->base, pool, &own, &detail)
        && wa_account_same_domain(domain, own.netbios_domain)) {
        out->account.home = true;
        out->account.realm = own.dns_domain != NULL ? upper(pool, own.dns_domain) : NULL;
    }
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

/* The account behind a SID and canonical names, whichever way they came: the one place where an
 * account of the domain becomes a login. */
static void rule_account(winbind_authority *a, const struct wbcDomainSid *sid, const char *domain,
                         const char *name, apr_pool_t *pool, wa_ruling *out)
{
    char text[WBC_SID_STRING_BUFLEN];

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
    else {
        wbcSidToStringBuf(sid, text, sizeof(text));
        out->sid = apr_pstrdup(pool, text);
        settle_account(a, domain, name, pool, out);
        wa_ruling_set(out, WA_VERDICT_DONE, WA_REASON_OK, NULL);
    }
}

static void rule_success(winbind_authority *a, const struct wbcAuthUserInfo *info,
                         apr_pool_t *pool, wa_ruling *out)
{
    if ((info->user_flags & WBC_AUTH_USER_INFO_GUEST) != 0 || info->num_sids == 0) {
        wa_ruling_set(out, WA_VERDICT_FAILED, WA_REASON_ANONYMOUS_REFUSED, "guest logon");
        return;
    }
    rule_account(a, &info->sids[0].sid, info->domain_name, info->account_name, pool, out);
    memcpy(out->session_key, info->user_session_key, sizeof(out->session_key));
}

static void fill_params(const wa_logon *logon, struct wbcAuthUserParams *params)
{
    const wa_ntlm_authenticate *m = logon->message;

    memset(params, 0, sizeof(*params));
    params->level = WBC_AUTH_USER_LEVEL_RESPONSE;
    params->account_name = logon->user;
    params->domain_name = logon->domain;
    params->workstation_name = logon->workstation;
    params->parameter_control = 0; /* machine accounts would need a flag here: refused */
    memcpy(params->password.response.challenge, logon->challenge, WA_NTLM_CHALLENGE_LEN);
    params->password.response.nt_length = (uint32_t)m->nt.n;
    params->password.response.nt_data = (uint8_t *)(uintptr_t)m->nt.p; /* not written to */
    /* no LM response: a domain controller that finds the NT response wrong would go on to that
     * one, and the flags in the NT response, the MIC's among them, would then be nobody's word */
}

/* One submission to winbindd, and what it says. */
static void submit(winbind_authority *a, const struct wbcAuthUserParams *params, apr_pool_t *pool,
                   wa_ruling *out)
{
    struct wbcAuthErrorInfo *error = NULL;
    struct wbcAuthUserInfo *info = NULL;
    struct wbcContext *ctx;
    wbcErr rc;

    if (!wa_gate_enter(&a->base.gate)) {
        wa_ruling_set(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_BUSY, NULL);
        return;
    }
    ctx = take(a);
    rc = ctx != NULL ? wbcCtxAuthenticateUserEx(ctx, params, &info, &error) : WBC_ERR_NO_MEMORY;
    wa_gate_leave(&a->base.gate);
    if (ctx != NULL) {
        give_back(a, ctx, rc == WBC_ERR_SUCCESS || rc == WBC_ERR_AUTH_ERROR);
    }
    if (rc == WBC_ERR_SUCCESS) {
        rule_success(a, info, pool, out);
        wa_secret_wipe(info->user_session_key, sizeof(info->user_session_key));
    }
    else if (error != NULL) {
        rule_status(error->nt_status, error->nt_string, pool, out);
    }
    else {
        wa_ruling_set(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_DOWN, explain(rc, pool));
    }
    wbcFreeMemory(info);
    wbcFreeMemory(error);
}

static void judge(wa_authority *authority, const wa_logon *logon, apr_pool_t *pool,
                  wa_ruling *out)
{
    struct wbcAuthUserParams params;

    fill_params(logon, &params);
    submit((winbind_authority *)authority, &params, pool, out);
}

static void judge_password(wa_authority *authority, const char *user, const char *domain,
                           const char *password, apr_pool_t *pool, wa_ruling *out)
{
    struct wbcAuthUserParams params;
    wa_ntlm_target own = { NULL, NULL, NULL, NULL };
    const char *detail = NULL;

    if (!target(authority, pool, &own, &detail)) {
        wa_ruling_set(out, WA_VERDICT_UNAVAILABLE, WA_REASON_AUTHORITY_DOWN, detail);
        return;
    }
    memset(&params, 0, sizeof(params));
    params.level = WBC_AUTH_USER_LEVEL_PLAIN;
    params.account_name = user;
    params.domain_name =
        *domain != '\0' || strchr(user, '@') != NULL ? domain : own.netbios_domain;
    params.password.plaintext = password;
    submit((winbind_authority *)authority, &params, pool, out);
}

static void open_child(wa_authority *authority, apr_pool_t *pchild)
{
    winbind_authority *a = (winbind_authority *)authority;

    a->contexts = wa_spares_create(pchild, IDLE_CONTEXTS, release_context);
}

static apr_status_t destroy_pool(void *pool)
{
    apr_pool_destroy(pool);
    return APR_SUCCESS;
}

wa_authority *wa_authority_winbind(bool must, apr_pool_t *pconf, const char **error)
{
    winbind_authority *a = apr_pcalloc(pconf, sizeof(*a));
    wa_ntlm_target own;

    a->base.spec = "winbind";
    a->base.open = open_child;
    a->base.target = target;
    a->base.judge = judge;
    a->base.password = judge_password;
    a->base.ready = ready;
    if (apr_thread_mutex_create(&a->mutex, APR_THREAD_MUTEX_DEFAULT, pconf) != APR_SUCCESS) {
        *error = "no mutex could be made";
        return NULL;
    }
    apr_pool_create_unmanaged(&a->pool);
    apr_pool_cleanup_register(pconf, a->pool, destroy_pool, apr_pool_cleanup_null);
    if (!target(&a->base, pconf, &own, error) && must) {
        return NULL;
    }
    return &a->base;
}
