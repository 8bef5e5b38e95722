#include "core/domain.h"

static bool is_called(const wa_domain *domain, const char *name)
{
    return wa_account_same_domain(domain->name, name)
           || wa_account_same_domain(domain->dns, name);
}

/* Whom the SID belongs to on the authority's list, or NULL. */
static const wa_domain *find_sid(const wa_domain_facts *f, const wa_sid *sid)
{
    size_t i;

    for (i = 0; f->listed != NULL && i < f->count; i++) {
        if (wa_sid_compare(&f->listed[i].sid, sid) == 0) {
            return &f->listed[i];
        }
    }
    return NULL;
}

/* Whether the name it claims is that of a domain with another SID. */
static bool is_taken(const wa_domain_facts *f, const wa_sid *sid)
{
    bool taken = f->claimed_sid.count > 0 && wa_sid_compare(&f->claimed_sid, sid) != 0;
    size_t i;

    for (i = 0; i < f->count && !taken; i++) {
        taken =
            is_called(&f->listed[i], f->claimed) && wa_sid_compare(&f->listed[i].sid, sid) != 0;
    }
    return taken;
}

/* The name of the domain with that SID, or NULL when it claims one that it has no right to.  Only
 * where nobody else says anything its own word is taken. */
static const char *foreign_name(const wa_domain_facts *f, const wa_sid *sid,
                                const wa_domain *listed)
{
    bool confirmed = f->told != NULL && wa_account_same_domain(f->told, f->claimed);
    const char *name = f->told;

    if (name == NULL) {
        name = listed != NULL ? listed->name : f->claimed;
    }
    if (is_called(f->own, f->claimed) || is_called(f->own, name)) {
        return NULL;
    }
    return confirmed || !is_taken(f, sid) ? name : NULL;
}

static const char *foreign_dns(const wa_domain_facts *f, const wa_sid *sid,
                               const wa_domain *listed)
{
    const char *dns = NULL;

    if (wa_sid_compare(&f->dns_sid, sid) == 0) {
        dns = f->claimed_dns;
    }
    else if (listed != NULL) {
        dns = listed->dns;
    }
    return is_called(f->own, dns) ? NULL : dns;
}

wa_domain_kind wa_domain_decide(const wa_domain_facts *facts, wa_domain *out)
{
    wa_sid sid = facts->account;
    const wa_domain *listed;

    if (sid.count < 2 || facts->own->sid.count == 0) {
        return WA_DOMAIN_REFUSED;
    }
    sid.count--;
    if (wa_sid_compare(&sid, &facts->own->sid) == 0) {
        *out = *facts->own;
        out->dns = out->dns != NULL ? out->dns : facts->claimed_dns;
        return WA_DOMAIN_HOME;
    }
    listed = find_sid(facts, &sid);
    if (listed != NULL && listed->hearsay) {
        listed = NULL;
    }
    out->name = foreign_name(facts, &sid, listed);
    out->dns = foreign_dns(facts, &sid, listed);
    out->hearsay =
        facts->told == NULL && listed == NULL && wa_sid_compare(&facts->claimed_sid, &sid) != 0;
    return out->name != NULL ? WA_DOMAIN_FOREIGN : WA_DOMAIN_REFUSED;
}
