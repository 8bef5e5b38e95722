#include "core/pac.h"

#include <string.h>

enum {
    NULL_POINTER = 0,
    SE_GROUP_ENABLED = 4,
    MEMBERSHIP_BYTES = 8, /* RelativeId and Attributes, or a pointer to a SID and Attributes */
    FLAG_UPN_MADE_UP = 1,
    FLAG_UPN_EXTENDED = 2
};

/* ---- the container ---- */

/* ulType */
enum { TYPE_LOGON = 1, TYPE_UPN_DNS = 12, TYPE_REQUESTOR = 18 };

static wa_span *place_for(wa_pac *pac, uint32_t type)
{
    switch (type) {
    case TYPE_LOGON:
        return &pac->logon;
    case TYPE_UPN_DNS:
        return &pac->upn_dns;
    case TYPE_REQUESTOR:
        return &pac->requestor;
    default:
        return NULL;
    }
}

/* PACTYPE: cBuffers, Version (0), then ulType, cbBufferSize and Offset (a multiple of eight) of
 * each. */
bool wa_pac_open(wa_span pac, wa_pac *out)
{
    uint32_t seen[WA_PAC_BUFFERS_MAX];
    uint32_t count, version, i, k;
    wa_reader r;

    memset(out, 0, sizeof(*out));
    wa_reader_init(&r, pac);
    count = wa_reader_le32(&r);
    version = wa_reader_le32(&r);
    if (r.bad || version != 0 || count > WA_PAC_BUFFERS_MAX || count > wa_reader_left(&r) / 16) {
        return false;
    }
    for (i = 0; i < count; i++) {
        uint32_t size;
        uint64_t offset;
        wa_span buffer;
        wa_span *place;
        seen[i] = wa_reader_le32(&r);
        size = wa_reader_le32(&r);
        offset = wa_reader_le64(&r);
        if (offset % 8 != 0 || offset < 8 + 16 * (uint64_t)count || offset > pac.n
            || !wa_span_slice(pac, (size_t)offset, size, &buffer)) {
            return false;
        }
        for (k = 0; k < i; k++) {
            if (seen[k] == seen[i]) {
                return false;
            }
        }
        place = place_for(out, seen[i]);
        if (place != NULL) {
            *place = buffer;
            if (buffer.n == 0) {
                return false; /* it would look like none */
            }
        }
    }
    return true;
}

/* ---- NDR ---- */

/* RPC_UNICODE_STRING as it stands in the structure: Length, MaximumLength, Buffer (a pointer). */
typedef struct string_field {
    unsigned bytes; /* Length */
    bool present;   /* Buffer is not null */
} string_field;

/* A counted array as it stands in the structure: its count, and a pointer. */
typedef struct array_field {
    uint32_t count;
    bool present; /* the pointer is not null */
} array_field;

static string_field read_string_field(wa_reader *r)
{
    string_field f;

    f.bytes = wa_reader_le16(r);
    (void)wa_reader_le16(r); /* MaximumLength */
    f.present = wa_reader_le32(r) != NULL_POINTER;
    return f;
}

static array_field read_array_field(wa_reader *r)
{
    array_field f;

    f.count = wa_reader_le32(r);
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
    uint32_t max, count;

    if (!f.present) {
        return s;
    }
    align4(r);
    max = wa_reader_le32(r);
    if (wa_reader_le32(r) != 0) {
        r->bad = true; /* Offset */
    }
    count = wa_reader_le32(r);
    if (count > max || count > wa_reader_left(r) / 2 || f.bytes > 2 * count || f.bytes % 2 != 0) {
        r->bad = true;
        return s;
    }
    s = wa_reader_bytes(r, 2 * (size_t)count);
    (void)wa_span_slice(s, 0, f.bytes, &s);
    return s;
}

/* What an array field points to: MaximumCount, then eight bytes of each. */
static wa_span read_array(wa_reader *r, array_field f)
{
    wa_span none = { NULL, 0 };

    if (!f.present) {
        r->bad = r->bad || f.count != 0;
        return none;
    }
    align4(r);
    if (wa_reader_le32(r) != f.count || f.count > WA_PAC_SIDS_MAX
        || f.count > wa_reader_left(r) / MEMBERSHIP_BYTES) {
        r->bad = true;
        return none;
    }
    return wa_reader_bytes(r, MEMBERSHIP_BYTES * (size_t)f.count);
}

/* RPC_SID: MaximumCount, which says once more how many sub-authorities there are, then a SID. */
static void read_sid(wa_reader *r, wa_sid *out)
{
    uint32_t max;

    align4(r);
    max = wa_reader_le32(r);
    wa_sid_read(r, out);
    r->bad = r->bad || out->count != max;
}

