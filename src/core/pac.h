/* Who a Kerberos ticket is for, in the words of the domain controller that issued it: the PAC.
 *
 * The name in the ticket is what the client typed; the account's own spelling, its NetBIOS
 * domain, its UPN, its SID and its groups stand here.  Only a PAC whose signature the Kerberos
 * library has verified may be read.  What no domain controller writes is refused as a whole: half
 * a PAC is nobody's word.  Sources: [MS-PAC] 2.3 (PACTYPE), 2.5 (KERB_VALIDATION_INFO), 2.10
 * (UPN_DNS_INFO), 2.15 (PAC_REQUESTOR); [MS-RPCE] 2.2.6 (type serialization version 1). */
#ifndef WA_CORE_PAC_H
#define WA_CORE_PAC_H

#include "core/sid.h"

enum {
    WA_PAC_BUFFERS_MAX = 64,              /* kinds of buffer are numbered up to 20 */
    WA_PAC_SIDS_MAX = 10000,              /* groups; Windows itself stops at 1,024 */
    WA_PAC_LIST_MAX = WA_PAC_SIDS_MAX + 2 /* and the user, and the primary group */
};

/* The buffers that are read here; each a view into the input, empty when it is not there. */
typedef struct wa_pac {
    wa_span logon;     /* KERB_VALIDATION_INFO; an MIT KDC writes none */
    wa_span upn_dns;   /* UPN_DNS_INFO */
    wa_span requestor; /* PAC_REQUESTOR */
} wa_pac;

/* Finds the buffers of a PAC.  False: not well-formed, or two buffers of one kind. */
bool wa_pac_open(wa_span pac, wa_pac *out);

typedef struct wa_pac_logon {
    wa_span account; /* EffectiveName, UTF-16LE; a view into the input */
    wa_span domain;  /* LogonDomainName, UTF-16LE; a view into the input */
    wa_sid sid;      /* the user's */
    size_t listed;   /* how many SIDs wa_pac_list gives at most; <= WA_PAC_LIST_MAX */

    /* for wa_pac_list; views into the input */
    wa_sid group_domain;      /* of the primary group and of groups */
    uint32_t primary;         /* RID; 0: none */
    wa_span groups;           /* GROUP_MEMBERSHIP[] */
    wa_span extra_attributes; /* pointer and attributes, of each */
    wa_span extra_sids;       /* RPC_SID of each, one behind the other */
    wa_sid resource_domain;   /* of resource_groups */
    wa_span resource_groups;  /* GROUP_MEMBERSHIP[] */
} wa_pac_logon;

/* Decodes the logon information.  False: not well-formed, without account, domain or SID, or with
 * more than WA_PAC_SIDS_MAX groups. */
bool wa_pac_parse_logon(wa_span buffer, wa_pac_logon *out);

/* Writes the SIDs of the user, the primary group, the groups, the extra SIDs and the resource
 * groups to out, which has room for logon->listed, and returns how many they are.  Groups that
 * are not enabled for access checks are left out ([MS-PAC] 2.2.1); one may come twice. */
size_t wa_pac_list(const wa_pac_logon *logon, wa_sid *out);

typedef struct wa_pac_names {
    wa_span upn;     /* UTF-16LE; may be empty */
    wa_span dns;     /* DNS name of the account's domain, UTF-16LE; may be empty */
    bool made_up;    /* the account has no UPN: this one was put together from its names */
    bool has_sid;    /* the two below are there */
    wa_span account; /* sAMAccountName, UTF-16LE */
    wa_sid sid;      /* the user's */
} wa_pac_names;

/* Decodes UPN_DNS_INFO; views into the input.  False: not well-formed. */
bool wa_pac_parse_names(wa_span buffer, wa_pac_names *out);

/* Decodes PAC_REQUESTOR: the SID of whom the ticket was asked for.  False: not well-formed. */
bool wa_pac_parse_requestor(wa_span buffer, wa_sid *out);

#endif
