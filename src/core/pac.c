#include "core/pac.h"

#include <stdio.h>
#include <string.h>

enum { NULL_POINTER = 0 };

/* RPC_UNICODE_STRING as it stands in the structure: Length, MaximumLength, Buffer (a pointer). */
typedef struct string_field {
    unsigned bytes; /* Length */
    bool present;   /* Buffer is not null */
} string_field;

static string_field read_string_field(wa_reader *r)
{
    string_field f;

    f.bytes = wa_reader_le16(r);
    (void)wa_reader_le16(r); /* MaximumLength */
    f.present = wa_reader_le32(r) != NULL_POINTER;
    return f;
}

/* NDR aligns what follows to four bytes, counted from the end of the serialization headers; those
 * are sixteen bytes long, so from the start of the buffer is the same. */
static void align4(wa_reader *r)
{
    while (!r->bad && r->pos % 4 != 0) {
        (void)wa_reader_u8(r);
    }
}

/* What a string field points to: MaximumCount, Offset, ActualCount, then the characters. */
static wa_span read_string(wa_reader *r, string_field f)
{
    wa_span s = { NULL, 0 };
    uint32_t count;

    if (!f.present) {
        return s;
    }
    align4(r);
    (void)wa_reader_le32(r); /* MaximumCount */
    if (wa_reader_le32(r) != 0) {
        r->bad = true; /* Offset */
    }
    count = wa_reader_le32(r);
    if (count > wa_reader_left(r) / 2 || f.bytes > 2 * count || f.bytes % 2 != 0) {
        r->bad = true;
        return s;
    }
    s = wa_reader_bytes(r, 2 * (size_t)count);
    (void)wa_span_slice(s, 0, f.bytes, &s);
    return s;
}

/* GROUP_MEMBERSHIP array: MaximumCount, then RelativeId and Attributes of each; skipped. */
static void skip_groups(wa_reader *r, uint32_t count, bool present)
{
    if (!present) {
        r->bad = r->bad || count != 0;
        return;
    }
    align4(r);
    if (wa_reader_le32(r) != count || count > wa_reader_left(r) / 8) {
        r->bad = true;
        return;
    }
    (void)wa_reader_bytes(r, 8 * (size_t)count);
}

/* RPC_SID: MaximumCount, Revision, SubAuthorityCount, IdentifierAuthority (big-endian),
 * SubAuthority */
static void read_sid(wa_reader *r, wa_sid *out)
{
    uint32_t max;
    unsigned i;

    align4(r);
    max = wa_reader_le32(r);
    if (wa_reader_u8(r) != 1) {
        r->bad = true;
    }
    out->count = wa_reader_u8(r);
    for (i = 0; i < 6; i++) {
        out->authority = out->authority << 8 | wa_reader_u8(r);
    }
    if (out->count != max
        || out->count >= WA_SID_SUBAUTHS_MAX) { /* one place is left for the RID */
        r->bad = true;
        out->count = 0;
    }
    for (i = 0; i < out->count; i++) {
        out->subs[i] = wa_reader_le32(r);
    }
}

/* Common header (version 1, little-endian, length 8, filler), private header (length, filler),
 * and the pointer to the structure. */
static bool open_serialized(wa_reader *r)
{
    bool known = wa_reader_u8(r) == 1 && wa_reader_u8(r) == 0x10 && wa_reader_le16(r) == 8;

    (void)wa_reader_le32(r);
    (void)wa_reader_le32(r); /* ObjectBufferLength: the buffer has its own */
    (void)wa_reader_le32(r);
    return known && wa_reader_le32(r) != NULL_POINTER;
}

/* KERB_VALIDATION_INFO in its order; then what its pointers point to, in the same order. */
bool wa_pac_parse_logon(wa_span buffer, wa_pac_logon *out)
{
    string_field
        names[6]; /* Effective, Full, LogonScript, ProfilePath, HomeDirectory and its drive */
    string_field server, domain;
    uint32_t rid, groups;
    bool has_groups, has_sid;
    wa_reader r;
    size_t i;

    memset(out, 0, sizeof(*out));
    wa_reader_init(&r, buffer);
    if (!open_serialized(&r)) {
        return false;
    }
    (void)wa_reader_bytes(&r, 6 * 8); /* LogonTime to PasswordMustChange */
    for (i = 0; i < 6; i++) {
        names[i] = read_string_field(&r);
    }
    (void)wa_reader_le32(&r); /* LogonCount, BadPasswordCount */
    rid = wa_reader_le32(&r); /* UserId */
    (void)wa_reader_le32(&r); /* PrimaryGroupId */
    groups = wa_reader_le32(&r);
    has_groups = wa_reader_le32(&r) != NULL_POINTER;
    (void)wa_reader_bytes(&r, 4 + 16); /* UserFlags, UserSessionKey */
    server = read_string_field(&r);
    domain = read_string_field(&r);
    has_sid = wa_reader_le32(&r) != NULL_POINTER;
    /* Reserved1, UserAccountControl, SubAuthStatus, LastSuccessfulILogon, LastFailedILogon,
     * FailedILogonCount, Reserved3, SidCount, ExtraSids, ResourceGroupDomainSid,
     * ResourceGroupCount, ResourceGroupIds: not used here */
    (void)wa_reader_bytes(&r, 8 + 4 + 4 + 8 + 8 + 4 + 4 + 4 + 4 + 4 + 4 + 4);
    out->account = read_string(&r, names[0]);
    for (i = 1; i < 6; i++) {
        (void)read_string(&r, names[i]);
    }
    skip_groups(&r, groups, has_groups);
    (void)read_string(&r, server);
    out->domain = read_string(&r, domain);
    if (!has_sid) {
        return false;
    }
    read_sid(&r, &out->sid);
    if (rid != 0) {
        out->sid.subs[out->sid.count++] = rid;
    }
    else {
        out->sid.count = 0; /* the SID is the first of ExtraSids then, which are not read */
    }
    return !r.bad && out->account.n > 0 && out->domain.n > 0;
}

void wa_sid_format(const wa_sid *sid, char out[WA_SID_TEXT_MAX])
{
    int n = snprintf(out, WA_SID_TEXT_MAX, "S-1-%llu", (unsigned long long)sid->authority);
    unsigned i;

    for (i = 0; i < sid->count; i++) {
        n += snprintf(out + n, WA_SID_TEXT_MAX - (size_t)n, "-%lu", (unsigned long)sid->subs[i]);
    }
}
