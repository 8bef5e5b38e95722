#include "core/ntlm.h"

#include "core/utf.h"

#include <string.h>

static const unsigned char signature[8] = { 'N', 'T', 'L', 'M', 'S', 'S', 'P', 0 };

enum {
    NEGOTIATE_MIN = 16,
    CHALLENGE_MIN = 32,
    CHALLENGE_PAYLOAD = 56, /* after the version, which is always there: as Windows does */
    AUTHENTICATE_MIN = 64,
    ANONYMOUS_LM_MAX = 1 /* an anonymous client sends one zero byte as LM response, or nothing */
};

/* [MS-NLMP] 2.2.2.1 */
enum {
    AV_EOL = 0,
    AV_NB_COMPUTER = 1,
    AV_NB_DOMAIN = 2,
    AV_DNS_COMPUTER = 3,
    AV_DNS_DOMAIN = 4,
    AV_DNS_TREE = 5,
    AV_FLAGS = 6,
    AV_TIMESTAMP = 7,
    AV_TARGET_NAME = 9,
    AV_CHANNEL_BINDINGS = 10
};

enum { AV_FLAG_MIC = 0x2 };

unsigned wa_ntlm_message_type(wa_span message)
{
    wa_reader r;
    uint32_t type;

    wa_reader_init(&r, message);
    if (!wa_span_equal(wa_reader_bytes(&r, sizeof(signature)),
                       wa_span_of(signature, sizeof(signature)))) {
        return 0;
    }
    type = wa_reader_le32(&r);
    return !r.bad && type >= 1 && type <= 3 ? type : 0;
}

/* A reader behind signature and type, or false when message is not of that type. */
static bool open_message(wa_span message, unsigned type, wa_reader *r)
{
    wa_reader_init(r, message);
    wa_reader_bytes(r, sizeof(signature) + 4);
    return wa_ntlm_message_type(message) == type;
}

/* Reads one {Len, MaxLen, BufferOffset} and resolves it; MaxLen is ignored, and so is the offset
 * of an empty field.  A field may not point into the fixed part, which ends at payload. */
static wa_span field(wa_reader *r, size_t payload)
{
    size_t len = wa_reader_le16(r);
    size_t off;
    wa_span s = { NULL, 0 };

    (void)wa_reader_le16(r); /* MaxLen */
    off = wa_reader_le32(r);
    if (!r->bad && len > 0 && (off < payload || !wa_span_slice(r->in, off, len, &s))) {
        r->bad = true;
    }
    return s;
}

/* [MS-NLMP] 2.2.1.1: Signature, MessageType, NegotiateFlags, DomainNameFields, WorkstationFields,
 * Version, Payload.  Old clients stop after the flags, many after the fields. */
bool wa_ntlm_parse_negotiate(wa_span message, wa_ntlm_negotiate *out)
{
    wa_reader r;

    memset(out, 0, sizeof(*out));
    if (!open_message(message, 1, &r)) {
        return false;
    }
    out->flags = wa_reader_le32(&r);
    if (r.bad || (out->flags & (WA_NTLM_UNICODE | WA_NTLM_OEM)) == 0) {
        return false;
    }
    if (out->flags & WA_NTLM_DOMAIN_SUPPLIED) {
        (void)field(&r, NEGOTIATE_MIN);
    }
    else if (wa_reader_left(&r) >= 8) {
        (void)wa_reader_bytes(&r, 8); /* DomainNameFields mean nothing without their flag */
    }
    if (out->flags & WA_NTLM_WORKSTATION_SUPPLIED) {
        (void)field(&r, NEGOTIATE_MIN);
    }
    return !r.bad;
}

/* AV_PAIR list, [MS-NLMP] 2.2.2.1: {AvId, AvLen, Value}*.  The list must end in MsvAvEOL. */
static bool parse_av_pairs(wa_reader *r, wa_ntlm_blob *out)
{
    while (!r->bad) {
        uint16_t id = wa_reader_le16(r);
        wa_span value = wa_reader_bytes(r, wa_reader_le16(r));
        wa_reader v;

        wa_reader_init(&v, value);
        switch (r->bad ? AV_EOL : id) {
        case AV_EOL:
            return !r->bad;
        case AV_FLAGS:
            out->av_flags |= wa_reader_le32(&v);
            r->bad = v.bad;
            break;
        case AV_TARGET_NAME: /* twice would be two answers to one question */
            r->bad = out->target_name.n != 0;
            out->target_name = value;
            break;
        case AV_CHANNEL_BINDINGS:
            r->bad = value.n != WA_NTLM_HASH_LEN || out->channel_bindings.n != 0;
            out->channel_bindings = value;
            break;
        default:
            break; /* names and timestamp are echoes of ours; unknown pairs are skipped */
        }
    }
    return false;
}

/* NTLMv2_CLIENT_CHALLENGE, [MS-NLMP] 2.2.2.7: RespType, HiRespType, Reserved1, Reserved2,
 * TimeStamp, ChallengeFromClient, Reserved3, AvPairs. */
