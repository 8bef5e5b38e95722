#include "httpd/connection.h"

#include "httpd/channel.h"

#include <http_config.h>

extern module AP_MODULE_DECLARE_DATA winauth_module;

typedef struct slots {
    wa_slot *of[WA_ROLES]; /* NULL until the first exchange in that role */
} slots;

wa_slot *wa_slot_find(const request_rec *r)
{
    const slots *all = ap_get_module_config(r->connection->conn_config, &winauth_module);

    return all != NULL ? all->of[wa_channel_role(r)->slot] : NULL;
}

wa_slot *wa_slot_temporary(apr_pool_t *pool)
{
    wa_slot *slot = apr_pcalloc(pool, sizeof(*slot));

    slot->parent = pool;
    return slot;
}

wa_slot *wa_slot_make(const request_rec *r)
{
    conn_rec *c = r->connection;
    slots *all = ap_get_module_config(c->conn_config, &winauth_module);
    wa_slot **slot;

    if (all == NULL) {
        all = apr_pcalloc(c->pool, sizeof(*all));
        ap_set_module_config(c->conn_config, &winauth_module, all);
    }
    slot = &all->of[wa_channel_role(r)->slot];
    if (*slot == NULL) {
        *slot = wa_slot_temporary(c->pool);
    }
    return *slot;
}

void wa_slot_drop(wa_slot *slot)
{
    wa_slot empty = { .state = WA_STATE_NONE, .legs = slot->legs, .refund = slot->refund };

    if (slot->pool != NULL) {
        apr_pool_destroy(slot->pool);
    }
    empty.parent = slot->parent;
    empty.memo = slot->memo;
    empty.binding = slot->binding;
    *slot = empty;
}

apr_pool_t *wa_slot_fresh_pool(wa_slot *slot)
{
    wa_slot_drop(slot);
    apr_pool_create(&slot->pool, slot->parent);
    apr_pool_tag(slot->pool, "winauth_exchange");
    return slot->pool;
}
