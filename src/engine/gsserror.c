#include "engine/gsserror.h"

#include <errno.h>
#include <krb5.h>
#include <stddef.h>

typedef struct row {
    OM_uint32 code;
    wa_verdict verdict;
    wa_reason reason;
} row;

/* clang-format off */
/* The minor status says more than the major one. */
static const row minors[] = {
    { (OM_uint32)KRB5KRB_AP_ERR_SKEW, WA_VERDICT_FAILED, WA_REASON_CLOCK_SKEW },
    { (OM_uint32)KRB5KRB_AP_ERR_TKT_NYV, WA_VERDICT_FAILED, WA_REASON_CLOCK_SKEW },
    { (OM_uint32)KRB5KRB_AP_ERR_TKT_EXPIRED, WA_VERDICT_FAILED, WA_REASON_TICKET_EXPIRED },
    { (OM_uint32)KRB5KRB_AP_ERR_REPEAT, WA_VERDICT_FAILED, WA_REASON_REPLAY },
    { (OM_uint32)KRB5KRB_AP_ERR_MODIFIED, WA_VERDICT_FAILED, WA_REASON_WRONG_KEY },
    { (OM_uint32)KRB5KRB_AP_ERR_BAD_INTEGRITY, WA_VERDICT_FAILED, WA_REASON_WRONG_KEY },
    { (OM_uint32)KRB5KRB_AP_ERR_NOKEY, WA_VERDICT_FAILED, WA_REASON_NO_KEY },
    { (OM_uint32)KRB5KRB_AP_ERR_BADKEYVER, WA_VERDICT_FAILED, WA_REASON_NO_KEY },
    { (OM_uint32)KRB5KRB_AP_ERR_NOT_US, WA_VERDICT_FAILED, WA_REASON_WRONG_PRINCIPAL },
    { (OM_uint32)KRB5_KT_NOTFOUND, WA_VERDICT_FAILED, WA_REASON_NO_KEY },
    { (OM_uint32)KRB5_KT_KVNONOTFOUND, WA_VERDICT_FAILED, WA_REASON_NO_KEY },
    { (OM_uint32)KRB5_WRONG_ETYPE, WA_VERDICT_FAILED, WA_REASON_NO_KEY },
    { (OM_uint32)KRB5_NOPERM_ETYPE, WA_VERDICT_FAILED, WA_REASON_NO_KEY },
    { (OM_uint32)KRB5KRB_AP_WRONG_PRINC, WA_VERDICT_FAILED, WA_REASON_WRONG_PRINCIPAL },
    { (OM_uint32)KRB5_KT_IOERR, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { (OM_uint32)KRB5_KEYTAB_BADVNO, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { ENOENT, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { EACCES, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { EIO, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { ECONNREFUSED, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { ENOMEM, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { (OM_uint32)KRB5_RC_IO, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { (OM_uint32)KRB5_RC_IO_PERM, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { (OM_uint32)KRB5_RC_IO_SPACE, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
};

static const row majors[] = {
    { GSS_S_BAD_BINDINGS, WA_VERDICT_FAILED, WA_REASON_EPA_MISMATCH },
    { GSS_S_CREDENTIALS_EXPIRED, WA_VERDICT_FAILED, WA_REASON_TICKET_EXPIRED },
    { GSS_S_NO_CRED, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
    { GSS_S_DEFECTIVE_CREDENTIAL, WA_VERDICT_UNAVAILABLE, WA_REASON_CREDENTIALS_UNAVAILABLE },
};
/* clang-format on */

static const row *find(const row *rows, size_t n, OM_uint32 code)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

/* With gssproxy in between, its library has added this to the mechanism's code. */
static const OM_uint32 gssproxy_base = 0x04200000;

void wa_gsserror_map(OM_uint32 major, OM_uint32 minor, wa_verdict *verdict_out,
                     wa_reason *reason_out)
{
    const row *r = find(minors, sizeof(minors) / sizeof(minors[0]), minor);

    if (r == NULL) {
        r = find(minors, sizeof(minors) / sizeof(minors[0]), minor - gssproxy_base);
    }
    if (r == NULL) {
        r = find(majors, sizeof(majors) / sizeof(majors[0]), GSS_ROUTINE_ERROR(major));
    }
    *verdict_out = r != NULL ? r->verdict : WA_VERDICT_FAILED;
    *reason_out = r != NULL ? r->reason : WA_REASON_BAD_TOKEN;
}
