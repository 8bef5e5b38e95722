/* Whose account it is, and what its domain is called.
 *
 * Decided by SIDs: the server's own controllers take out what a trusted domain has no right to.
 * Names go through as that domain's controllers write them, who may call themselves, and their
 * users, by names of ours or of a third domain. */
#ifndef WA_CORE_DOMAIN_H
#define WA_CORE_DOMAIN_H

#include "core/account.h"

typedef struct wa_domain {
    const char *name; /* NetBIOS */
    const char *dns;  /* or NULL when not known */
    wa_sid sid;       /* without sub-authorities when not known */
    bool hearsay;     /* its names may be no more than what it says of itself */
} wa_domain;

/* What is known when an account has been proved.  SIDs without sub-authorities are not known. */
typedef struct wa_domain_facts {
    const wa_domain *own;    /* the server's */
    wa_sid account;          /* SID of the account */
    const char *claimed;     /* name of its domain, as that domain's controllers say */
    const char *claimed_dns; /* the same; or NULL */
    const char *told;        /* what our own controllers call that domain by its SID; or NULL */
    wa_sid claimed_sid;      /* to them, whose name claimed is */
    wa_sid dns_sid;          /* to them, whose name claimed_dns is */
    const wa_domain *listed; /* all that the authority has heard of, our own included */
    size_t count;            /* of them */
} wa_domain_facts;

typedef enum {
    WA_DOMAIN_REFUSED = 0, /* it claims a name that is another domain's */
    WA_DOMAIN_FOREIGN,
    WA_DOMAIN_HOME
} wa_domain_kind;

/* Sets *out, but for its SID, unless that is REFUSED.  Its strings are those of facts; dns is
 * NULL unless it may be believed. */
wa_domain_kind wa_domain_decide(const wa_domain_facts *facts, wa_domain *out);

#endif
