/* Why a request was let in or refused: one row per reason, and everything that follows from it.
 *
 * The token is stable: it is what WINAUTH_REASON carries and what the README explains.  Answer,
 * sub-status and Win32 code give the client's and the log's view; the advice is the second half
 * of the log line and tells the administrator what to do.  A new reason is one new row here. */
#ifndef WA_CORE_REASON_H
#define WA_CORE_REASON_H

#include <stddef.h>
#include <stdint.h>

/* How a request with this reason is answered. */
typedef enum {
    WA_ANSWER_DENY = 0,    /* 401 with all bare challenge lines */
    WA_ANSWER_BAD_REQUEST, /* 400, nothing offered */
    WA_ANSWER_FORBIDDEN,   /* 403, nothing offered */
    WA_ANSWER_UNAVAILABLE, /* 503: could not be judged; never a prompt */
    WA_ANSWER_PASS         /* not a refusal */
} wa_answer;

/* How loud the log line is. */
typedef enum {
    WA_LOUD_QUIET = 0, /* debug: normal life */
    WA_LOUD_NOTE,      /* info: a refused login */
    WA_LOUD_WARN,      /* warning: looks like an attack or a broken set-up */
    WA_LOUD_ERROR      /* error: the administrator must act */
} wa_loud;

/* X(name, token, answer, loudness, sub-status, win32, advice).
 * Sub-status: KB943891.  Win32: the unsigned decimal IIS logs for the same event (SEC_E_* or
 * ERROR_*).  Zero is the value a bug would leave behind, and it denies. */