static bool parse_blob(wa_span nt, wa_ntlm_blob *out)
{
    wa_reader r;

    wa_reader_init(&r, nt);
    (void)wa_reader_bytes(&r, WA_NTLM_HASH_LEN); /* NTProofStr */
    if (wa_reader_u8(&r) != 1 || wa_reader_u8(&r) != 1) {
        return false;
    }
    (void)wa_reader_le16(&r); /* Reserved1 */
    (void)wa_reader_le32(&r); /* Reserved2 */
    out->timestamp = wa_reader_le64(&r);
    (void)wa_reader_le64(&r); /* ChallengeFromClient */
    (void)wa_reader_le32(&r); /* Reserved3 */
    return parse_av_pairs(&r, out);
}

static bool is_anonymous(const wa_ntlm_authenticate *m)
{
    return m->user.n == 0 || (m->nt.n == 0 && m->lm.n <= ANONYMOUS_LM_MAX)
           || (m->flags & WA_NTLM_ANONYMOUS) != 0;
}

static wa_reason judge_shape(wa_span message, wa_ntlm_authenticate *m)
{
    wa_span mic;

    if (is_anonymous(m)) {
        return WA_REASON_ANONYMOUS_REFUSED;
    }
    if (m->nt.n <= WA_NTLM_NTLMV1_LEN) {
        /* 24 bytes is NTLMv1, none is LM alone; anything between is broken */
        return m->nt.n == 0 || m->nt.n == WA_NTLM_NTLMV1_LEN ? WA_REASON_NTLMV1_REFUSED
                                                             : WA_REASON_BAD_TOKEN;
    }
    if (m->user.n > WA_NTLM_NAME_MAX || m->domain.n > WA_NTLM_NAME_MAX
        || m->workstation.n > WA_NTLM_NAME_MAX || !parse_blob(m->nt, &m->blob)) {
        return WA_REASON_BAD_TOKEN;
    }
    /* gss-ntlmssp 1.2.0 dies of a key exchange without a key, and nobody can use one */
    if ((m->flags & WA_NTLM_KEY_EXCH) != 0 && m->session_key.n != WA_NTLM_HASH_LEN) {
        return WA_REASON_BAD_TOKEN;
    }
    m->has_mic = (m->blob.av_flags & AV_FLAG_MIC) != 0;
    if (m->has_mic && !wa_span_slice(message, WA_NTLM_MIC_OFFSET, WA_NTLM_HASH_LEN, &mic)) {
        return WA_REASON_BAD_MIC;
    }
    return WA_REASON_OK;
}

/* [MS-NLMP] 2.2.1.3: Signature, MessageType, LmChallengeResponseFields,
 * NtChallengeResponseFields, DomainNameFields, UserNameFields, WorkstationFields,
 * EncryptedRandomSessionKeyFields, NegotiateFlags, Version (absent in many clients), MIC (absent
 * unless the blob says so), Payload. */
wa_reason wa_ntlm_parse_authenticate(wa_span message, wa_ntlm_authenticate *out)
{
    wa_reader r;

    memset(out, 0, sizeof(*out));
    if (!open_message(message, 3, &r)) {
        return WA_REASON_BAD_TOKEN;
    }
    out->lm = field(&r, AUTHENTICATE_MIN);
    out->nt = field(&r, AUTHENTICATE_MIN);
    out->domain = field(&r, AUTHENTICATE_MIN);
    out->user = field(&r, AUTHENTICATE_MIN);
    out->workstation = field(&r, AUTHENTICATE_MIN);
    out->session_key = field(&r, AUTHENTICATE_MIN);
    out->flags = wa_reader_le32(&r);
    return r.bad ? WA_REASON_BAD_TOKEN : judge_shape(message, out);
}

/* [MS-NLMP] 3.2.5.1.1 and the echo rules of 2.2.2.5.  Of the keys only the MIC's is ever used,
 * but clients that want strong ones give up where they are not offered: 56 and 128 are echoed by
 * themselves, too, as Windows does.  LOCAL_CALL and DATAGRAM are never set. */
static uint32_t challenge_flags(uint32_t asked)
{
    uint32_t flags = WA_NTLM_REQUEST_TARGET | WA_NTLM_NTLM | WA_NTLM_ALWAYS_SIGN
                     | WA_NTLM_TARGET_INFO | WA_NTLM_TARGET_DOMAIN;

    flags |= asked & WA_NTLM_UNICODE ? WA_NTLM_UNICODE : WA_NTLM_OEM;
    flags |= asked & (WA_NTLM_SIGN | WA_NTLM_SEAL | WA_NTLM_ESS | WA_NTLM_VERSION);
    flags |= asked & (WA_NTLM_56 | WA_NTLM_128);
    if (asked & (WA_NTLM_SIGN | WA_NTLM_SEAL)) { /* without them there is nothing to use it for */
        flags |= asked & WA_NTLM_KEY_EXCH;
    }
    return flags;
}

