#include "httpd/startup.h"

#include "core/utf.h"
#include "engine/gsscred.h"
#include "httpd/commons.h"
#include "httpd/config.h"
#include "httpd/tlscheck.h"
#include "httpd/delegation.h"

#include <ap_mpm.h>
#include <apr_env.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <mpm_common.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

APLOG_USE_MODULE(winauth);

static const char user_file_variable[] = "NTLM_USER_FILE"; /* where gss-ntlmssp finds its users */

/* winbindd, asked once: a server with a hundred names must not wait for it a hundred times. */
typedef struct winbind_found {
    bool asked;
    wa_authority *authority;
    wa_winbind_state state;
    const char *detail;
} winbind_found;

/* Trusts and authorities of this configuration; servers with equal settings share them. */
typedef struct workshop {
    apr_pool_t *pconf;
    server_rec *server;
    apr_hash_t *trusts;      /* settings as text -> wa_trust */
    apr_hash_t *authorities; /* spec, and for a file realms, as text -> wa_authority */
    winbind_found winbind;
    bool refused; /* something is wrong that must stop start-up */
} workshop;

/* Written while the configuration is read, by one thread; read-only afterwards. */
static workshop *current;

/* httpd reads its configuration twice at start-up: the first time only to see that it can. */
static bool is_real_start(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG;
}

static const char *acceptor_name(const server_rec *s, const wa_server_config *c, apr_pool_t *pool)
{
    const char *name = wa_server_acceptor(c);

    if (strcmp(name, "any") == 0) {
        return NULL;
    }
    return strcmp(name, "host") == 0 ? apr_pstrcat(pool, "HTTP@", s->server_hostname, NULL)
                                     : name;
}

static void refuse(workshop *w, const char *directive, const char *why)
{
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_DUMP) {
        return; /* a dump shows what is configured, also on a machine without the files */
    }
    ap_log_error(APLOG_MARK, APLOG_EMERG, 0, w->server, "WA0001: %s: %s", directive, why);
    w->refused = true;
}

/* For a process that finds out what the children can do. */
static void become_child(void)
{
    (void)ap_run_drop_privileges(current->pconf, current->server);
}

static const winbind_found *find_winbind(workshop *w)
{
    winbind_found *found = &w->winbind;

    if (!found->asked) {
        found->asked = true;
        found->detail = "";
        found->authority =
            wa_authority_winbind(become_child, w->pconf, &found->state, &found->detail);
    }
    return found;
}

/* NTLM is offered unless it is configured only when it can be judged; who has configured it may
 * start winbindd later, and until then it is 503. */
static wa_authority *winbind_authority(workshop *w, bool configured)
{
    const winbind_found *found = find_winbind(w);

    if (found->state == WA_WINBIND_READY) {
        return found->authority;
    }
    if (is_real_start() && configured) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, w->server,
                     "WA0002: WinAuthNTLMAuthority winbind: %s", found->detail);
    }
    else if (is_real_start()) { /* where there is no winbindd, none may be wanted */
        ap_log_error(APLOG_MARK, found->state == WA_WINBIND_CLOSED ? APLOG_WARNING : APLOG_INFO,
                     0, w->server, "WA0010: NTLM is not offered: %s", found->detail);
    }
    return configured ? found->authority : NULL;
}

/* The authority a spec names; NULL for none, and when it is not there. */
static wa_authority *make_authority(workshop *w, const char *spec, const apr_table_t *realms)
{
    wa_authority *authority = NULL;
    const char *error = NULL;

    if (spec == NULL || strcmp(spec, "winbind") == 0) {
        return winbind_authority(w, spec != NULL);
    }
    if (strncmp(spec, "file:", 5) == 0) {
        authority = wa_authority_file(spec + 5, realms, w->pconf, &error);
        if (authority == NULL) {
            refuse(w, "WinAuthNTLMAuthority", error);
        }
    }
    return authority;
}

static wa_authority *authority_for(workshop *w, const wa_server_config *c, const char *realms)
{
    const char *spec = wa_server_ntlm_authority(c);
    bool is_file = spec != NULL && strncmp(spec, "file:", 5) == 0;
    const char *key =
        apr_pstrcat(w->pconf, spec != NULL ? spec : "", "|", is_file ? realms : "", NULL);
    wa_authority **made = apr_hash_get(w->authorities, key, APR_HASH_KEY_STRING);

    if (made == NULL) { /* asked once, also where it turns out that there is none */
        made = apr_palloc(w->pconf, sizeof(*made));
        *made = make_authority(w, spec, wa_server_realms(c));
        apr_hash_set(w->authorities, key, APR_HASH_KEY_STRING, made);
    }
    return *made;
}

