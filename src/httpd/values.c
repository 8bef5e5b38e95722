#include "httpd/values.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <string.h>
#include <strings.h>

APLOG_USE_MODULE(winauth); /* expressions log under it */

/* ---- flag ---- */

const char *wa_parse_flag(cmd_parms *cmd, int argc, char *const argv[], wa_kind_flag *out)
{
    (void)cmd;
    if (argc == 1 && strcasecmp(argv[0], "on") == 0) {
        *out = 1;
        return NULL;
    }
    if (argc == 1 && strcasecmp(argv[0], "off") == 0) {
        *out = 0;
        return NULL;
    }
    return "takes On or Off";
}

bool wa_is_set_flag(const wa_kind_flag *value)
{
    return *value != -1;
}

void wa_unset_flag(wa_kind_flag *value)
{
    *value = -1;
}

const char *wa_print_flag(const wa_kind_flag *value, apr_pool_t *pool)
{
    (void)pool;
    return *value == 1 ? "On" : "Off";
}

/* ---- bytes and other counts ---- */

/* Digits only, 1 to max. */
static bool parse_count(const char *text, apr_int64_t max, apr_int64_t *out)
{
    char *end = NULL;

    if (*text < '0' || *text > '9' || strlen(text) > 18) {
        return false;
    }
    *out = apr_strtoi64(text, &end, 10);
    return *end == '\0' && *out >= 1 && *out <= max;
}

const char *wa_parse_bytes(cmd_parms *cmd, int argc, char *const argv[], wa_kind_bytes *out)
{
    (void)cmd;
    return argc == 1 && parse_count(argv[0], 1 << 30, out)
               ? NULL
               : "takes a number of bytes from 1 to 1073741824";
}

bool wa_is_set_bytes(const wa_kind_bytes *value)
{
    return *value != -1;
}

void wa_unset_bytes(wa_kind_bytes *value)
{
    *value = -1;
}

const char *wa_print_bytes(const wa_kind_bytes *value, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, *value);
}

/* ---- format ---- */

static const char *const format_names[WA_FORMAT_COUNT] = { "Windows", "Principal", "SAM", "UPN",
                                                           "SID" };

const char *wa_parse_format(cmd_parms *cmd, int argc, char *const argv[], wa_kind_format *out)
{
    int i;

    (void)cmd;
    for (i = 0; argc == 1 && i < WA_FORMAT_COUNT; i++) {
        if (strcasecmp(argv[0], format_names[i]) == 0) {
            *out = i;
            return NULL;
        }
    }
    return "takes Windows, UPN, SAM, Principal or SID";
}

bool wa_is_set_format(const wa_kind_format *value)
{
    return *value != -1;
}

void wa_unset_format(wa_kind_format *value)
{
    *value = -1;
}

const char *wa_print_format(const wa_kind_format *value, apr_pool_t *pool)
{
    (void)pool;
    return *value >= 0 && *value < WA_FORMAT_COUNT ? format_names[*value] : "";
}

/* ---- exports ---- */

static const char *const export_names[] = { "groups", "group-names" }; /* of each bit */

const char *wa_parse_exports(cmd_parms *cmd, int argc, char *const argv[], wa_kind_exports *out)
{
    static const char usage[] = "takes groups and/or group-names, or none";
    int i, k;

    (void)cmd;
    *out = 0;
    if (argc == 1 && strcasecmp(argv[0], "none") == 0) {
        return NULL;
    }
    for (i = 0; i < argc; i++) {
        int bit = 0;
        for (k = 0; k < 2; k++) {
            bit |= strcasecmp(argv[i], export_names[k]) == 0 ? 1 << k : 0;
        }
        if (bit == 0 || (*out & bit) != 0) {
            return usage;
        }
        *out |= bit;
    }
    return argc > 0 ? NULL : usage;
}

bool wa_is_set_exports(const wa_kind_exports *value)
{
    return *value != -1;
}

void wa_unset_exports(wa_kind_exports *value)
{
    *value = -1;
}

const char *wa_print_exports(const wa_kind_exports *value, apr_pool_t *pool)
{
    return *value <= 0 ? "none"
                       : apr_pstrcat(pool, (*value & 1) != 0 ? export_names[0] : "",
                                     *value == 3 ? " " : "",
                                     (*value & 2) != 0 ? export_names[1] : "", NULL);
}

/* ---- path ---- */

const char *wa_parse_path(cmd_parms *cmd, int argc, char *const argv[], wa_kind_path *out)
{
    if (argc != 1 || *argv[0] == '\0') {
        return "takes one file name";
    }
    *out = ap_server_root_relative(cmd->pool, argv[0]);
    return *out != NULL ? NULL : "takes a valid file name";
}

