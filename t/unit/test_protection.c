/* Extended protection: every mode, flag, channel and evidence. */
#include "core/protection.h"

#include "tap.h"

#include <string.h>

static const wa_protect modes[] = { WA_PROTECT_REQUIRE, WA_PROTECT_ALLOW, WA_PROTECT_NONE };

static wa_reason judge(const wa_protection *p, bool tls, wa_binding_state binding, bool ticket,
                       const char *spn, bool named)
{
    wa_evidence e = { binding, ticket, spn };

    return wa_protection_judge(p, tls, &e, named);
}

/* What holds for every combination, whatever the table says. */
static void test_invariants(void)
{
    unsigned wrong_in = 0, unbound_in = 0, unnamed_in = 0, none_out = 0, seen = 0;
    unsigned i;

    for (i = 0; i < 3 * 16 * 2 * WA_BINDING_COUNT * 2 * 3; i++) {
        unsigned n = i;
        wa_protection p = { .mode = modes[n % 3] };
        wa_binding_state binding;
        bool tls, ticket, in;
        unsigned spn;

        n /= 3;
        p.proxy = n & 1;
        p.cohosting = p.proxy && (n & 2);
        p.any_service = n & 4;
        p.allow_dotless = n & 8;
        n /= 16;
        tls = n % 2;
        n /= 2;
        binding = (wa_binding_state)(n % WA_BINDING_COUNT);
        n /= WA_BINDING_COUNT;
        ticket = n % 2;
        spn = n / 2;
        in =
            judge(&p, tls, binding, ticket, spn == 0 ? NULL : "HTTP/x", spn == 1) == WA_REASON_OK;
        seen++;
        if (p.mode == WA_PROTECT_NONE) {
            none_out += !in;
            continue;
        }
        wrong_in += in && binding == WA_BINDING_WRONG;
        unbound_in += in && p.mode == WA_PROTECT_REQUIRE && !p.proxy
                      && (!tls || binding != WA_BINDING_MATCH);
        unnamed_in +=
            in && !ticket && !p.any_service && spn == 2 && !wa_protection_compares(&p, tls);
    }
    ok(seen == 3u * 16 * 2 * WA_BINDING_COUNT * 2 * 3, "every combination was asked");
    ok(none_out == 0, "None lets everything in");
    ok(wrong_in == 0, "a wrong binding never gets in");
    ok(unbound_in == 0, "Require without Proxy: only what is bound to this channel");
    ok(unnamed_in == 0, "another service's name never gets in where names decide");
}

static void test_table(void)
{
    static const struct {
        wa_binding_state binding;
        wa_reason allow;
        wa_reason require;
    } rows[] = {
        { WA_BINDING_MATCH, WA_REASON_OK, WA_REASON_OK },
        { WA_BINDING_WRONG, WA_REASON_EPA_MISMATCH, WA_REASON_EPA_MISMATCH },
        { WA_BINDING_ABSENT, WA_REASON_OK, WA_REASON_EPA_MISSING },
        { WA_BINDING_EMPTY, WA_REASON_EPA_MISSING, WA_REASON_EPA_MISSING },
        { WA_BINDING_UNSEEN, WA_REASON_EPA_MISSING, WA_REASON_EPA_MISSING },
        { WA_BINDING_PRESENT, WA_REASON_EPA_MISSING, WA_REASON_EPA_MISSING },
        { WA_BINDING_UNDEFINED, WA_REASON_OK, WA_REASON_EPA_MISSING },
        { (wa_binding_state)99, WA_REASON_EPA_MISMATCH, WA_REASON_EPA_MISMATCH },
    };
    wa_protection allow = { .mode = WA_PROTECT_ALLOW };
    wa_protection require = { .mode = WA_PROTECT_REQUIRE };
    wa_protection nothing;
    wa_evidence empty;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ok(judge(&allow, true, rows[i].binding, false, NULL, false) == rows[i].allow, "allow");
        ok(judge(&require, true, rows[i].binding, false, NULL, false) == rows[i].require,
           "require");
    }
    memset(&nothing, 0, sizeof(nothing));
    memset(&empty, 0, sizeof(empty));
    ok(wa_protection_judge(&nothing, true, &empty, true) == WA_REASON_EPA_MISMATCH,
       "what nobody filled in is refused");
    ok(wa_protection_judge(&nothing, false, &empty, true) != WA_REASON_OK,
       "over clear text, too");
    ok(!wa_protection_possible(&require, false), "Require is not possible over clear text");
    ok(wa_protection_possible(&allow, false), "Allow is");
}

static void check_host(const char *spn, const char *expected)
{
    wa_span host = wa_protection_host(spn);

    ok(wa_span_equal(host, wa_span_of(expected, strlen(expected))), "%s", spn);
}

static void test_hosts(void)
{
    check_host("HTTP/www.example.com", "www.example.com");
    check_host("http/www:8080", "www");
    check_host("HTTP/www/realm", "www");
    check_host("HTTP@www", "www");
    check_host("HTTP/www@REALM", "www");
    check_host("HTTP/", "");
    check_host("HTTP/:80", "");
    check_host("HTTP", "");
    check_host("HTTPS/www", "");
    check_host("cifs/www", "");
    check_host("www", "");
    check_host("", "");
}

int main(void)
{
    test_invariants();
    test_table();
    test_hosts();
    return done_testing();
}
