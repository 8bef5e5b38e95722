#include "engine/identity.h"

const char *wa_package_name(wa_package package)
{
    static const char *const names[WA_PACKAGE_COUNT] = { NULL, "Kerberos", "NTLM" };

    return package < WA_PACKAGE_COUNT ? names[package] : NULL;
}
