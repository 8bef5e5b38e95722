/* Questions to winbindd besides logons: what names and SIDs mean.  Between authority_winbind.c,
 * which has the connections, and winbind_names.c, which has the questions. */
#ifndef WA_ENGINE_WINBIND_H
#define WA_ENGINE_WINBIND_H

#include "engine/authority.h"

#include <stdint.h>
#include <wbclient.h>

/* A question and its answer.  It owns whatever it touches, in memory of malloc: it may be
 * answered when nobody waits for it any more.  The first member of a struct with the rest. */
typedef struct wa_winbind_query wa_winbind_query;
struct wa_winbind_query {
    wbcErr (*ask)(struct wbcContext *ctx, wa_winbind_query *query);
    void (*end)(wa_winbind_query *query); /* frees everything, the query included */
    wbcErr rc;                            /* of ask: SUCCESS or DOMAIN_NOT_FOUND */
};

/* Puts it to the winbindd of that authority.  False: nobody has answered, *detail, in pool, says
 * why, and there is no query any more.  Otherwise the caller ends it. */
bool wa_winbind_put(wa_authority *authority, wa_winbind_query *query, apr_pool_t *pool,
                    const char **detail);

/* The two look-ups of an authority. */
wa_lookup wa_winbind_group(wa_authority *authority, const char *domain, const char *name,
                           apr_pool_t *pool, wa_sid *out, const char **detail);
bool wa_winbind_group_names(wa_authority *authority, const wa_sid *sids, size_t n,
                            apr_pool_t *pool, const char **names_out, const char **detail);

void wa_winbind_read_sid(const struct wbcDomainSid *from, wa_sid *to);

#endif
