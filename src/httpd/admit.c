#include "httpd/admit.h"

#include "httpd/answer.h"
#include "httpd/delegation.h"
#include "httpd/export.h"
#include "httpd/publish.h"

bool wa_admit(request_rec *r, const wa_identity *identity)
{
    if (!wa_publish_identity(r, identity)) {
        return false;
    }
    wa_answer_watch(r);
    wa_delegation_export(r, identity);
    wa_export_groups(r, identity);
    return true;
}
