/* The value types of directives that bound the whole server.  What they bound is one for all
 * virtual hosts, a daemon or shared memory, and so they are not to be had inside of one. */
#include "httpd/values.h"

#include "engine/shared.h"

#include <apr_strings.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char not_in_virtual_host[] = "bounds the whole server: not inside <VirtualHost>";

enum { SETTINGS_MAX = 3 };

/* One NAME=NUMBER that a directive takes. */
typedef struct setting {
    const char *name; /* with its equals sign; "" for a number alone */
    apr_int64_t max;
    size_t member; /* of the value, where the number goes */
} setting;

typedef struct settings {
    setting list[SETTINGS_MAX];
    int count;
    const char *usage; /* what is said when it is something else */
} settings;

/* The functions of a kind that are the same for all: a value is set when its member "set" is. */
#define BOUNDS(kind)                                   \
    bool wa_is_set_##kind(const wa_kind_##kind *value) \
    {                                                  \
        return value->set != 0;                        \
    }                                                  \
                                                       \
    void wa_unset_##kind(wa_kind_##kind *value)        \
    {                                                  \
        memset(value, 0, sizeof(*value));              \
    }

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

/* One word, into the value; given has a bit for each setting that has come. */
static bool read_setting(const char *word, const settings *known, void *value, unsigned *given)
{
    int i;

    for (i = 0; i < known->count; i++) {
        const setting *s = &known->list[i];
        size_t n = strlen(s->name);
        if (strncasecmp(word, s->name, n) == 0 && (n > 0 || strchr(word, '=') == NULL)) {
            bool first = (*given & 1u << i) == 0;
            *given |= 1u << i;
            return first
                   && read_number(word + n, s->max, (apr_int64_t *)((char *)value + s->member));
        }
    }
    return false;
}

/* All words, each setting at most once; NULL, or what is wrong. */
static const char *read_settings(const cmd_parms *cmd, int argc, char *const argv[],
                                 const settings *known, void *value)
{
    unsigned given = 0;
    bool good = argc > 0;
    int i;

    if (cmd->server->is_virtual) {
        return not_in_virtual_host;
    }
    for (i = 0; good && i < argc; i++) {
        good = read_setting(argv[i], known, value, &given);
    }
    return good ? NULL : known->usage;
}

/* ---- concurrency ---- */

const wa_concurrency wa_default_concurrency = { 0, 0, 10 };

static const settings concurrency_settings = {
    { { "deadline=", 300, offsetof(wa_concurrency, deadline) },
      { "", WA_SLOTS_MAX, offsetof(wa_concurrency, most) } },
    2,
    "takes a number from 1 to 1024 and/or deadline=SECONDS, 1 to 300"
};

BOUNDS(concurrency)

const char *wa_parse_concurrency(cmd_parms *cmd, int argc, char *const argv[],
                                 wa_kind_concurrency *out)
{
    *out = wa_default_concurrency;
    out->set = 1;
    return read_settings(cmd, argc, argv, &concurrency_settings, out);
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

static const settings lockout_settings = {
    { { "attempts=", 1000, offsetof(wa_lockout_value, attempts) },
      { "window=", 604800, offsetof(wa_lockout_value, window) } },
    2,
    "takes attempts=N, 1 to 1000, window=SECONDS, 1 to 604800, and perhaps per=user or "
    "per=address; or Off"
};

BOUNDS(lockout)

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
    char *rest[SETTINGS_MAX];
    int count = 0;

    *out = wa_default_lockout;
    out->set = 1;
    if (argc == 1 && strcasecmp(argv[0], "off") == 0) {
        return cmd->server->is_virtual ? not_in_virtual_host : NULL;
    }
    if (argc > SETTINGS_MAX || !take_per(argc, argv, &out->per_address, rest, &count)
        || count != lockout_settings.count) {
        return lockout_settings.usage;
    }
    return read_settings(cmd, count, rest, &lockout_settings, out);
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

static const settings pending_settings = {
    { { "total=", WA_SHARED_PENDING_MAX, offsetof(wa_pending_value, total) },
      { "address=", WA_SHARED_PENDING_MAX, offsetof(wa_pending_value, address) },
      { "seconds=", 3600, offsetof(wa_pending_value, seconds) } },
    3,
    "takes total=N and/or address=N, 1 to 16384, and/or seconds=N, 1 to 3600"
};

BOUNDS(pending)

const char *wa_parse_pending(cmd_parms *cmd, int argc, char *const argv[], wa_kind_pending *out)
{
    *out = wa_default_pending;
    out->set = 1;
    return read_settings(cmd, argc, argv, &pending_settings, out);
}

const char *wa_print_pending(const wa_kind_pending *value, apr_pool_t *pool)
{
    return apr_psprintf(
        pool, "total=%" APR_INT64_T_FMT " address=%" APR_INT64_T_FMT " seconds=%" APR_INT64_T_FMT,
        value->total, value->address, value->seconds);
}
