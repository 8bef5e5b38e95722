/* Who a Kerberos ticket is for, in the words of the domain controller that issued it: the logon
 * information of a PAC.
 *
 * The name in the ticket is what the client typed; the account's own spelling, its NetBIOS domain
 * and its SID stand here.  Only a PAC whose signature the Kerberos library has verified may be
 * read. Sources: [MS-PAC] 2.5 (KERB_VALIDATION_INFO), [MS-RPCE] 2.2.6 (type serialization version
 * 1). */
#ifndef WA_CORE_PAC_H
#define WA_CORE_PAC_H

#include "core/bytes.h"

enum {
    WA_SID_SUBAUTHS_MAX = 15, /* [MS-DTYP] 2.4.2 */
    WA_SID_TEXT_MAX = 192     /* "S-1-", 15 digits, 15 times "-" and 10 digits, NUL */
};

typedef struct wa_sid {
    uint64_t authority; /* 48 bits */
    unsigned count;     /* of subs; <= WA_SID_SUBAUTHS_MAX */
    uint32_t subs[WA_SID_SUBAUTHS_MAX];
} wa_sid;

typedef struct wa_pac_logon {
    wa_span account; /* EffectiveName, UTF-16LE; a view into the input */
    wa_span domain;  /* LogonDomainName, UTF-16LE; a view into the input */
    wa_sid sid; /* LogonDomainId and UserId; count 0 when the SID stands elsewhere (UserId 0) */
} wa_pac_logon;

/* Decodes the logon information buffer.  False: not well-formed, or without account, domain or
 * SID. */
bool wa_pac_parse_logon(wa_span buffer, wa_pac_logon *out);

/* Writes the SID in S-1-... form, with its NUL. */
void wa_sid_format(const wa_sid *sid, char out[WA_SID_TEXT_MAX]);

#endif
