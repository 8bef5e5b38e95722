#include "httpd/tlscheck.h"

#include <apr_strings.h>
#include <http_core.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static const char *first_arg(const ap_directive_t *d, apr_pool_t *pool)
{
    const char *args = d->args;

    return ap_getword_conf(pool, &args);
}

/* mod_ssl's SSLEngine other than off, or mod_tls' TLSEngine, in this list or below it. */
static bool turns_on_tls(const ap_directive_t *d, apr_pool_t *pool)
{
    for (; d != NULL; d = d->next) {
        if ((strcasecmp(d->directive, "SSLEngine") == 0
             && strcasecmp(first_arg(d, pool), "off") != 0)
            || strcasecmp(d->directive, "TLSEngine") == 0
            || (d->first_child != NULL && turns_on_tls(d->first_child, pool))) {
            return true;
        }
    }
    return false;
}

/* "Listen 443 https" does the same without a directive in the server. */
static bool listens_with_tls(const server_rec *s)
{
    for (; s != NULL; s = s->next) {
        const char *protocol = ap_get_server_protocol((server_rec *)(uintptr_t)s);
        if (protocol != NULL && strcmp(protocol, "https") == 0) {
            return true;
        }
    }
    return false;
}

static bool requires_binding(const ap_directive_t *d, apr_pool_t *pool)
{
    return strcasecmp(d->directive, "WinAuthExtendedProtection") == 0
           && strcasecmp(first_arg(d, pool), "Require") == 0
           && ap_strcasestr(d->args, "Proxy") == NULL; /* no other word has it in it */
}

/* The <VirtualHost> around d, or NULL. */
static const ap_directive_t *host_of(const ap_directive_t *d)
{
    while (d != NULL && strcasecmp(d->directive, "<VirtualHost") != 0) {
        d = d->parent;
    }
    return d;
}

/* A host of its own has TLS by a directive in it, or by one for all; whatever stands outside of
 * hosts may serve any that has it. */
static bool has_tls(const ap_directive_t *d, const ap_directive_t *tree, apr_pool_t *pool)
{
    const ap_directive_t *host = host_of(d);
    const ap_directive_t *top;

    if (host == NULL) {
        return turns_on_tls(tree, pool);
    }
    for (top = tree; top != NULL; top = top->next) {
        if (strcasecmp(top->directive, "SSLEngine") == 0
            && strcasecmp(first_arg(top, pool), "off") != 0) {
            return true;
        }
    }
    return turns_on_tls(host->first_child, pool);
}

static const ap_directive_t *find(const ap_directive_t *list, const ap_directive_t *tree,
                                  apr_pool_t *pool)
{
    const ap_directive_t *d;

    for (d = list; d != NULL; d = d->next) {
        const ap_directive_t *inner = find(d->first_child, tree, pool);
        if (inner != NULL) {
            return inner;
        }
        if (requires_binding(d, pool) && !has_tls(d, tree, pool)) {
            return d;
        }
    }
    return NULL;
}

const char *wa_tlscheck_find(server_rec *main_server, apr_pool_t *pool)
{
    const ap_directive_t *found =
        listens_with_tls(main_server) ? NULL : find(ap_conftree, ap_conftree, pool);

    return found != NULL ? apr_psprintf(pool, "%s line %d", found->filename, found->line_num)
                         : NULL;
}
