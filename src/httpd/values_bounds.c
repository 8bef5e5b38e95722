/* The value types of directives that bound the whole server.  What they bound is one for all
 * virtual hosts, a daemon or shared memory, and so they are not to be had inside of one. */
#include "httpd/values.h"

#include "engine/shared.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

static const char not_in_virtual_host[] = "bounds the whole server: not inside <VirtualHost>";

/* One NAME=NUMBER that a directive takes. */
typedef struct setting {
    const char *name; /* with its equals sign; "" for a number alone */
    apr_int64_t max;
    apr_int64_t *value;
    bool given;
} setting;

/* Digits only, 1 to max. */
static bool read_number(const char *text, apr_int64_t max, apr_int64_t *out)
{
    char *end = NULL;

    if (*text < '0' || *text > '9' || strlen(text) > 18) {
        return false;
    }
    *out = apr_strtoi64(text, &end, 10);
    return *end == '\0' && *out >= 1 && *out <= max;
}

/* One word; each setting comes once. */
static bool read_setting(const char *word, setting *settings, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        size_t n = strlen(settings[i].name);
        if (strncasecmp(word, settings[i].name, n) == 0 && (n > 0 || strchr(word, '=') == NULL)) {
            bool first = !settings[i].given;
            settings[i].given = true;
            return first && read_number(word + n, settings[i].max, settings[i].value);
        }
    }
    return false;
}

static bool read_settings(int argc, char *const argv[], setting *settings, int count)
{
    int i;

    for (i = 0; i < argc; i++) {
        if (!read_setting(argv[i], settings, count)) {
            return false;
        }
    }
    return argc > 0;
}

/* ---- concurrency ---- */

const wa_concurrency wa_default_concurrency = { 0, 0, 10 };

const char *wa_parse_concurrency(cmd_parms *cmd, int argc, char *const argv[],
                                 wa_kind_concurrency *out)
{
    setting settings[] = { { "deadline=", 300, &out->deadline, false },
                           { "", WA_SLOTS_MAX, &out->most, false } };

    if (cmd->server->is_virtual) {
        return not_in_virtual_host;
    }
    *out = wa_default_concurrency;
    out->set = 1;
    return read_settings(argc, argv, settings, 2)
               ? NULL
               : "takes a number from 1 to 1024 and/or deadline=SECONDS, 1 to 300";
}

bool wa_is_set_concurrency(const wa_kind_concurrency *value)
{
    return value->set != 0;
}

void wa_unset_concurrency(wa_kind_concurrency *value)
{
    memset(value, 0, sizeof(*value));
}

const char *wa_print_concurrency(const wa_kind_concurrency *value, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s deadline=%" APR_INT64_T_FMT,
                        value->most != 0 ? apr_ltoa(pool, (long)value->most)
                                         : "(half of all threads)",
                        value->deadline);
}

/* ---- lockout ---- */

const wa_lockout_value wa_default_lockout = { 0, 0, 0, false };

/* Takes "per=user" or "per=address" out of the words; the others go to rest.  False: it is
 * something else, or comes twice. */
static bool take_per(int argc, char *const argv[], bool *per_address, char *rest[], int *count)
{
    bool given = false;
    int i;

    *count = 0;
    for (i = 0; i < argc; i++) {
        if (strncasecmp(argv[i], "per=", 4) != 0) {
            rest[(*count)++] = argv[i];
            continue;
        }
        *per_address = strcasecmp(argv[i] + 4, "address") == 0;
        if (given || (!*per_address && strcasecmp(argv[i] + 4, "user") != 0)) {
            return false;
        }
        given = true;
    }
    return true;
}

const char *wa_parse_lockout(cmd_parms *cmd, int argc, char *const argv[], wa_kind_lockout *out)
{
    setting settings[] = { { "attempts=", 1000, &out->attempts, false },
                           { "window=", 604800, &out->window, false } };
    char *rest[3];
    int count;

    if (cmd->server->is_virtual) {
        return not_in_virtual_host;
    }
    *out = wa_default_lockout;
    out->set = 1;
    if (argc == 1 && strcasecmp(argv[0], "off") == 0) {
        return NULL;
    }
    if (argc < 2 || argc > 3 || !take_per(argc, argv, &out->per_address, rest, &count)
        || count != 2 || !read_settings(count, rest, settings, 2)) {
        return "takes attempts=N, 1 to 1000, window=SECONDS, 1 to 604800, and perhaps per=user "
               "or "
               "per=address; or Off";
    }
    return NULL;
}

bool wa_is_set_lockout(const wa_kind_lockout *value)
{
    return value->set != 0;
}

void wa_unset_lockout(wa_kind_lockout *value)
{
    memset(value, 0, sizeof(*value));
}

const char *wa_print_lockout(const wa_kind_lockout *value, apr_pool_t *pool)
{
    if (value->attempts == 0) {
        return "Off";
    }
    return apr_psprintf(pool, "attempts=%" APR_INT64_T_FMT " window=%" APR_INT64_T_FMT " per=%s",
                        value->attempts, value->window, value->per_address ? "address" : "user");
}

/* ---- pending ---- */

const wa_pending_value wa_default_pending = { 0, 10000, 200, 60 };

const char *wa_parse_pending(cmd_parms *cmd, int argc, char *const argv[], wa_kind_pending *out)
{
    setting settings[] = { { "total=", WA_SHARED_PENDING_MAX, &out->total, false },
                           { "address=", WA_SHARED_PENDING_MAX, &out->address, false },
                           { "seconds=", 3600, &out->seconds, false } };

    if (cmd->server->is_virtual) {
        return not_in_virtual_host;
    }
    *out = wa_default_pending;
    out->set = 1;
    return read_settings(argc, argv, settings, 3)
               ? NULL
               : "takes total=N and/or address=N, 1 to 16384, and/or seconds=N, 1 to 3600";
}

bool wa_is_set_pending(const wa_kind_pending *value)
{
    return value->set != 0;
}

void wa_unset_pending(wa_kind_pending *value)
{
    memset(value, 0, sizeof(*value));
}

const char *wa_print_pending(const wa_kind_pending *value, apr_pool_t *pool)
{
    return apr_psprintf(
        pool, "total=%" APR_INT64_T_FMT " address=%" APR_INT64_T_FMT " seconds=%" APR_INT64_T_FMT,
        value->total, value->address, value->seconds);
}