/* clang-format off */
#define WA_REASONS(X)                                                                              \
    X(BAD_TOKEN, "bad-token", DENY, NOTE, 1, 2148074248u,                                          \
      "the token is not one this server can use; a broken client or a probe")                      \
    X(OK, "ok", PASS, QUIET, 0, 0, "")                                                             \
    X(ANONYMOUS, "anonymous", DENY, QUIET, 2, 5, "no credentials yet; the normal first answer")    \
    X(HANDSHAKE, "handshake", PASS, QUIET, 1, 2148074254u, "an intermediate leg of an exchange")   \
    X(BAD_PASSWORD, "bad-password", DENY, NOTE, 1, 2148074252u,                                    \
      "the response does not fit the password")                                                    \
    X(UNKNOWN_USER, "unknown-user", DENY, NOTE, 1, 2148074252u,                                    \
      "the authority knows no such account; check domain and spelling")                            \
    X(ACCOUNT_DISABLED, "account-disabled", DENY, NOTE, 1, 1331,                                   \
      "enable the account in the directory")                                                       \
    X(ACCOUNT_LOCKED, "account-locked", DENY, NOTE, 1, 1909,                                       \
      "unlock the account in the directory")                                                       \
    X(ACCOUNT_EXPIRED, "account-expired", DENY, NOTE, 1, 1793,                                     \
      "the account's end date has passed")                                                         \
    X(PASSWORD_EXPIRED, "password-expired", DENY, NOTE, 1, 1330,                                   \
      "the user must change the password")                                                         \
    X(PASSWORD_MUST_CHANGE, "password-must-change", DENY, NOTE, 1, 1907,                           \
      "the user must change the password at a workstation first")                                  \
    X(LOGON_RESTRICTED, "logon-restricted", DENY, NOTE, 1, 1327,                                   \
      "logon hours, workstation list or another policy of the account forbids it")                 \
    X(ANONYMOUS_REFUSED, "anonymous-refused", DENY, NOTE, 1, 2148074252u,                          \
      "an anonymous or guest logon is never a login here")                                         \
    X(MACHINE_ACCOUNT_REFUSED, "machine-account-refused", DENY, NOTE, 1, 1808,                     \
      "machine accounts may not log in by NTLM")                                                   \
    X(NTLM_NOT_ALLOWED, "ntlm-not-allowed", DENY, NOTE, 1, 2148074245u,                            \
      "the section or the server does not accept NTLM; the client had no Kerberos ticket "         \
      "for this name: check its SPN, or list NTLM in WinAuthProviders and set "                    \
      "WinAuthNTLMAuthority")                                                                      \
    X(NTLMV1_REFUSED, "ntlmv1-refused", DENY, NOTE, 1, 2148074252u,                                \
      "only NTLMv2 is accepted; raise the client's LmCompatibilityLevel to 3 or more")             \
    X(BAD_MIC, "bad-mic", DENY, WARN, 1, 2148074255u,                                              \
      "the exchange was altered between client and server, or its MIC is missing")                 \
    X(WRONG_KEY, "wrong-key", DENY, WARN, 1, 2148074252u,                                          \
      "the ticket was made with another key than the keytab holds: export the keytab "             \
      "again")                                                                                     \
    X(NO_KEY, "no-key", DENY, WARN, 1, 2148074245u,                                                \
      "the keytab has no key of this name, version or type for the ticket")                        \
    X(WRONG_PRINCIPAL, "wrong-principal", DENY, NOTE, 1, 2148074274u,                              \
      "the ticket is for another service than WinAuthAcceptorName allows")                         \
    X(CLOCK_SKEW, "clock-skew", DENY, WARN, 1, 2148074276u,                                        \
      "the clocks of client, KDC and server differ too much: synchronise them")                    \
    X(TICKET_EXPIRED, "ticket-expired", DENY, NOTE, 1, 2148074263u,                                \
      "the client must fetch a new ticket")                                                        \
    X(REPLAY, "replay", DENY, WARN, 1, 2148074256u,                                                \
      "the same token came twice; an attack or a bad proxy")                                       \
    X(BAD_ENCODING, "bad-encoding", BAD_REQUEST, NOTE, 1, 2148074248u,                             \
      "the Authorization header has no scheme, is not base64, or came more than once")             \
    X(OUT_OF_SEQUENCE, "out-of-sequence", DENY, NOTE, 1, 2148074248u,                              \
      "a later leg came on a connection that saw no first one: a proxy or load balancer "          \
      "splits the exchange, or keep-alive ended in between")                                       \
    X(TOKEN_TOO_LARGE, "token-too-large", BAD_REQUEST, WARN, 1, 2148074248u,                       \
      "raise WinAuthMaxToken, and LimitRequestFieldSize with it")                                  \
    X(BODY_TOO_LARGE, "body-too-large", DENY, NOTE, 1, 2148074254u,                                \
      "the request body of an unfinished exchange exceeds WinAuthDrainLimit; connection "          \
      "closed")                                                                                    \
    X(EPA_MISSING, "epa-missing", DENY, NOTE, 1, 2148074310u,                                      \
      "no channel binding where one is required, or an empty one over TLS: the client cannot "     \
      "make any, or did not itself speak TLS (WinAuthExtendedProtection)")                         \
    X(EPA_MISMATCH, "epa-mismatch", DENY, WARN, 1, 2148074310u,                                    \
      "the token is bound to another TLS channel: a relay, or TLS ends in front of this "          \
      "server; by Kerberos also one that its program gave no channel")                             \
    X(SPN_MISMATCH, "spn-mismatch", DENY, NOTE, 1, 2148074274u,                                    \
      "the client asked for a service that is not this one: a relay, or a name missing in "        \
      "WinAuthServiceNames or ServerAlias")                                                        \
    X(UNTRUSTED_PROXY, "untrusted-proxy", DENY, WARN, 1, 5,                                        \
      "NTLM came through a proxy: name it in WinAuthTrustedProxy if it pins connections")          \
    X(TLS_REQUIRED, "tls-required", FORBIDDEN, NOTE, 4, 5,                                         \
      "the section, or a password in the clear, needs TLS: use https")                             \
    X(HTTP11_REQUIRED, "http11-required", FORBIDDEN, QUIET, 1, 50,                                 \
      "the exchange needs a connection of its own; the stream is reset so that the client "        \
      "comes back over HTTP/1.1")                                                                  \
    X(KEEPALIVE_OFF, "keepalive-off", DENY, WARN, 1, 2148074248u,                                  \
      "the exchange needs keep-alive: check KeepAlive, MaxKeepAliveRequests and "                  \
      "nokeepalive")                                                                               \
    X(LOCKED_OUT, "locked-out", DENY, WARN, 1, 1909,                                               \
      "not submitted: too many wrong passwords for this account, or from this address, see "       \
      "WinAuthLockout")               \
    X(AUTHORITY_DOWN, "authority-down", UNAVAILABLE, ERROR, 1, 2148074257u,                        \
      "nobody could judge the credentials: check winbindd and its privileged pipe, the user "      \
      "file, the domain controllers")                                                              \
    X(AUTHORITY_BUSY, "authority-busy", UNAVAILABLE, ERROR, 1, 2148074257u,                        \
      "too many logins wait for the NTLM authority")                                               \
    X(CREDENTIALS_UNAVAILABLE, "credentials-unavailable", UNAVAILABLE, ERROR, 1, 2148074254u,      \
      "the server's own keys cannot be used: check WinAuthKeytab, its path, owner and "            \
      "mode")                                                                                      \
    X(TOO_MANY_HANDSHAKES, "too-many-handshakes", UNAVAILABLE, ERROR, 1, 2148074240u,              \
      "as many unfinished logins as WinAuthPendingLimit allows; an attack, or clients behind one " \
      "address")                                                                                   \
    X(NOT_AUTHORIZED, "not-authorized", DENY, NOTE, 3, 5,                                          \
      "the user is known but Require says no")                                                     \
    X(PERSIST_LIMIT, "persist-limit", DENY, QUIET, 2, 5,                                           \
      "the connection's login reached WinAuthPersistLimit or the end of its ticket")               \
    X(POLICY_CHANGED, "policy-changed", DENY, QUIET, 2, 5,                                         \
      "the connection's login does not meet this section's demands")
/* clang-format on */

typedef enum {
#define X(name, token, answer, loud, substatus, win32, advice) WA_REASON_##name,
    WA_REASONS(X)
#undef X
        WA_REASON_COUNT
} wa_reason;

typedef struct wa_reason_row {
    const char *token;  /* stable word */
    wa_answer answer;   /* what the client gets */
    wa_loud loud;       /* what the log gets */
    unsigned substatus; /* IIS sub-status */
    uint32_t win32;     /* IIS sc-win32-status */
    const char *advice; /* what the administrator should do */
} wa_reason_row;

/* The row of reason; that of WA_REASON_BAD_TOKEN for a value outside the table. */
const wa_reason_row *wa_reason_get(wa_reason reason);

#endif
