/* Any bytes as an NTLMSSP message of each type, and any names as the target of a CHALLENGE. */
#include "core/ntlm.h"
#include "core/utf.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

static uint32_t le(const uint8_t *p, size_t n)
{
    uint32_t v = 0;

    while (n > 0) {
        v = v * 256 + p[--n];
    }
    return v;
}

/* What a client asked for, answered, and the answer read again. */
static void check_negotiate(wa_span message)
{
    static const uint32_t never = WA_NTLM_LOCAL_CALL | WA_NTLM_DATAGRAM | WA_NTLM_LM_KEY
                                  | WA_NTLM_ANONYMOUS | WA_NTLM_TARGET_SERVER;
    static const uint32_t always =
        WA_NTLM_REQUEST_TARGET | WA_NTLM_NTLM | WA_NTLM_ALWAYS_SIGN | WA_NTLM_TARGET_INFO;
    static const wa_ntlm_target target = { "AD", "WEB", "ad.test", "web.ad.test" };
    unsigned char buf[WA_NTLM_MESSAGE_MAX];
    wa_ntlm_negotiate msg;
    wa_writer w;
    wa_span nonce;
    uint32_t flags;

    if (!wa_ntlm_parse_negotiate(message, &msg)) {
        return;
    }
    CHECK(wa_ntlm_message_type(message) == 1 && message.n >= 16);
    CHECK(msg.flags == le(message.p + 12, 4) && (msg.flags & 3) != 0);
    wa_writer_init(&w, buf, sizeof(buf));
    CHECK(wa_ntlm_build_challenge(&msg, &target, message.p, message.n, &w));
    CHECK(wa_ntlm_message_type(wa_span_of(w.p, w.n)) == 2);
    CHECK(wa_ntlm_parse_challenge(wa_span_of(w.p, w.n), &nonce, &flags));
    CHECK(nonce.n == 8 && memcmp(nonce.p, message.p, 8) == 0);
    CHECK((flags & never) == 0 && (flags & always) == always);
    CHECK(((flags & WA_NTLM_UNICODE) != 0) == ((msg.flags & WA_NTLM_UNICODE) != 0));
    CHECK(((flags & WA_NTLM_UNICODE) != 0) != ((flags & WA_NTLM_OEM) != 0));
    CHECK((flags & ~always & ~msg.flags & ~(uint32_t)WA_NTLM_TARGET_DOMAIN) == 0);
    fuzz_accepted++;
}

/* A field as the message has it, read without the code under test. */
static void check_field(wa_span message, size_t at, wa_span got)
{
    uint32_t len = le(message.p + at, 2);

    CHECK(got.n == len && fuzz_holds(message, got));
    CHECK(len == 0 || got.p == message.p + le(message.p + at + 4, 4));
    CHECK(len == 0 || got.p >= message.p + 64);
}

/* What is a name in UTF-8 is the same name in UTF-16, and has no NUL in it. */
static void check_name(wa_span name, uint32_t flags)
{
    unsigned char utf8[4 * WA_NTLM_NAME_MAX];
    unsigned char utf16[4 * WA_NTLM_NAME_MAX];
    unsigned char again[4 * WA_NTLM_NAME_MAX];
    wa_writer w8;
    wa_writer w16;
    wa_writer back;

    wa_writer_init(&w8, utf8, sizeof(utf8));
    wa_writer_init(&w16, utf16, sizeof(utf16));
    wa_writer_init(&back, again, sizeof(again));
    if (!wa_ntlm_name_to_utf8(name, flags, &w8)) {
        return;
    }
    CHECK(wa_utf8_valid(wa_span_of(w8.p, w8.n)) && (w8.n == 0 || memchr(w8.p, 0, w8.n) == NULL));
    CHECK(wa_ntlm_name_to_utf16(name, flags, &w16));
    CHECK(wa_utf8_to_utf16(wa_span_of(w8.p, w8.n), &back));
    CHECK(wa_span_equal(wa_span_of(w16.p, w16.n), wa_span_of(back.p, back.n)));
    wa_utf16_upcase(back.p, back.n);
    CHECK(back.n == w16.n);
}

