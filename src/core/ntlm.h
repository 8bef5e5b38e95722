/* NTLMSSP messages: NEGOTIATE (1), CHALLENGE (2) and AUTHENTICATE (3), as bytes and as values.
 *
 * Decoding yields views into the message; nothing is judged by key or password here, only by
 * shape. The same checks run for a raw message and for one inside SPNEGO.  Source: [MS-NLMP] 2.2.
 */
#ifndef WA_CORE_NTLM_H
#define WA_CORE_NTLM_H

#include "core/bytes.h"
#include "core/reason.h"

/* [MS-NLMP] 2.2.2.5 */
#define WA_NTLM_UNICODE 0x00000001u
#define WA_NTLM_OEM 0x00000002u
#define WA_NTLM_REQUEST_TARGET 0x00000004u
#define WA_NTLM_SIGN 0x00000010u
#define WA_NTLM_SEAL 0x00000020u
#define WA_NTLM_DATAGRAM 0x00000040u
#define WA_NTLM_LM_KEY 0x00000080u
#define WA_NTLM_NTLM 0x00000200u
#define WA_NTLM_ANONYMOUS 0x00000800u
#define WA_NTLM_DOMAIN_SUPPLIED 0x00001000u
#define WA_NTLM_WORKSTATION_SUPPLIED 0x00002000u
#define WA_NTLM_LOCAL_CALL 0x00004000u
#define WA_NTLM_ALWAYS_SIGN 0x00008000u
#define WA_NTLM_TARGET_DOMAIN 0x00010000u
#define WA_NTLM_TARGET_SERVER 0x00020000u
#define WA_NTLM_ESS 0x00080000u
#define WA_NTLM_TARGET_INFO 0x00800000u
#define WA_NTLM_VERSION 0x02000000u
#define WA_NTLM_128 0x20000000u
#define WA_NTLM_KEY_EXCH 0x40000000u
#define WA_NTLM_56 0x80000000u

enum {
    WA_NTLM_CHALLENGE_LEN = 8, /* server challenge */
    WA_NTLM_HASH_LEN = 16,   /* NT hash, NTProofStr, session keys, MIC: all of MD4/MD5's length */
    WA_NTLM_NTLMV1_LEN = 24, /* an NT response of this length is NTLMv1 */
    WA_NTLM_MESSAGE_MAX = 2048, /* a CHALLENGE we build never exceeds this */
    WA_NTLM_NAME_MAX = 512      /* bytes of a name field; Windows' own limits are far below */
};

typedef struct wa_ntlm_negotiate {
    uint32_t flags;
} wa_ntlm_negotiate;

/* The client's half of an NTLMv2 response, [MS-NLMP] 2.2.2.7. */
typedef struct wa_ntlm_blob {
    uint64_t timestamp;       /* FILETIME the client vouches for */
    uint32_t av_flags;        /* MsvAvFlags; 0 when absent */
    wa_span target_name;      /* MsvAvTargetName, UTF-16LE; empty when absent */
    wa_span channel_bindings; /* MsvAvChannelBindings, 16 bytes; empty when absent */
} wa_ntlm_blob;

typedef struct wa_ntlm_authenticate {
    uint32_t flags;
    wa_span lm;     /* LM response */
    wa_span nt;     /* NT response: NTProofStr and the blob it covers */
    wa_span domain; /* in the encoding the flags name */
    wa_span user;
    wa_span workstation;
    wa_span session_key; /* EncryptedRandomSessionKey */
    wa_ntlm_blob blob;
    bool has_mic; /* the blob says a MIC is there; then its 16 bytes were found in bounds */
} wa_ntlm_authenticate;

enum { WA_NTLM_MIC_OFFSET = 72 }; /* of the MIC in an AUTHENTICATE, when there is one */

/* Names that go into a CHALLENGE, UTF-8.  netbios_domain and netbios_computer must not be NULL;
 * the DNS names may be. */
typedef struct wa_ntlm_target {
    const char *netbios_domain;
    const char
        *netbios_computer; /* of the account the authority is reached with: DCs compare it */
    const char *dns_domain;
    const char *dns_computer;
} wa_ntlm_target;

/* 1 to 3 for a message with the NTLMSSP signature, 0 for anything else. */
unsigned wa_ntlm_message_type(wa_span message);

/* Decodes a NEGOTIATE of 16 bytes or more.  The supplied domain and workstation are ignored, but
 * must lie inside the message when their flag says they are there. */
bool wa_ntlm_parse_negotiate(wa_span message, wa_ntlm_negotiate *out);

/* Decodes and judges the shape of an AUTHENTICATE.  WA_REASON_OK, or why it can never be a login:
 * WA_REASON_BAD_TOKEN, _ANONYMOUS_REFUSED, _NTLMV1_REFUSED. */
wa_reason wa_ntlm_parse_authenticate(wa_span message, wa_ntlm_authenticate *out);

/* Builds the CHALLENGE that answers negotiate.  filetime is now.  False: does not fit. */
bool wa_ntlm_build_challenge(const wa_ntlm_negotiate *negotiate, const wa_ntlm_target *target,
                             const unsigned char challenge[WA_NTLM_CHALLENGE_LEN],
                             uint64_t filetime, wa_writer *out);

/* Finds the server challenge and the flags in a CHALLENGE somebody else built. */
bool wa_ntlm_parse_challenge(wa_span message, wa_span *challenge_out, uint32_t *flags_out);

/* Name field as UTF-8.  OEM names are taken as UTF-8, of which ASCII is a part: the code page of
 * the other side is not known.  False: not well-formed, or out too small. */
bool wa_ntlm_name_to_utf8(wa_span name, uint32_t flags, wa_writer *out);

/* Name field as UTF-16LE, the form the hash is computed over. */
bool wa_ntlm_name_to_utf16(wa_span name, uint32_t flags, wa_writer *out);

#endif
