#include "engine/trust.h"

#include "engine/gsscred.h"

void wa_trust_open(wa_trust *trust, apr_pool_t *pchild)
{
    wa_gsscred_open(trust, pchild);
    if (trust->authority != NULL) {
        trust->authority->open(trust->authority, pchild);
    }
}