static wa_trust *trust_for(workshop *w, server_rec *s, const wa_server_config *c)
{
    wa_kind_realms table = wa_server_realms(c);
    const char *realms = wa_print_realms(&table, w->pconf);
    const char *keytab = wa_server_keytab(c);
    const char *acceptor = acceptor_name(s, c, w->pconf);
    const char *spec = wa_server_ntlm_authority(c);
    const char *key =
        apr_pstrcat(w->pconf, keytab != NULL ? keytab : "", "|", acceptor != NULL ? acceptor : "",
                    "|", spec != NULL ? spec : "", "|", realms, NULL);
    wa_trust *trust = apr_hash_get(w->trusts, key, APR_HASH_KEY_STRING);

    if (trust == NULL) {
        trust = apr_pcalloc(w->pconf, sizeof(*trust));
        trust->keytab = keytab;
        trust->acceptor = acceptor;
        trust->realms = table != NULL ? table : apr_table_make(w->pconf, 1);
        trust->authority = authority_for(w, c, realms);
        trust->authority_given = spec != NULL;
        apr_hash_set(w->trusts, key, APR_HASH_KEY_STRING, trust);
    }
    return trust;
}

static void check_keytab(workshop *w, const wa_server_config *c)
{
    const char *keytab = wa_server_keytab(c);

    /* by the path that was configured; whether the children may read it shows in child_init */
    if (keytab != NULL && access(keytab, F_OK) != 0) {
        refuse(w, "WinAuthKeytab", apr_pstrcat(w->pconf, keytab, " does not exist", NULL));
    }
}

/* gss-ntlmssp knows one user file for the whole process, and winbind behind it.  So NTLM inside
 * SPNEGO is negotiable only where that is what the server's own authority says: all servers that
 * name one name the same, and those that name none follow their default only if nobody does. */
static const char *common_authority(workshop *w)
{
    const char *spec = NULL;
    bool given = false;
    apr_hash_index_t *i;

    for (i = apr_hash_first(w->pconf, w->trusts); i != NULL; i = apr_hash_next(i)) {
        const wa_trust *trust = apr_hash_this_val(i);
        if (trust->authority == NULL || (given && !trust->authority_given)) {
            continue;
        }
        if (given && strcmp(spec, trust->authority->spec) != 0) {
            ap_log_error(
                APLOG_MARK, APLOG_NOTICE, 0, w->server,
                "WA0003: NTLM inside SPNEGO is off: servers with different "
                "WinAuthNTLMAuthority share this process, and gss-ntlmssp knows only one");
            return NULL;
        }
        spec = trust->authority->spec;
        given = trust->authority_given;
    }
    return spec;
}

static bool point_gss_ntlmssp_at(workshop *w, const char *spec)
{
    const char *wanted = strncmp(spec, "file:", 5) == 0 ? spec + 5 : NULL;
    char *present = NULL;

    apr_env_get(&present, user_file_variable, w->pconf);
    if (wanted == NULL && present == NULL) {
        return true;
    }
    if (wanted != NULL) { /* read by gss-ntlmssp in each child, set once before there are any */
        return apr_env_set(user_file_variable, wanted, w->pconf) == APR_SUCCESS;
    }
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, w->server,
                 "WA0004: NTLM inside SPNEGO is off: the environment sets %s, which is not what "
                 "WinAuthNTLMAuthority says",
                 user_file_variable);
    return false;
}

/* The environment outlives a restart: what an earlier configuration set is taken back first. */
static apr_status_t forget_user_file(void *data)
{
    apr_pool_t *pool = data;

    apr_env_delete(user_file_variable, pool);
    return APR_SUCCESS;
}

static void settle_spnego(workshop *w)
{
    const char *spec = common_authority(w);
    apr_hash_index_t *i;

    if (spec == NULL) {
        return;
    }
    if (!wa_gss_has_mech(&wa_gss_mech_ntlm)) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, w->server,
                     "WA0005: NTLM inside SPNEGO is off: GSSAPI has no NTLM mechanism; install "
                     "gss-ntlmssp (raw NTLM works without it)");
        return;
    }
    if (!point_gss_ntlmssp_at(w, spec)) {
        return;
    }
    if (strncmp(spec, "file:", 5) == 0) {
        apr_pool_cleanup_register(w->pconf, w->pconf, forget_user_file, apr_pool_cleanup_null);
    }
    for (i = apr_hash_first(w->pconf, w->trusts); i != NULL; i = apr_hash_next(i)) {
        wa_trust *trust = apr_hash_this_val(i);
        trust->spnego_ntlm =
            trust->authority != NULL && strcmp(trust->authority->spec, spec) == 0;
    }
}

static apr_status_t forget_letters(void *unused)
{
    (void)unused;
    wa_utf_done();
    return APR_SUCCESS;
}

static void check_channels(workshop *w, apr_pool_t *ptemp)
{
    const char *where = wa_tlscheck_find(w->server, ptemp);

    if (where != NULL) {
        refuse(w, "WinAuthExtendedProtection",
               apr_pstrcat(ptemp, where,
                           ": Require needs TLS, and none is configured there; where a proxy in "
                           "front ends TLS, add Proxy",
                           NULL));
    }
}