/* The SID of a domain, whose accounts have one sub-authority more. */
static void read_domain_sid(wa_reader *r, wa_sid *out)
{
    read_sid(r, out);
    r->bad = r->bad || out->count == 0 || out->count == WA_SID_SUBAUTHS_MAX;
}

/* What the array of ExtraSids points to: one SID behind the other, in the order of its pointers.
 */
static wa_span read_extra_sids(wa_reader *r, wa_span pointers)
{
    size_t start, n;
    wa_reader p;
    wa_span s;

    wa_reader_init(&p, pointers);
    align4(r);
    start = r->pos;
    while (!r->bad && wa_reader_left(&p) > 0) {
        wa_sid sid;
        bool present = wa_reader_le32(&p) != NULL_POINTER;
        (void)wa_reader_le32(&p); /* Attributes */
        read_sid(r, &sid);
        r->bad = r->bad || !present || sid.count == 0;
    }
    n = r->bad ? 0 : r->pos - start;
    (void)wa_span_slice(r->in, start, n, &s);
    return s;
}

/* Common header (version 1, little-endian, length 8, filler), private header (length, filler),
 * and the pointer to the structure.  What the length does not cover is not read. */
static bool open_serialized(wa_span buffer, wa_reader *r)
{
    uint32_t length;
    wa_span object;

    wa_reader_init(r, buffer);
    if (wa_reader_u8(r) != 1 || wa_reader_u8(r) != 0x10 || wa_reader_le16(r) != 8) {
        return false;
    }
    (void)wa_reader_le32(r);
    length = wa_reader_le32(r); /* ObjectBufferLength */
    (void)wa_reader_le32(r);
    object = wa_reader_bytes(r, length);
    if (r->bad) {
        return false;
    }
    wa_reader_init(r, object);
    return wa_reader_le32(r) != NULL_POINTER;
}

/* ---- KERB_VALIDATION_INFO ---- */

typedef struct fixed_part {
    string_field
        names[6]; /* Effective, Full, LogonScript, ProfilePath, HomeDirectory and drive */
    string_field server, domain;
    uint32_t rid;
    array_field groups, extra, resource;
    bool has_domain_sid, has_resource_sid;
} fixed_part;

/* The structure itself, in its order.  UserFlags, which says whether ExtraSids and
 * ResourceGroupIds are filled, is not asked: their counts say it. */
static void read_fixed(wa_reader *r, fixed_part *f, wa_pac_logon *out)
{
    size_t i;

    (void)wa_reader_bytes(r, 48); /* LogonTime to PasswordMustChange, 6 of 8 bytes */
    for (i = 0; i < 6; i++) {
        f->names[i] = read_string_field(r);
    }
    (void)wa_reader_le32(r);          /* LogonCount, BadPasswordCount */
    f->rid = wa_reader_le32(r);       /* UserId */
    out->primary = wa_reader_le32(r); /* PrimaryGroupId */
    f->groups = read_array_field(r);
    (void)wa_reader_bytes(r, 4 + 16); /* UserFlags, UserSessionKey */
    f->server = read_string_field(r);
    f->domain = read_string_field(r);
    f->has_domain_sid = wa_reader_le32(r) != NULL_POINTER;
    /* Reserved1, UserAccountControl, SubAuthStatus, LastSuccessfulILogon, LastFailedILogon,
     * FailedILogonCount, Reserved3 */
    (void)wa_reader_bytes(r, 8 + 4 + 4 + 8 + 8 + 4 + 4);
    f->extra = read_array_field(r);
    f->has_resource_sid = wa_reader_le32(r) != NULL_POINTER;
    f->resource = read_array_field(r);
}

/* What its pointers point to, in the same order. */
static void read_deferred(wa_reader *r, const fixed_part *f, wa_pac_logon *out)
{
    size_t i;

    out->account = read_string(r, f->names[0]);
    for (i = 1; i < 6; i++) {
        (void)read_string(r, f->names[i]);
    }
    out->groups = read_array(r, f->groups);
    (void)read_string(r, f->server);
    out->domain = read_string(r, f->domain);
    if (f->has_domain_sid) {
        read_domain_sid(r, &out->group_domain);
    }
    out->extra_attributes = read_array(r, f->extra);
    out->extra_sids = read_extra_sids(r, out->extra_attributes);
    if (f->has_resource_sid) {
        read_domain_sid(r, &out->resource_domain);
    }
    else {
        r->bad = r->bad || f->resource.count != 0;
    }
    out->resource_groups = read_array(r, f->resource);
}