static void put_av_name(wa_writer *out, uint16_t id, const char *name)
{
    unsigned char utf16[2 * 255];
    wa_writer w;

    if (name == NULL || *name == '\0') {
        return;
    }
    wa_writer_init(&w, utf16, sizeof(utf16));
    if (!wa_utf8_to_utf16(wa_span_of(name, strlen(name)), &w)) {
        out->bad = true;
        return;
    }
    wa_writer_le16(out, id);
    wa_writer_le16(out, (uint16_t)w.n);
    wa_writer_bytes(out, w.p, w.n);
}

/* In the order Windows writes them; the timestamp is what makes clients send a MIC. */
static void put_target_info(wa_writer *out, const wa_ntlm_target *target, uint64_t filetime)
{
    put_av_name(out, AV_NB_DOMAIN, target->netbios_domain);
    put_av_name(out, AV_NB_COMPUTER, target->netbios_computer);
    put_av_name(out, AV_DNS_DOMAIN, target->dns_domain);
    put_av_name(out, AV_DNS_COMPUTER, target->dns_computer);
    put_av_name(out, AV_DNS_TREE, target->dns_domain);
    wa_writer_le16(out, AV_TIMESTAMP);
    wa_writer_le16(out, 8);
    wa_writer_le64(out, filetime);
    wa_writer_le16(out, AV_EOL);
    wa_writer_le16(out, 0);
}

static void put_field(wa_writer *out, size_t len, size_t off)
{
    wa_writer_le16(out, (uint16_t)len);
    wa_writer_le16(out, (uint16_t)len);
    wa_writer_le32(out, (uint32_t)off);
}

/* [MS-NLMP] 2.2.2.10: what we claim to be, Windows 10's protocol revision 15 */
static void put_version(wa_writer *out, uint32_t flags)
{
    static const unsigned char version[8] = { 10, 0, 0, 0, 0, 0, 0, 15 };

    if (flags & WA_NTLM_VERSION) {
        wa_writer_bytes(out, version, sizeof(version));
    }
    else {
        wa_writer_zeros(out, sizeof(version));
    }
}

/* [MS-NLMP] 2.2.1.2: Signature, MessageType, TargetNameFields, NegotiateFlags, ServerChallenge,
 * Reserved, TargetInfoFields, Version, Payload. */
bool wa_ntlm_build_challenge(const wa_ntlm_negotiate *negotiate, const wa_ntlm_target *target,
                             const unsigned char challenge[WA_NTLM_CHALLENGE_LEN],
                             uint64_t filetime, wa_writer *out)
{
    uint32_t flags = challenge_flags(negotiate->flags);
    unsigned char name_buf[2 * 255];
    unsigned char info_buf[WA_NTLM_MESSAGE_MAX];
    wa_span domain = wa_span_of(target->netbios_domain, strlen(target->netbios_domain));
    wa_writer name;
    wa_writer info;

    wa_writer_init(&name, name_buf, sizeof(name_buf));
    if (flags & WA_NTLM_UNICODE) {
        (void)wa_utf8_to_utf16(domain, &name);
    }
    else {
        wa_writer_bytes(&name, domain.p, domain.n);
    }
    wa_writer_init(&info, info_buf, sizeof(info_buf) - CHALLENGE_PAYLOAD - name.n);
    put_target_info(&info, target, filetime);

    wa_writer_bytes(out, signature, sizeof(signature));
    wa_writer_le32(out, 2);
    put_field(out, name.n, CHALLENGE_PAYLOAD);
    wa_writer_le32(out, flags);
    wa_writer_bytes(out, challenge, WA_NTLM_CHALLENGE_LEN);
    wa_writer_zeros(out, 8); /* Reserved */
    put_field(out, info.n, CHALLENGE_PAYLOAD + name.n);
    put_version(out, flags);
    wa_writer_bytes(out, name.p, name.n);
    wa_writer_bytes(out, info.p, info.n);
    return !name.bad && !info.bad && !out->bad;
}

bool wa_ntlm_parse_challenge(wa_span message, wa_span *challenge_out, uint32_t *flags_out)
{
    wa_reader r;

    *challenge_out = wa_span_of(NULL, 0);
    *flags_out = 0;
    if (!open_message(message, 2, &r) || message.n < CHALLENGE_MIN) {
        return false;
    }
    (void)field(&r, CHALLENGE_MIN); /* TargetNameFields */
    *flags_out = wa_reader_le32(&r);
    *challenge_out = wa_reader_bytes(&r, WA_NTLM_CHALLENGE_LEN);
    return !r.bad;
}

bool wa_ntlm_name_to_utf8(wa_span name, uint32_t flags, wa_writer *out)
{
    if (flags & WA_NTLM_UNICODE) {
        return wa_utf16_to_utf8(name, out);
    }
    wa_writer_bytes(out, name.p, name.n);
    return !out->bad && wa_utf8_valid(name);
}

bool wa_ntlm_name_to_utf16(wa_span name, uint32_t flags, wa_writer *out)
{
    if (flags & WA_NTLM_UNICODE) {
        wa_writer_bytes(out, name.p, name.n);
        return !out->bad && name.n % 2 == 0;
    }
    return wa_utf8_to_utf16(name, out);
}