/* Also run by "httpd -t": everything that can be found wrong without serving is found here. */
int wa_startup_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    const char *error;

    (void)plog;
    wa_utf_init();
    apr_pool_cleanup_register(pconf, NULL, forget_letters, apr_pool_cleanup_null);
    current = apr_pcalloc(pconf, sizeof(*current));
    current->pconf = pconf;
    current->server = s;
    current->trusts = apr_hash_make(pconf);
    current->authorities = apr_hash_make(pconf);
    check_channels(current, ptemp);
    for (; s != NULL; s = s->next) {
        wa_server_config *c = wa_config_of_server(s);
        check_keytab(current, c);
        error = wa_delegation_check(pconf, s);
        if (error != NULL) {
            refuse(current, "WinAuthDelegationDir", error);
        }
        c->trust = trust_for(current, s, c);
    }
    return current->refused ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

int wa_startup_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_hash_index_t *i;
    const char *error;

    (void)plog;
    (void)ptemp;
    if (!is_real_start()) {
        return OK;
    }
    error = wa_delegation_start(pconf, s);
    if (error != NULL) {
        refuse(current, "WinAuthDelegationDir", error);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!wa_commons_make(pconf, s)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    settle_spnego(current);
    for (i = apr_hash_first(pconf, current->trusts); i != NULL; i = apr_hash_next(i)) {
        const wa_trust *trust = apr_hash_this_val(i);
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                     "WA0006: keytab %s, acceptor %s, NTLM authority %s, NTLM inside SPNEGO %s",
                     trust->keytab != NULL ? trust->keytab : "(default)",
                     trust->acceptor != NULL ? trust->acceptor : "any",
                     trust->authority != NULL ? trust->authority->spec : "none",
                     trust->spnego_ntlm ? "on" : "off");
    }
    return OK;
}

/* The parent may read what its children may not: said once per child, before a user finds out. */
static void check_readable(const wa_trust *trust, server_rec *s)
{
    if (trust->keytab != NULL && access(trust->keytab, R_OK) != 0) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, errno, s,
            "WA0007: uid %ld cannot read WinAuthKeytab %s: Kerberos logins get 503 until it "
            "can (chgrp it to httpd's group, mode 0640)",
            (long)getuid(), trust->keytab);
    }
    if (trust->authority != NULL && strncmp(trust->authority->spec, "file:", 5) == 0
        && access(trust->authority->spec + 5, R_OK) != 0) {
        ap_log_error(
            APLOG_MARK, APLOG_ERR, errno, s,
            "WA0008: uid %ld cannot read %s: NTLM inside SPNEGO is refused, and all NTLM "
            "once the file changes, until it can (chgrp it to httpd's group, mode 0640)",
            (long)getuid(), trust->authority->spec);
    }
}

/* Servers without WinAuthKeytab have one default: one line for all of them. */
static void say_no_keys(const wa_trust *trust, server_rec *s)
{
    ap_log_error(
        APLOG_MARK, APLOG_INFO, 0, s,
        "WA0011: there are no Kerberos keys: no WinAuthKeytab, and %s is missing, empty, "
        "or not for uid %ld to read. NTLM goes before Kerberos inside SPNEGO, and "
        "Kerberos logins get 503; once there are keys, set WinAuthKeytab, or restart httpd",
        trust->keytab_name, (long)getuid());
}

void wa_startup_child_init(apr_pool_t *pchild, server_rec *s)
{
    apr_hash_index_t *i;
    const wa_trust *keyless = NULL;
    int threads = 1;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);

    wa_commons_open(pchild, threads);
    for (i = apr_hash_first(pchild, current->trusts); i != NULL; i = apr_hash_next(i)) {
        wa_trust *trust = apr_hash_this_val(i);
        trust->lockout = wa_commons_lockout();
        if (trust->authority != NULL && trust->authority->may_hang) {
            trust->authority->offload = wa_commons_offload();
        }
        wa_trust_open(trust, threads, pchild);
        check_readable(trust, s);
        keyless = trust->krb5_possible ? keyless : trust;
    }
    if (keyless != NULL) {
        say_no_keys(keyless, s);
    }
    wa_delegation_open(pchild, s);
}

static void print_line(void *baton, const char *name, const char *value)
{
    (void)fprintf(baton, "  %-22s %s\n", name, value);
}

void wa_startup_dump(apr_pool_t *pconf, server_rec *s)
{
    if (!ap_exists_config_define("DUMP_WINAUTH")) {
        return;
    }
    for (; s != NULL; s = s->next) {
        const wa_server_config *c = wa_config_of_server(s);
        printf("mod_winauth, server %s:%u\n", s->server_hostname, (unsigned)s->port);
        wa_config_each(c, pconf, stdout, print_line);
        printf("  %-22s %s\n", "NTLM authority in use",
               c->trust->authority != NULL ? c->trust->authority->spec : "none");
    }
}
