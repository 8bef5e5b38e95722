/* Names of groups and what they mean: asked of an authority once, and remembered for a while.
 *
 * What was found holds for ten minutes, that there is no such group for one; while the authority
 * cannot be asked, what it said last goes on to hold, and it is asked again after some seconds.
 * One thread asks for what has grown old, the others use it meanwhile. */
#ifndef WA_ENGINE_NAMES_H
#define WA_ENGINE_NAMES_H

#include "core/sid.h"

#include <apr_pools.h>

/* What became of a question.  Zero is no answer. */
typedef enum {
    WA_LOOKUP_UNAVAILABLE = 0, /* nobody could say */
    WA_LOOKUP_UNKNOWN,         /* there is no such thing */
    WA_LOOKUP_FOUND
} wa_lookup;

typedef struct wa_names wa_names;
typedef struct wa_authority wa_authority;

/* An empty memory, which any number of threads may use.  NULL: no mutex could be made. */
wa_names *wa_names_make(apr_pool_t *pconf);

/* What a name is asked for and remembered by: the same in lower case, in pool. */
const char *wa_names_key(const char *name, apr_pool_t *pool);

/* The SID of a group, by the key of DOMAIN\name, or of name when it is one of the server's own
 * domain. authority may be NULL, or one that knows no groups.  *detail, in pool, says why there
 * is none; it is set only by the call that has really asked, so that a log has one line a
 * lifetime. */
wa_lookup wa_names_sid(wa_authority *authority, const char *key, apr_pool_t *pool, wa_sid *out,
                       const char **detail);

/* The name of each SID of a set, as DOMAIN\name, or name where there is no domain; NULL for those
 * without one, or without one that is an account name.  out has set->count elements; strings go
 * to pool. */
void wa_names_list(wa_authority *authority, const wa_sidset *set, apr_pool_t *pool,
                   const char **out);

#endif
