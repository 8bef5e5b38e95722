/* Extended protection: what a section demands of a login beyond being right, so that credentials
 * meant for somebody else are worth nothing here.
 *
 * Channel binding ties a login to the TLS channel it came over, service binding to the name the
 * client asked for.  An engine collects the evidence, whatever the section says; the verdict is a
 * function of both, asked when a login is proved and again whenever it is about to be reused.
 * Sources: [MS-NLMP] 3.2.5.1.2, RFC 5929, Microsoft's "Extended Protection for Authentication".
 */
#ifndef WA_CORE_PROTECTION_H
#define WA_CORE_PROTECTION_H

#include "core/bytes.h"
#include "core/reason.h"

typedef enum {
    WA_PROTECT_REQUIRE = 0, /* no login without a binding */
    WA_PROTECT_ALLOW,       /* a binding must be right, where the client can make one */
    WA_PROTECT_NONE,        /* nothing is looked at */
    WA_PROTECT_COUNT
} wa_protect;

/* WinAuthExtendedProtection */
typedef struct wa_protection {
    wa_protect mode;
    bool proxy;         /* TLS ends in front of this server: bindings cannot be compared */
    bool cohosting;     /* and where it does not, either: bindings are not looked at */
    bool any_service;   /* NoServiceNameCheck */
    bool allow_dotless; /* service names without a dot are names */
} wa_protection;

/* What became of the client's channel binding.  Zero is what a bug would leave behind. */
typedef enum {
    WA_BINDING_WRONG = 0, /* of another channel */
    WA_BINDING_UNSEEN,    /* the mechanism was not asked, so nothing is known */
    WA_BINDING_UNDEFINED, /* for this server's certificate none is defined */
    WA_BINDING_ABSENT,    /* the client is of a kind that makes none */
    WA_BINDING_EMPTY,     /* it makes them, and had none to make: its side was not TLS */
    WA_BINDING_PRESENT,   /* there is one, and it was not compared */
    WA_BINDING_MATCH,     /* of this very channel */
    WA_BINDING_COUNT
} wa_binding_state;

typedef struct wa_evidence {
    wa_binding_state binding;
    bool ticket;     /* Kerberos: the key that opened it is the service's name */
    const char *spn; /* the service the client says it wanted, UTF-8; NULL when it says none */
} wa_evidence;

/* True iff the mechanism has to be told about the channel: its binding will be compared. */
bool wa_protection_compares(const wa_protection *p, bool tls);

/* True iff a request over this channel can satisfy the section at all. */
bool wa_protection_possible(const wa_protection *p, bool tls);

/* WA_REASON_OK, or EPA_MISSING, EPA_MISMATCH, SPN_MISMATCH.  named: the host in e->spn is one of
 * ours; means nothing without e->spn. */
wa_reason wa_protection_judge(const wa_protection *p, bool tls, const wa_evidence *e, bool named);

/* The host in an SPN HTTP/host[:port][/...]: a view into spn, empty when it is none.  Some
 * clients write HTTP@host, as GSSAPI does; that is the same. */
wa_span wa_protection_host(const char *spn);

#endif
