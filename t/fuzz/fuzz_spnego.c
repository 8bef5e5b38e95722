/* Any bytes as a SPNEGO token. */
#include "core/spnego.h"
#include "core/token.h"

#include "fuzz.h"

unsigned long fuzz_accepted;

static bool parses_init(const uint8_t *data, size_t size)
{
    wa_spnego_init init;

    return wa_spnego_parse_init(wa_span_of(data, size), &init);
}

static bool parses_resp(const uint8_t *data, size_t size)
{
    wa_spnego_resp resp;

    return wa_spnego_parse_resp(wa_span_of(data, size), &resp);
}

static void check_framing(wa_span token)
{
    wa_span inner;
    wa_mech mech = wa_spnego_framing(token, &inner);
    wa_token_kind kind = wa_token_sniff(token);

    CHECK(mech < WA_MECH_COUNT);
    CHECK(fuzz_holds(token, inner));
    CHECK(inner.n == 0 || inner.p + inner.n == token.p + token.n);
    CHECK((kind == WA_TOKEN_SPNEGO_INIT) == (mech == WA_MECH_SPNEGO));
    CHECK((kind == WA_TOKEN_KRB5) == (mech == WA_MECH_KRB5));
    fuzz_accepted += kind == WA_TOKEN_KRB5;
    CHECK((kind == WA_TOKEN_SPNEGO_RESP) == (token.n > 0 && token.p[0] == 0xa1));
}

/* A message is whole: with a byte less, or one more, it is none. */
static void check_whole(const uint8_t *data, size_t size, bool (*parses)(const uint8_t *, size_t))
{
    unsigned char *more = fuzz_copy(data, size, 1);
    unsigned char *less = fuzz_copy(data, size > 0 ? size - 1 : 0, 0);

    CHECK(size > 0);
    CHECK(!parses(more, size + 1));
    CHECK(!parses(less, size - 1));
    free(more);
    free(less);
}

static void check_init(wa_span token)
{
    wa_spnego_init init;
    int mech;
    size_t i;

    if (!wa_spnego_parse_init(token, &init)) {
        return;
    }
    CHECK(wa_token_sniff(token) == WA_TOKEN_SPNEGO_INIT);
    CHECK(init.mech_count >= 1 && init.mech_count <= WA_SPNEGO_MECHS_MAX);
    CHECK(fuzz_holds(token, init.mech_token));
    for (mech = 0; mech <= WA_MECH_COUNT; mech++) {
        bool there = false;
        for (i = 0; i < init.mech_count; i++) {
            CHECK(init.mechs[i] < WA_MECH_COUNT);
            there = there || (int)init.mechs[i] == mech;
        }
        CHECK(wa_spnego_proposes(&init, (wa_mech)mech) == there);
    }
    check_whole(token.p, token.n, parses_init);
    fuzz_accepted++;
}

static void check_resp(wa_span token)
{
    wa_spnego_resp resp;

    if (!wa_spnego_parse_resp(token, &resp)) {
        return;
    }
    CHECK(wa_token_sniff(token) == WA_TOKEN_SPNEGO_RESP);
    CHECK(fuzz_holds(token, resp.response_token));
    CHECK(!parses_init(token.p, token.n));
    check_whole(token.p, token.n, parses_resp);
    fuzz_accepted++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wa_span token = wa_span_of(data, size);

    check_framing(token);
    check_init(token);
    check_resp(token);
    return 0;
}
