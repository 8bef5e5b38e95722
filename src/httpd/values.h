/* The value types of directives: how each is parsed, what it is before anybody set it, how it
 * prints.
 *
 * For a kind K there are a type wa_kind_K and the functions wa_parse_K, wa_is_set_K, wa_unset_K
 * and wa_print_K.  A parser either fills *out or returns a message that stops start-up. */
#ifndef WA_HTTPD_VALUES_H
#define WA_HTTPD_VALUES_H

#include "core/account.h"
#include "core/header.h"
#include "core/protection.h"
#include "engine/ccache.h"

#include <apr_network_io.h>
#include <apr_tables.h>
#include <httpd.h>
#include <http_config.h>
#include <ap_expr.h>

enum { WA_PROVIDERS_MAX = 3 }; /* Negotiate, NTLM, Basic */

typedef struct wa_providers {
    int count;                         /* 0: unset */
    wa_scheme offer[WA_PROVIDERS_MAX]; /* in order */
    bool kerberos_only;                /* Negotiate was given as Negotiate:Kerberos */
} wa_providers;

typedef struct wa_limit {
    int set;
    apr_int64_t seconds;  /* 0: no limit */
    apr_int64_t requests; /* 0: no limit */
} wa_limit;

/* WinAuthExtendedProtection as a value that can be unset */
typedef struct wa_protection_value {
    int set;
    wa_protection policy;
} wa_protection_value;

typedef struct wa_concurrency {
    int set;
    apr_int64_t most;     /* 0: half of all threads */
    apr_int64_t deadline; /* seconds */
} wa_concurrency;

extern const wa_concurrency wa_default_concurrency;

typedef struct wa_pending_value {
    int set;
    apr_int64_t total;
    apr_int64_t address;
    apr_int64_t seconds;
} wa_pending_value;

extern const wa_pending_value wa_default_pending;

typedef struct wa_lockout_value {
    int set;
    apr_int64_t attempts; /* 0: off */
    apr_int64_t window;   /* seconds */
    bool per_address;
} wa_lockout_value;

extern const wa_lockout_value wa_default_lockout;

typedef struct wa_network {
    const char *text; /* as written */
    apr_ipsubnet_t *subnet;
} wa_network;

typedef int wa_kind_flag;                   /* -1 unset, 0 Off, 1 On */
typedef apr_int64_t wa_kind_bytes;          /* -1 unset */
typedef int wa_kind_exports;                /* -1 unset, else a set of WA_EXPORT_… */
typedef int wa_kind_format;                 /* -1 unset, else a wa_format */
typedef int wa_kind_delegation;             /* -1 unset, else a wa_delegate */
typedef const char *wa_kind_path;           /* absolute; NULL unset */
typedef const char *wa_kind_acceptor;       /* "any", "host" or a service; NULL unset */
typedef const char *wa_kind_authority;      /* "winbind", "none", "file:/…"; NULL unset */
typedef const ap_expr_info_t *wa_kind_expr; /* NULL unset */
typedef wa_limit wa_kind_limit;
typedef wa_providers wa_kind_providers;
typedef wa_protection_value wa_kind_protection;
typedef const apr_array_header_t *wa_kind_spns;     /* of const char *: hosts; NULL unset */
typedef wa_concurrency wa_kind_concurrency;
typedef wa_lockout_value wa_kind_lockout;
typedef wa_pending_value wa_kind_pending;
typedef const apr_table_t *wa_kind_realms;          /* realm -> NetBIOS domain; NULL unset */
typedef const apr_array_header_t *wa_kind_networks; /* of wa_network; NULL unset */

/* clang-format off */
#define WA_KINDS(X)                                                                                \
    X(flag) X(bytes) X(exports) X(format) X(path) X(acceptor) X(authority)                         \
    X(expr) X(limit) X(providers) X(protection) X(spns) X(realms) X(networks)                      \
    X(delegation) X(concurrency) X(lockout) X(pending)

#define X(kind)                                                                                    \
    const char *wa_parse_##kind(cmd_parms *cmd, int argc, char *const argv[],                      \
                                wa_kind_##kind *out);                                              \
    bool wa_is_set_##kind(const wa_kind_##kind *value);                                            \
    void wa_unset_##kind(wa_kind_##kind *value);                                                   \
    const char *wa_print_##kind(const wa_kind_##kind *value, apr_pool_t *pool);
WA_KINDS(X)
#undef X
/* clang-format on */

/* True iff the configuration that was read into pconf asks for delegation anywhere; what
 * .htaccess files say is not known then. */
bool wa_values_delegates(apr_pool_t *pconf);

#endif
