#include "core/account.h"

#include "core/utf.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 256 };

/* C0, DEL, and C1 as UTF-8 writes it; s is well-formed UTF-8. */
static bool is_control(const char *s)
{
    unsigned char c = (unsigned char)*s;

    return c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

/* The first n bytes of name. */
static bool is_name(const char *name, size_t n, const char *forbidden)
{
    size_t i;

    if (n == 0 || n > NAME_MAX_BYTES || !wa_utf8_valid(wa_span_of(name, n))) {
        return false;
    }
    for (i = 0; i < n; i++) {
        if (is_control(&name[i]) || strchr(forbidden, name[i]) != NULL) {
            return false;
        }
    }
    return true;
}

bool wa_account_name_ok(const char *name)
{
    return is_name(name, strlen(name), "\"/\\[]:;|=,+*?<>@");
}

bool wa_account_upn_ok(const char *upn)
{
    const char *at = strchr(upn, '@');

    return at != NULL && is_name(upn, (size_t)(at - upn), "\"/\\[]:;|=,*?<>")
           && wa_account_name_ok(at + 1);
}

bool wa_account_split_principal(const char *principal, wa_span *name_out, wa_span *realm_out)
{
    size_t n = strlen(principal);
    const char *at = strchr(principal, '@');
    size_t i;

    *name_out = *realm_out = wa_span_of(NULL, 0);
    if (strncmp(principal, "WELLKNOWN/", 10) == 0) {
        return false; /* RFC 6112 and the like: no account */
    }
    if (at == NULL || at == principal || at[1] == '\0' || strchr(at + 1, '@') != NULL
        || !wa_utf8_valid(wa_span_of(principal, n))) {
        return false;
    }
    for (i = 0; i < n; i++) {
        if (is_control(&principal[i]) || principal[i] == '\\') {
            return false;
        }
    }
    *name_out = wa_span_of(principal, (size_t)(at - principal));
    *realm_out = wa_span_of(at + 1, n - name_out->n - 1);
    return true;
}

/* Neither part may be empty or hold a separator: the result must be readable in one way only. */
static bool put(char *out, const char *a, char separator, const char *b)
{
    int n;

    if (*a == '\0' || *b == '\0' || strpbrk(a, "\\@") != NULL || strpbrk(b, "\\@") != NULL) {
        return false;
    }
    n = snprintf(out, WA_ACCOUNT_MAX, "%s%c%s", a, separator, b);

    return n > 0 && n < WA_ACCOUNT_MAX;
}

static bool put_whole(char *out, const char *name)
{
    int n = name != NULL ? snprintf(out, WA_ACCOUNT_MAX, "%s", name) : 0;

    return n > 0 && n < WA_ACCOUNT_MAX;
}

/* A realm that is not a DNS domain's is taken as it is: realms are told apart by case, too. */
static bool put_upn(char *out, const wa_account *account)
{
    if (account->upn != NULL) {
        return wa_account_upn_ok(account->upn) && put_whole(out, account->upn);
    }
    return account->realm != NULL && wa_account_name_ok(account->name)
           && put(out, account->name, '@', account->realm);
}

bool wa_account_format(const wa_account *account, wa_format format, char *out)
{
    /* host/web@REALM has no Windows shape */
    const char *domain =
        account->domain != NULL && wa_account_name_ok(account->name) ? account->domain : NULL;

    if (format == WA_FORMAT_SID) {
        return put_whole(out, account->sid);
    }
    if (format == WA_FORMAT_UPN) {
        return put_upn(out, account);
    }
    if (format == WA_FORMAT_SAM && account->home && wa_account_name_ok(account->name)) {
        return put_whole(out, account->name);
    }
    if (account->realm != NULL && (domain == NULL || format == WA_FORMAT_PRINCIPAL)) {
        return put(out, account->name, '@', account->realm);
    }
    return domain != NULL && put(out, domain, '\\', account->name);
}

bool wa_account_same_domain(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcasecmp(a, b) == 0;
}
