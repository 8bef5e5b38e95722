#include "httpd/audit.h"

#include "engine/keytab.h"
#include "httpd/channel.h"
#include "httpd/publish.h"

#include <apr_strings.h>
#include <arpa/inet.h>
#include <http_log.h>
#include <httpd.h>
#include <string.h>
#include <strings.h>

APLOG_USE_MODULE(winauth);

enum { AGENT_MAX = 200 }; /* bytes of the client's word for itself that are worth a line */

static const char service[] = "HTTP";
static const char variable[] = "WINAUTH_NTLM_WHY";

/* As an address cannot be the name of a service, no client gets a ticket for it. */
static bool is_address(const char *host)
{
    unsigned char buf[sizeof(struct in6_addr)];

    return *host == '[' || inet_pton(AF_INET, host, buf) == 1
           || inet_pton(AF_INET6, host, buf) == 1;
}

static bool lists_negotiate(const wa_providers *providers)
{
    int i;

    for (i = 0; i < providers->count; i++) {
        if (providers->offer[i] == WA_SCHEME_NEGOTIATE) {
            return true;
        }
    }
    return false;
}

/* The host of the service that the client wanted: in its own words if it said so, which not all
 * do, else what it put into the Host header; NULL: it said nothing. */
static const char *wanted_host(const request_rec *r, const wa_identity *identity)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const char *spn = identity->evidence.spn;
    const char *host = spn != NULL ? strchr(spn, '/') : NULL;
    size_t n = host != NULL ? strcspn(++host, ":/@") : 0;

    if (n > 0 && strspn(host, letters) >= n) {
        return apr_pstrndup(r->pool, host, n);
    }
    return r->hostname != NULL && *r->hostname != '\0' ? r->hostname : NULL;
}

typedef struct findings {
    apr_pool_t *pool;
    const char *words;    /* comma between them */
    const char *sentence; /* for the log */
} findings;

static void add(findings *f, const char *word, const char *meaning)
{
    const bool first = *f->words == '\0';

    f->words = apr_pstrcat(f->pool, f->words, first ? "" : ",", word, NULL);
    f->sentence = apr_pstrcat(f->pool, f->sentence, first ? "" : "; ", word, ": ", meaning, NULL);
}

static void look_for_key(const wa_trust *trust, const char *host, findings *out)
{
    if (!trust->krb5_possible) {
        add(out, "no-key", "there is no Kerberos key here at all");
    }
    else if (host != NULL && wa_keytab_find(trust, service, host) == WA_KEY_ABSENT) {
        add(out, "no-key",
            apr_pstrcat(out->pool, "the keytab has no key of HTTP/", host,
                        "; the domain may not know that name either", NULL));
    }
}

/* What kept Kerberos away on our side: then it is no wonder what the client did. */
static void look_here(const request_rec *r, const wa_facts *f, const wa_identity *identity,
                      findings *out)
{
    const char *host = wanted_host(r, identity);

    if (!lists_negotiate(&f->providers)) {
        add(out, "negotiate-not-listed", "WinAuthProviders does not list Negotiate here");
    }
    if (host != NULL && is_address(host)) {
        add(out, "ip-address",
            apr_pstrcat(out->pool, "there are no tickets for the address ", host, NULL));
        host = NULL;
    }
    look_for_key(f->trust, host, out);
}

static void look_at_client(const wa_facts *f, const wa_identity *identity, findings *out)
{
    if (identity->in_spnego) {
        if (identity->krb5_proposed && !f->trust->krb5_possible) {
            return; /* no-key is all there is to say, whatever came first */
        }
        if (identity->krb5_proposed) {
            add(out, "ntlm-first", "the client proposed Kerberos, too, but NTLM before it");
        }
        else {
            add(out, "only-ntlm", "the client proposed no Kerberos: it had no ticket");
        }
    }
    else if (identity->scheme == WA_SCHEME_NEGOTIATE) {
        add(out, "only-ntlm", "the client answered Negotiate with bare NTLM: it had no ticket");
    }
    else if (lists_negotiate(&f->providers)) {
        add(out, "scheme-ntlm",
            "the client chose the scheme NTLM although Negotiate was offered");
    }
}

static const char *wrapping(const wa_identity *identity)
{
    if (identity->in_spnego) {
        return "NTLM inside SPNEGO";
    }
    return identity->scheme == WA_SCHEME_NEGOTIATE ? "NTLM under Negotiate" : "scheme NTLM";
}

/* What the client calls itself, so that it cannot look like the rest of the line: httpd escapes
 * what is not printable, but no quotation marks. */
static const char *agent(const request_rec *r)
{
    const char *given = apr_table_get(r->headers_in, "User-Agent");
    char *text = apr_pstrndup(r->pool, given != NULL ? given : "-", AGENT_MAX);
    char *p;

    for (p = text; *p != '\0'; p++) {
        if (*p == '"') {
            *p = '\'';
        }
    }
    return text;
}

static void write_line(request_rec *r, const findings *found, const wa_identity *identity)
{
    ap_log_rerror(APLOG_MARK, APLOG_NOTICE, 0, r,
                  "WA0153: NTLM login of %s from %s to %s%s, %s, client \"%s\": %s", r->user,
                  r->useragent_ip, r->hostname != NULL ? r->hostname : "-",
                  ap_escape_uri(r->pool, r->uri), wrapping(identity), agent(r), found->sentence);
}

void wa_audit_ntlm(request_rec *r, wa_facts *f, const wa_identity *identity)
{
    request_rec *top = wa_channel_top(r);
    findings found = { r->pool, "", "" };

    if (!wa_dir_ntlm_audit(f->section) || identity->package != WA_PACKAGE_NTLM
        || identity->scheme == WA_SCHEME_BASIC) {
        return;
    }
    if (f->slot->ntlm_why == NULL) {
        look_here(r, f, identity, &found);
        look_at_client(f, identity, &found);
        write_line(r, &found, identity);
        f->slot->ntlm_why = apr_pstrdup(f->slot->pool, found.words);
    }
    wa_publish_variable(r, variable, apr_pstrdup(r->pool, f->slot->ntlm_why));
    if (top != r) { /* mod_dir's look for an index */
        wa_publish_variable(top, variable, apr_pstrdup(top->pool, f->slot->ntlm_why));
    }
}

int wa_audit_log(request_rec *r)
{
    const char *why = apr_table_get(r->notes, variable);
    request_rec *last = r;

    while (last->next != NULL) {
        last = last->next;
    }
    if (why != NULL && last != r) {
        wa_publish_variable(last, variable, why);
    }
    return DECLINED;
}
