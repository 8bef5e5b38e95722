#include "httpd/config.h"

#include <apr_strings.h>
#include <http_core.h>
#include <stdint.h>
#include <strings.h>

extern module AP_MODULE_DECLARE_DATA winauth_module;

const wa_providers wa_default_providers = { 2, { WA_SCHEME_NEGOTIATE, WA_SCHEME_NTLM }, false };
const wa_limit wa_default_limit = { 0, 0, 0 };

const wa_protection_value wa_default_protection = { 1, { .mode = WA_PROTECT_ALLOW } };

void *wa_config_create_dir(apr_pool_t *pool, char *dir)
{
    wa_dir_config *c = apr_pcalloc(pool, sizeof(*c));

    (void)dir;
#define X(kind, member, name, def, help) wa_unset_##kind(&c->member);
    WA_DIR_DIRECTIVES(X)
#undef X
    return c;
}

void *wa_config_merge_dir(apr_pool_t *pool, void *base, void *add)
{
    const wa_dir_config *outer = base;
    const wa_dir_config *inner = add;
    wa_dir_config *c = apr_pcalloc(pool, sizeof(*c));

#define X(kind, member, name, def, help) \
    c->member = wa_is_set_##kind(&inner->member) ? inner->member : outer->member;
    WA_DIR_DIRECTIVES(X)
#undef X
    return c;
}

void *wa_config_create_server(apr_pool_t *pool, server_rec *s)
{
    wa_server_config *c = apr_pcalloc(pool, sizeof(*c));

    (void)s;
#define X(kind, member, name, def, help) wa_unset_##kind(&c->member);
    WA_SERVER_DIRECTIVES(X)
#undef X
    return c;
}

void *wa_config_merge_server(apr_pool_t *pool, void *base, void *add)
{
    const wa_server_config *outer = base;
    const wa_server_config *inner = add;
    wa_server_config *c = apr_pcalloc(pool, sizeof(*c));

#define X(kind, member, name, def, help) \
    c->member = wa_is_set_##kind(&inner->member) ? inner->member : outer->member;
    WA_SERVER_DIRECTIVES(X)
#undef X
    return c;
}

/* clang-format off */
#define X(kind, member, name, def, help)                                                           \
    wa_kind_##kind wa_dir_##member(const wa_dir_config *config)                                    \
    {                                                                                              \
        return wa_is_set_##kind(&config->member) ? config->member : (def);                         \
    }
WA_DIR_DIRECTIVES(X)
#undef X

#define X(kind, member, name, def, help)                                                           \
    wa_kind_##kind wa_server_##member(const wa_server_config *config)                              \
    {                                                                                              \
        return wa_is_set_##kind(&config->member) ? config->member : (def);                         \
    }
WA_SERVER_DIRECTIVES(X)
#undef X
/* clang-format on */

/* httpd prints the returned text behind "Syntax error on line N of FILE:". */
static const char *complain(cmd_parms *cmd, const char *message)
{
    return message != NULL ? apr_pstrcat(cmd->pool, cmd->cmd->name, " ", message, NULL) : NULL;
}

#define X(kind, member, name, def, help)                                        \
    static const char *set_dir_##member(cmd_parms *cmd, void *config, int argc, \
                                        char *const argv[])                     \
    {                                                                           \
        wa_dir_config *c = config;                                              \
        return complain(cmd, wa_parse_##kind(cmd, argc, argv, &c->member));     \
    }
WA_DIR_DIRECTIVES(X)
#undef X

#define X(kind, member, name, def, help)                                           \
    static const char *set_server_##member(cmd_parms *cmd, void *unused, int argc, \
                                           char *const argv[])                     \
    {                                                                              \
        wa_server_config *c = wa_config_of_server(cmd->server);                    \
        (void)unused;                                                              \
        return complain(cmd, wa_parse_##kind(cmd, argc, argv, &c->member));        \
    }
WA_SERVER_DIRECTIVES(X)
#undef X

/* clang-format off */
const command_rec wa_config_commands[] = {
#define X(kind, member, name, def, help) \
    AP_INIT_TAKE_ARGV(name, set_dir_##member, NULL, OR_AUTHCFG | RSRC_CONF, help),
    WA_DIR_DIRECTIVES(X)
#undef X
#define X(kind, member, name, def, help) \
    AP_INIT_TAKE_ARGV(name, set_server_##member, NULL, RSRC_CONF, help),
    WA_SERVER_DIRECTIVES(X)
#undef X
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};
/* clang-format on */

const wa_dir_config *wa_config_of_request(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &winauth_module);
}

wa_server_config *wa_config_of_server(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &winauth_module);
}

bool wa_config_is_ours(const request_rec *r)
{
    const char *type = ap_auth_type((request_rec *)(uintptr_t)r);

    return type != NULL && strcasecmp(type, "WinAuth") == 0;
}

void wa_config_each(const wa_server_config *config, apr_pool_t *pool, void *baton,
                    void (*print)(void *baton, const char *name, const char *value))
{
#define X(kind, member, name, def, help)                   \
    {                                                      \
        wa_kind_##kind value = wa_server_##member(config); \
        print(baton, name, wa_print_##kind(&value, pool)); \
    }
    WA_SERVER_DIRECTIVES(X)
#undef X
}
