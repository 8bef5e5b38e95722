/* Every directive, once.  From these two lists come the struct members, the command table,
 * create, merge, defaults, the dump and the check that README and examples know each of them.
 *
 * X(kind, member, name, default, help): kind names a value type of httpd/values.h, with its
 * parser, its unset value and its printer.  WA_DIR_* go into sections and .htaccess
 * (AllowOverride AuthConfig), WA_SERVER_* only into the server or a virtual host: they name
 * files, keys or daemons, or weaken a guard of the whole server. */
#ifndef WA_HTTPD_DIRECTIVES_H
#define WA_HTTPD_DIRECTIVES_H

/* clang-format off */
#define WA_DIR_DIRECTIVES(X)                                                                       \
    X(providers, providers, "WinAuthProviders", WA_DEFAULT_PROVIDERS,                              \
      "schemes to offer, in order: Negotiate, Negotiate:Kerberos, NTLM, Basic")                    \
    X(flag, persist_single_request, "WinAuthPersistSingleRequest", 0,                              \
      "On: forget the login at the end of each request")                                           \
    X(flag, persist_non_ntlm, "WinAuthPersistNonNTLM", 1,                                          \
      "On: a Kerberos login, too, holds for the connection")                                       \
    X(limit, persist_limit, "WinAuthPersistLimit", WA_DEFAULT_LIMIT,                               \
      "seconds=N and/or requests=N: how long a login may hold")                                    \
    X(protection, protection, "WinAuthExtendedProtection", WA_DEFAULT_PROTECTION,                  \
      "None, Allow or Require, and Proxy, ProxyCohosting, NoServiceNameCheck, AllowDotlessSpn")    \
    X(spns, service_names, "WinAuthServiceNames", NULL,                                            \
      "HTTP/ names of services clients may have asked for; the server's own unless given")         \
    X(format, user_format, "WinAuthUserFormat", WA_FORMAT_WINDOWS,                                 \
      "shape of REMOTE_USER: Windows, UPN, SAM, Principal or SID")                                 \
    X(exports, export, "WinAuthExport", 0,                                                         \
      "what programs get: groups (SIDs) and/or group-names, or none")                              \
    X(flag, require_tls, "WinAuthRequireTLS", 0,                                                   \
      "On: 403 and no challenge over clear text")                                                  \
    X(expr, offer, "WinAuthOffer", NULL,                                                           \
      "an expression; where it is false, Negotiate and NTLM are not offered")                      \
    X(flag, optional, "WinAuthOptional", 0,                                                        \
      "On: without credentials the request goes on, anonymous")                                    \
    X(flag, log_handshake, "WinAuthLogHandshake", 0,                                               \
      "On: intermediate legs appear in the access log")                                            \
    X(flag, ntlm_audit, "WinAuthNTLMAudit", 0,                                                     \
      "On: each NTLM login is logged, with who, from where, and why not by Kerberos")              \
    X(delegation, delegation, "WinAuthDelegation", WA_DELEGATE_OFF,                                \
      "credentials for the application to act as the user: off, forwarded or constrained")

#define WA_SERVER_DIRECTIVES(X)                                                                    \
    X(path, keytab, "WinAuthKeytab", NULL, "keytab with the server's Kerberos keys")               \
    X(acceptor, acceptor, "WinAuthAcceptorName", "any",                                            \
      "which keys may accept: any, host, or a service principal")                                  \
    X(authority, ntlm_authority, "WinAuthNTLMAuthority", NULL,                                     \
      "who checks NTLM: winbind, file:PATH or none")                                               \
    X(realms, realms, "WinAuthDomain", NULL,                                                       \
      "a realm and the NetBIOS domain its users are shown with")                                   \
    X(path, delegation_dir, "WinAuthDelegationDir", NULL,                                          \
      "directory of httpd's user for delegated credentials")                                       \
    X(bytes, max_token, "WinAuthMaxToken", 65536, "largest token, in bytes")                       \
    X(bytes, drain_limit, "WinAuthDrainLimit", 1048576,                                            \
      "largest request body of an intermediate leg that is read and dropped, in bytes")            \
    X(concurrency, ntlm_concurrency, "WinAuthNTLMConcurrency", wa_default_concurrency,             \
      "N and/or deadline=SECONDS: logins that may wait for winbindd, and how long")                \
    X(lockout, lockout, "WinAuthLockout", wa_default_lockout,                                      \
      "attempts=N window=SECONDS, per=user|address: refusals until nothing is submitted, or Off")  \
    X(pending, pending_limit, "WinAuthPendingLimit", wa_default_pending,                           \
      "total=N, address=N, seconds=N: handshakes that may wait for their clients")                 \
    X(networks, trusted_proxies, "WinAuthTrustedProxy", NULL,                                      \
      "addresses of front ends that pin one client to one connection")
/* clang-format on */

#endif
