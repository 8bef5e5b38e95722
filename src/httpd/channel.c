#include "httpd/channel.h"

#include "httpd/config.h"

#include <ap_mpm.h>
#include <apr_optional.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_protocol.h>
#include <mod_ssl.h>
#include <stdint.h>
#include <string.h>

static const wa_role origin = { 0, HTTP_UNAUTHORIZED, "Authorization", "WWW-Authenticate" };
static const wa_role proxy = { 1, HTTP_PROXY_AUTHENTICATION_REQUIRED, "Proxy-Authorization",
                               "Proxy-Authenticate" };

/* mod_ssl's, or NULL without.  Written once, before there are threads. */
static APR_OPTIONAL_FN_TYPE(ssl_is_https) * is_https;
static APR_OPTIONAL_FN_TYPE(ssl_var_lookup) * ssl_variable;

const wa_role *wa_channel_role(const request_rec *r)
{
    return r->proxyreq == PROXYREQ_PROXY ? &proxy : &origin;
}

request_rec *wa_channel_top(const request_rec *r)
{
    while (r->main != NULL) {
        r = r->main;
    }
    return (request_rec *)(uintptr_t)r;
}

bool wa_channel_is_stream(const request_rec *r)
{
    return r->connection->master != NULL;
}

static bool is_trusted_proxy(const request_rec *r)
{
    wa_kind_networks trusted = wa_server_trusted_proxies(wa_config_of_server(r->server));
    int i;

    for (i = 0; trusted != NULL && i < trusted->nelts; i++) {
        if (apr_ipsubnet_test(APR_ARRAY_IDX(trusted, i, wa_network).subnet,
                              r->connection->client_addr)) {
            return true;
        }
    }
    return false;
}

bool wa_channel_is_proxied(const request_rec *r)
{
    /* mod_remoteip takes the header away once it has read it, but leaves two addresses behind */
    if (r->useragent_addr == r->connection->client_addr
        && apr_table_get(r->headers_in, "Via") == NULL
        && apr_table_get(r->headers_in, "Forwarded") == NULL
        && apr_table_get(r->headers_in, "X-Forwarded-For") == NULL) {
        return false;
    }
    return !is_trusted_proxy(r);
}

const char *wa_channel_address(const request_rec *r, apr_pool_t *pool)
{
    const apr_sockaddr_t *address = r->useragent_addr;
    const unsigned char *p = address->ipaddr_ptr;

    if (address == r->connection->client_addr && is_trusted_proxy(r)) {
        return NULL;
    }
#if APR_HAVE_IPV6
    if (address->family == APR_INET6
        && !IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address->ipaddr_ptr)) {
        return apr_psprintf(pool, "%02x%02x:%02x%02x:%02x%02x:%02x%02x", p[0], p[1], p[2], p[3],
                            p[4], p[5], p[6], p[7]);
    }
#endif
    return apr_pstrdup(pool, r->useragent_ip);
}

bool wa_channel_is_tls(const request_rec *r)
{
    return is_https != NULL && is_https(r->connection) != 0;
}

/* OpenSSL's word about this very connection: SNI and the choice between RSA and ECDSA have been
 * made. */
const char *wa_channel_certificate(const request_rec *r, apr_pool_t *pool)
{
    static char name[] = "SSL_SERVER_CERT";
    const char *pem;

    if (ssl_variable == NULL || !wa_channel_is_tls(r)) {
        return NULL;
    }
    pem = ssl_variable(pool, r->server, r->connection, (request_rec *)(uintptr_t)r, name);
    return pem != NULL && *pem != '\0' ? pem : NULL;
}

/* The connection's own address, not one a header claims. */
static bool is_loopback(const apr_sockaddr_t *address)
{
    static const char v4_in_v6[] = "::ffff:127.";
    char text[64];

    if (apr_sockaddr_ip_getbuf(text, sizeof(text), (apr_sockaddr_t *)address) != APR_SUCCESS) {
        return false;
    }
    return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0
           || strncmp(text, v4_in_v6, sizeof(v4_in_v6) - 1) == 0;
}

bool wa_channel_is_local(const request_rec *r)
{
    return is_loopback(r->connection->client_addr) && !wa_channel_is_proxied(r);
}

bool wa_channel_is_confidential(const request_rec *r)
{
    return wa_channel_is_tls(r) || wa_channel_is_local(r);
}

static bool is_stopping(void)
{
    int state = AP_MPMQ_RUNNING;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING;
}

const char *wa_channel_server_ends(const request_rec *r)
{
    r = wa_channel_top(r);
    if (!r->server->keep_alive || r->server->keep_alive_timeout <= 0) {
        return "KeepAlive is off";
    }
    if (apr_table_get(r->subprocess_env, "nokeepalive") != NULL) {
        return "the variable nokeepalive is set";
    }
    return is_stopping() ? "the server is restarting" : NULL;
}

const char *wa_channel_client_ends(const request_rec *r)
{
    const char *connection = apr_table_get(r->headers_in, "Connection");

    r = wa_channel_top(r); /* a sub-request has no protocol of its own */
    if (ap_find_token(r->pool, connection, "close")) {
        return "the client closes after each request";
    }
    if (r->proto_num < HTTP_VERSION(1, 1) && !ap_find_token(r->pool, connection, "keep-alive")) {
        return "the client speaks HTTP/1.0 without keep-alive";
    }
    return NULL;
}

void wa_channel_stay_http1(request_rec *r)
{
    /* a sub-request has headers of its own, and it is the client's request that is upgraded */
    for (; r != NULL; r = r->main) {
        if (ap_find_token(r->pool, apr_table_get(r->headers_in, "Upgrade"), "h2c")) {
            apr_table_unset(r->headers_in, "Upgrade");
        }
    }
}

static void find_mod_ssl(void)
{
    is_https = APR_RETRIEVE_OPTIONAL_FN(ssl_is_https);
    ssl_variable = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
}

void wa_channel_register(void)
{
    ap_hook_optional_fn_retrieve(find_mod_ssl, NULL, NULL, APR_HOOK_MIDDLE);
}