static bool is_set_string(const char *value)
{
    return value != NULL;
}

static const char *print_string(const char *value)
{
    return value != NULL ? value : "(default)";
}

/* The three kinds that are strings differ only in how they are parsed. */
#define STRING_KIND(kind)                                                      \
    bool wa_is_set_##kind(const wa_kind_##kind *value)                         \
    {                                                                          \
        return is_set_string(*value);                                          \
    }                                                                          \
    void wa_unset_##kind(wa_kind_##kind *value)                                \
    {                                                                          \
        *value = NULL;                                                         \
    }                                                                          \
    const char *wa_print_##kind(const wa_kind_##kind *value, apr_pool_t *pool) \
    {                                                                          \
        (void)pool;                                                            \
        return print_string(*value);                                           \
    }

STRING_KIND(path)
STRING_KIND(acceptor)
STRING_KIND(authority)

const char *wa_parse_acceptor(cmd_parms *cmd, int argc, char *const argv[], wa_kind_acceptor *out)
{
    if (argc == 1 && (strcasecmp(argv[0], "any") == 0 || strcasecmp(argv[0], "host") == 0)) {
        *out = strcasecmp(argv[0], "any") == 0 ? "any" : "host";
        return NULL;
    }
    if (argc == 1 && strcspn(argv[0], "/@") > 0 && strpbrk(argv[0], "/@") != NULL
        && strpbrk(argv[0], "/@")[1] != '\0') {
        *out = apr_pstrdup(cmd->pool, argv[0]);
        return NULL;
    }
    return "takes any, host, or a service such as HTTP/www.example.com";
}

const char *wa_parse_authority(cmd_parms *cmd, int argc, char *const argv[],
                               wa_kind_authority *out)
{
    const char *path;

    if (argc == 1 && (strcasecmp(argv[0], "winbind") == 0 || strcasecmp(argv[0], "none") == 0)) {
        *out = strcasecmp(argv[0], "none") == 0 ? "none" : "winbind";
        return NULL;
    }
    if (argc == 1 && strncasecmp(argv[0], "file:", 5) == 0 && argv[0][5] != '\0') {
        path = ap_server_root_relative(cmd->pool, argv[0] + 5);
        if (path != NULL) {
            *out = apr_pstrcat(cmd->pool, "file:", path, NULL);
            return NULL;
        }
    }
    return "takes winbind, file:PATH or none";
}

/* ---- expr ---- */

const char *wa_parse_expr(cmd_parms *cmd, int argc, char *const argv[], wa_kind_expr *out)
{
    const char *error = NULL;

    if (argc != 1) {
        return "takes one expression, in quotes";
    }
    *out = ap_expr_parse_cmd(cmd, argv[0], 0, &error, NULL);
    return error != NULL ? apr_pstrcat(cmd->pool, "cannot be understood: ", error, NULL) : NULL;
}

bool wa_is_set_expr(const wa_kind_expr *value)
{
    return *value != NULL;
}

void wa_unset_expr(wa_kind_expr *value)
{
    *value = NULL;
}

const char *wa_print_expr(const wa_kind_expr *value, apr_pool_t *pool)
{
    (void)pool;
    return *value != NULL ? "(an expression)" : "(always)";
}

/* ---- limit ---- */

const char *wa_parse_limit(cmd_parms *cmd, int argc, char *const argv[], wa_kind_limit *out)
{
    static const char usage[] = "takes seconds=N and/or requests=N, N from 1 to 1000000000";
    int i;

    (void)cmd;
    memset(out, 0, sizeof(*out));
    for (i = 0; i < argc; i++) {
        apr_int64_t *count;
        const char *text = strchr(argv[i], '=');
        if (strncasecmp(argv[i], "seconds=", 8) == 0) {
            count = &out->seconds;
        }
        else if (strncasecmp(argv[i], "requests=", 9) == 0) {
            count = &out->requests;
        }
        else {
            return usage;
        }
        if (*count != 0 || !parse_count(text + 1, 1000000000, count)) {
            return usage;
        }
    }
    out->set = argc > 0;
    return argc > 0 ? NULL : usage;
}

bool wa_is_set_limit(const wa_kind_limit *value)
{
    return value->set != 0;
}

void wa_unset_limit(wa_kind_limit *value)
{
    memset(value, 0, sizeof(*value));
}

const char *wa_print_limit(const wa_kind_limit *value, apr_pool_t *pool)
{
    return apr_psprintf(pool, "seconds=%" APR_INT64_T_FMT " requests=%" APR_INT64_T_FMT,
                        value->seconds, value->requests);
}
