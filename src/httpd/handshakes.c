#include "httpd/handshakes.h"

#include "httpd/channel.h"
#include "httpd/commons.h"

struct wa_handshake {
    const wa_pending *pending;
    wa_pending_ticket ticket;
};

static apr_status_t close_handshake(void *data)
{
    const wa_handshake *h = data;

    wa_pending_close(h->pending, h->ticket);
    return APR_SUCCESS;
}

bool wa_handshakes_admit(const request_rec *r, wa_slot *slot, const char **detail)
{
    wa_handshake *h;

    if (slot->handshake != NULL) {
        return true;
    }
    h = apr_pcalloc(slot->pool, sizeof(*h));
    h->pending = wa_commons_pending();
    switch (wa_pending_open(h->pending, wa_channel_address(r, r->pool), &h->ticket)) {
    case WA_PENDING_ADMITTED:
        apr_pool_cleanup_register(slot->pool, h, close_handshake, apr_pool_cleanup_null);
        slot->handshake = h;
        return true;
    case WA_PENDING_CROWDED:
        *detail = "of this address (WinAuthPendingLimit address)";
        break;
    case WA_PENDING_FULL:
        *detail = "in all (WinAuthPendingLimit total)";
        break;
    }
    return false;
}

void wa_handshakes_end(wa_slot *slot)
{
    if (slot->handshake != NULL) {
        apr_pool_cleanup_run(slot->pool, slot->handshake, close_handshake);
        slot->handshake = NULL;
    }
}

bool wa_handshakes_expired(const wa_slot *slot)
{
    return slot->handshake != NULL
           && !wa_pending_is_open(slot->handshake->pending, slot->handshake->ticket);
}
