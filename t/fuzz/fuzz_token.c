/* Any bytes as a token of unknown kind: the kind is what the parser of that kind says, too. */
#include "core/ntlm.h"
#include "core/spnego.h"
#include "core/token.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

/* The first bytes decide; what follows changes nothing. */
static void check_prefix(wa_span token, wa_token_kind kind)
{
    unsigned char *longer = fuzz_copy(token.p, token.n, 1);

    if (kind != WA_TOKEN_SPNEGO_INIT && kind != WA_TOKEN_KRB5 && kind != WA_TOKEN_UNKNOWN) {
        CHECK(wa_token_sniff(wa_span_of(longer, token.n + 1)) == kind);
    }
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wa_span token = wa_span_of(data, size);
    wa_token_kind kind = wa_token_sniff(token);
    uint32_t type = wa_ntlm_message_type(token);
    wa_ntlm_negotiate negotiate;
    wa_ntlm_authenticate authenticate;
    wa_spnego_init init;
    wa_spnego_resp resp;

    CHECK(kind < WA_TOKEN_COUNT);
    CHECK((kind == WA_TOKEN_NTLM_NEGOTIATE) == (type == 1));
    CHECK((kind == WA_TOKEN_NTLM_AUTHENTICATE) == (type == 3));
    CHECK(!wa_ntlm_parse_negotiate(token, &negotiate) || kind == WA_TOKEN_NTLM_NEGOTIATE);
    CHECK(wa_ntlm_parse_authenticate(token, &authenticate) != WA_REASON_OK
          || kind == WA_TOKEN_NTLM_AUTHENTICATE);
    CHECK(!wa_spnego_parse_init(token, &init) || kind == WA_TOKEN_SPNEGO_INIT);
    CHECK(!wa_spnego_parse_resp(token, &resp) || kind == WA_TOKEN_SPNEGO_RESP);
    check_prefix(token, kind);
    fuzz_accepted += kind != WA_TOKEN_UNKNOWN;
    return 0;
}
