/* The configuration of a section and of a server: made from directives.h, nothing by hand. */
#ifndef WA_HTTPD_CONFIG_H
#define WA_HTTPD_CONFIG_H

#include "engine/ccache.h"
#include "engine/trust.h"
#include "httpd/directives.h"
#include "httpd/values.h"

#include <httpd.h>
#include <http_config.h>

extern const wa_providers wa_default_providers;
extern const wa_limit wa_default_limit;
extern const wa_protection_value wa_default_protection;
#define WA_DEFAULT_PROTECTION wa_default_protection
#define WA_DEFAULT_PROVIDERS wa_default_providers
#define WA_DEFAULT_LIMIT wa_default_limit

typedef struct wa_dir_config {
#define X(kind, member, name, def, help) wa_kind_##kind member;
    WA_DIR_DIRECTIVES(X)
#undef X
} wa_dir_config;

typedef struct wa_server_config {
#define X(kind, member, name, def, help) wa_kind_##kind member;
    WA_SERVER_DIRECTIVES(X)
#undef X
    wa_trust *trust;        /* made after all is merged; NULL before */
    wa_ccache_dir *ccaches; /* the same; NULL also where nothing is delegated */
} wa_server_config;

/* Effective values: what was set, or the default.  wa_dir_providers(c) and so on. */
#define X(kind, member, name, def, help) \
    wa_kind_##kind wa_dir_##member(const wa_dir_config *config);
WA_DIR_DIRECTIVES(X)
#undef X
#define X(kind, member, name, def, help) \
    wa_kind_##kind wa_server_##member(const wa_server_config *config);
WA_SERVER_DIRECTIVES(X)
#undef X

/* Slots of the module record. */
void *wa_config_create_dir(apr_pool_t *pool, char *dir);
void *wa_config_merge_dir(apr_pool_t *pool, void *base, void *add);
void *wa_config_create_server(apr_pool_t *pool, server_rec *s);
void *wa_config_merge_server(apr_pool_t *pool, void *base, void *add);
extern const command_rec wa_config_commands[];

const wa_dir_config *wa_config_of_request(const request_rec *r);
wa_server_config *wa_config_of_server(const server_rec *s);

/* True iff r's section has AuthType WinAuth. */
bool wa_config_is_ours(const request_rec *r);

/* Calls print for every server directive with its effective value; for the dump. */
void wa_config_each(const wa_server_config *config, apr_pool_t *pool, void *baton,
                    void (*print)(void *baton, const char *name, const char *value));

#endif
