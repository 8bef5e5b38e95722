/* Account names: what may stand in one, how a Kerberos principal splits, and the shapes of
 * REMOTE_USER.
 *
 * A name that could be read in two ways is refused, so that no name of one domain ever equals one
 * of another: DOMAIN\user has exactly one backslash, user@REALM exactly one at sign. */
#ifndef WA_CORE_ACCOUNT_H
#define WA_CORE_ACCOUNT_H

#include "core/bytes.h"

enum { WA_ACCOUNT_MAX = 1024 }; /* a formatted name with its NUL never exceeds this */

/* WinAuthUserFormat */
typedef enum {
    WA_FORMAT_WINDOWS = 0, /* DOMAIN\user, or user@REALM where there is no NetBIOS domain */
    WA_FORMAT_PRINCIPAL,   /* user@REALM, or DOMAIN\user where there is no realm */
    WA_FORMAT_SAM,         /* user, for the server's own domain; else as WA_FORMAT_WINDOWS */
    WA_FORMAT_COUNT
} wa_format;

typedef struct wa_account {
    const char *name;   /* account without domain; never NULL or empty */
    const char *domain; /* NetBIOS domain, or NULL */
    const char *realm;  /* Kerberos realm or DNS domain in upper case, or NULL */
    bool home;          /* the domain or realm is the server's own */
} wa_account;

/* True iff name can be a Windows account or domain: 1 to 256 bytes of UTF-8 with no control
 * character and none of  " / \ [ ] : ; | = , + * ? < > @  */
bool wa_account_name_ok(const char *name);

/* Splits a displayed principal at its at sign.  False when it holds anything that had to be
 * escaped (backslash, a second at sign, control characters), when either side is empty, and for
 * WELLKNOWN/..., which is nobody's account. */
bool wa_account_split_principal(const char *principal, wa_span *name_out, wa_span *realm_out);

/* Writes the account in the given format, with its NUL, to out, which has WA_ACCOUNT_MAX bytes.
 * False: neither domain nor realm is known, or the name is too long. */
bool wa_account_format(const wa_account *account, wa_format format, char *out);

/* Same domain name: case of ASCII letters does not matter. */
bool wa_account_same_domain(const char *a, const char *b);

#endif
