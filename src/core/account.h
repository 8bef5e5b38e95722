/* Account names: what may stand in one, how a Kerberos principal splits, and the shapes of
 * REMOTE_USER.
 *
 * A name that could be read in two ways is refused, so that no name of one domain ever equals one
 * of another: DOMAIN\user has exactly one backslash, user@REALM exactly one at sign. */
#ifndef WA_CORE_ACCOUNT_H
#define WA_CORE_ACCOUNT_H

#include "core/sid.h"

enum { WA_ACCOUNT_MAX = 1024 }; /* a formatted name with its NUL never exceeds this */

/* WinAuthUserFormat */
typedef enum {
    WA_FORMAT_WINDOWS = 0, /* DOMAIN\user, or user@REALM where there is no NetBIOS domain */
    WA_FORMAT_PRINCIPAL,   /* user@REALM, or DOMAIN\user where there is no realm */
    WA_FORMAT_SAM,         /* user, for the server's own domain; else as WA_FORMAT_WINDOWS */
    WA_FORMAT_UPN,         /* the user principal name */
    WA_FORMAT_SID,         /* S-1-… */
    WA_FORMAT_COUNT
} wa_format;

typedef struct wa_account {
    const char *name;   /* account without domain; never NULL or empty */
    const char *domain; /* NetBIOS domain, or NULL */
    const char *realm;  /* Kerberos realm or DNS domain in upper case, or NULL */
    bool home;          /* the domain or realm is the server's own */
    const char *upn; /* user principal name, or NULL when none is known: then it is name@realm */
    const char *sid; /* of the user in S-1-… form, or NULL when not known */
    const wa_sidset *sids; /* of the user and all groups, or NULL when those are not known */
    bool self_named;       /* nobody but the domain itself says that this is its name */
} wa_account;

/* True iff name can be a Windows account or domain: 1 to 256 bytes of UTF-8 with no control
 * character and none of  " / \ [ ] : ; | = , + * ? < > @  */
bool wa_account_name_ok(const char *name);

/* Splits a displayed principal at its at sign.  False when it holds anything that had to be
 * escaped (backslash, a second at sign, control characters), when either side is empty, and for
 * WELLKNOWN/..., which is nobody's account. */
bool wa_account_split_principal(const char *principal, wa_span *name_out, wa_span *realm_out);

/* True iff upn can be a user principal name: account@suffix, neither of which holds what an
 * account name may not hold, but for a plus sign before the suffix. */
bool wa_account_upn_ok(const char *upn);

/* Writes the account in the given format, with its NUL, to out, which has WA_ACCOUNT_MAX bytes.
 * False: what the format is made of is not known, or the name is too long. */
bool wa_account_format(const wa_account *account, wa_format format, char *out);

/* Same domain name: case of ASCII letters does not matter. */
bool wa_account_same_domain(const char *a, const char *b);

#endif