static void check_authenticate(wa_span message)
{
    wa_ntlm_authenticate m;
    wa_reason reason = wa_ntlm_parse_authenticate(message, &m);

    CHECK(reason == WA_REASON_OK || reason == WA_REASON_BAD_TOKEN || reason == WA_REASON_BAD_MIC
          || reason == WA_REASON_NTLMV1_REFUSED || reason == WA_REASON_ANONYMOUS_REFUSED);
    if (reason == WA_REASON_BAD_TOKEN) {
        return;
    }
    CHECK(wa_ntlm_message_type(message) == 3 && message.n >= 64);
    check_field(message, 12, m.lm);
    check_field(message, 20, m.nt);
    check_field(message, 28, m.domain);
    check_field(message, 36, m.user);
    check_field(message, 44, m.workstation);
    check_field(message, 52, m.session_key);
    CHECK(m.flags == le(message.p + 60, 4));
    if (reason != WA_REASON_OK) {
        return;
    }
    CHECK(m.nt.n >= 48 && m.nt.p[16] == 1 && m.nt.p[17] == 1);
    CHECK(m.user.n > 0 && (m.flags & WA_NTLM_ANONYMOUS) == 0);
    CHECK(m.user.n <= WA_NTLM_NAME_MAX && m.domain.n <= WA_NTLM_NAME_MAX);
    CHECK((m.flags & WA_NTLM_KEY_EXCH) == 0 || m.session_key.n == 16);
    CHECK(m.has_mic == ((m.blob.av_flags & 2) != 0));
    CHECK(!m.has_mic || message.n >= WA_NTLM_MIC_OFFSET + 16);
    CHECK(fuzz_holds(m.nt, m.blob.target_name) && fuzz_holds(m.nt, m.blob.channel_bindings));
    CHECK(m.blob.channel_bindings.n == 0 || m.blob.channel_bindings.n == 16);
    check_name(m.user, m.flags);
    check_name(m.domain, m.flags);
    fuzz_accepted++;
}

static void check_challenge(wa_span message)
{
    wa_span nonce;
    uint32_t flags;

    if (!wa_ntlm_parse_challenge(message, &nonce, &flags)) {
        return;
    }
    CHECK(wa_ntlm_message_type(message) == 2 && message.n >= 32);
    CHECK(nonce.n == 8 && nonce.p == message.p + 24 && flags == le(message.p + 20, 4));
    fuzz_accepted++;
}

/* The input as the names of a target, one after another, each ending at a NUL. */
static void check_target(const uint8_t *data, size_t size)
{
    char *text = (char *)fuzz_copy(data, size, 4);
    char *end = text + size;
    const char *names[4];
    unsigned char buf[WA_NTLM_MESSAGE_MAX];
    wa_ntlm_negotiate ask = { size % 2 ? WA_NTLM_UNICODE : WA_NTLM_OEM };
    wa_ntlm_target target;
    wa_writer w;
    char *at = text;
    int i;

    for (i = 0; i < 4; i++) {
        names[i] = at;
        at += strlen(at);
        at += at < end;
    }
    target.netbios_domain = names[0];
    target.netbios_computer = names[1];
    target.dns_domain = names[2];
    target.dns_computer = names[3];
    wa_writer_init(&w, buf, sizeof(buf));
    if (wa_ntlm_build_challenge(&ask, &target, (const unsigned char *)"12345678", 1, &w)) {
        wa_span nonce;
        uint32_t flags;
        CHECK(wa_ntlm_parse_challenge(wa_span_of(w.p, w.n), &nonce, &flags));
        CHECK(memcmp(w.p + w.n - 4, "\0\0\0\0", 4) == 0); /* MsvAvEOL */
        for (i = 0; i < 4; i++) {
            CHECK(wa_utf8_valid(wa_span_of(names[i], strlen(names[i]))));
        }
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wa_span message = wa_span_of(data, size);

    (void)wa_utf_init();
    CHECK(wa_ntlm_message_type(message) <= 3);
    check_negotiate(message);
    check_challenge(message);
    check_authenticate(message);
    check_target(data, size);
    return 0;
}