/* The user's SID: in the domain, or, for a user from elsewhere, the first of ExtraSids. */
static bool settle_sid(const fixed_part *f, wa_pac_logon *out)
{
    wa_reader r;

    if (f->rid != 0) {
        out->sid = out->group_domain;
        return wa_sid_append(&out->sid, f->rid);
    }
    wa_reader_init(&r, out->extra_sids);
    read_sid(&r, &out->sid);
    return !r.bad;
}

bool wa_pac_parse_logon(wa_span buffer, wa_pac_logon *out)
{
    fixed_part f;
    wa_reader r;
    size_t groups;

    memset(out, 0, sizeof(*out));
    if (!open_serialized(buffer, &r)) {
        return false;
    }
    read_fixed(&r, &f, out);
    read_deferred(&r, &f, out);
    groups = (size_t)f.groups.count + f.extra.count + f.resource.count;
    out->listed = groups + 2;
    return !r.bad && f.has_domain_sid && out->account.n > 0 && out->domain.n > 0
           && groups <= WA_PAC_SIDS_MAX && settle_sid(&f, out);
}

/* The enabled ones of an array of groups, behind the n that are in out; their number with those.
 */
static size_t list_groups(wa_span groups, const wa_sid *domain, wa_sid *out, size_t n)
{
    wa_reader r;

    wa_reader_init(&r, groups);
    while (wa_reader_left(&r) > 0) {
        uint32_t rid = wa_reader_le32(&r);
        uint32_t attributes = wa_reader_le32(&r);
        if ((attributes & SE_GROUP_ENABLED) != 0) {
            out[n] = *domain;
            n += wa_sid_append(&out[n], rid);
        }
    }
    return n;
}

size_t wa_pac_list(const wa_pac_logon *logon, wa_sid *out)
{
    wa_reader attributes, sids;
    size_t n = 0;

    out[n++] = logon->sid;
    if (logon->primary != 0) {
        out[n] = logon->group_domain;
        n += wa_sid_append(&out[n], logon->primary);
    }
    n = list_groups(logon->groups, &logon->group_domain, out, n);
    wa_reader_init(&attributes, logon->extra_attributes);
    wa_reader_init(&sids, logon->extra_sids);
    while (wa_reader_left(&attributes) > 0) {
        (void)wa_reader_le32(&attributes); /* the pointer */
        read_sid(&sids, &out[n]);
        n += (wa_reader_le32(&attributes) & SE_GROUP_ENABLED) != 0;
    }
    return list_groups(logon->resource_groups, &logon->resource_domain, out, n);
}

/* ---- UPN_DNS_INFO, PAC_REQUESTOR ---- */

/* A length and an offset from the start of the buffer, behind the header of so many bytes. */
static bool read_part(wa_reader *r, size_t header, bool text, wa_span *out)
{
    unsigned length = wa_reader_le16(r);
    unsigned offset = wa_reader_le16(r);

    *out = wa_span_of(NULL, 0);
    if (r->bad || length == 0) {
        return !r->bad;
    }
    return offset >= header && !(text && length % 2 != 0)
           && wa_span_slice(r->in, offset, length, out);
}

/* UpnLength, UpnOffset, DnsDomainNameLength, DnsDomainNameOffset, Flags; if those say so,
 * SamNameLength, SamNameOffset, SidLength, SidOffset. */
bool wa_pac_parse_names(wa_span buffer, wa_pac_names *out)
{
    enum { FLAGS_AT = 8, HEADER = 12, EXTENDED_HEADER = 20 };
    wa_span head, sid;
    wa_reader r;
    uint32_t flags;
    size_t header;

    memset(out, 0, sizeof(*out));
    if (!wa_span_slice(buffer, FLAGS_AT, HEADER - FLAGS_AT, &head)) {
        return false;
    }
    wa_reader_init(&r, head);
    flags = wa_reader_le32(&r);
    out->made_up = (flags & FLAG_UPN_MADE_UP) != 0;
    out->has_sid = (flags & FLAG_UPN_EXTENDED) != 0;
    header = out->has_sid ? EXTENDED_HEADER : HEADER;
    wa_reader_init(&r, buffer);
    if (!read_part(&r, header, true, &out->upn) || !read_part(&r, header, true, &out->dns)) {
        return false;
    }
    (void)wa_reader_le32(&r); /* Flags */
    return !out->has_sid
           || (read_part(&r, header, true, &out->account) && read_part(&r, header, false, &sid)
               && wa_pac_parse_requestor(sid, &out->sid));
}

/* A SID, and nothing behind it. */
bool wa_pac_parse_requestor(wa_span buffer, wa_sid *out)
{
    wa_reader r;

    wa_reader_init(&r, buffer);
    wa_sid_read(&r, out);
    return !r.bad && out->count > 0 && wa_reader_left(&r) == 0;
}
