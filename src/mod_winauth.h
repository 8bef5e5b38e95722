/* mod_winauth for other modules: who a request was served to, and their groups.
 *
 * Optional functions: fetch them with APR_RETRIEVE_OPTIONAL_FN when the configuration has been
 * read (ap_hook_optional_fn_retrieve, or post_config); each is NULL where mod_winauth is not
 * loaded. They may be called from the fixups phase to the end of the handler, also for
 * sub-requests and internal redirects; in a log_transaction hook nothing is known any more.
 *
 *     static APR_OPTIONAL_FN_TYPE(winauth_is_member) *is_member;
 *     ...
 *     if (is_member != NULL && is_member(r, "S-1-5-21-…-1108")) ...
 */
#ifndef MOD_WINAUTH_H
#define MOD_WINAUTH_H

#include <apr_optional.h>
#include <httpd.h>

/* Raised when members are added to the end of winauth_user; what is there stays as it is. */
#define WINAUTH_API_VERSION 1

/* Names are UTF-8; what is not known is NULL. */
typedef struct winauth_user {
    const char *package; /* "Kerberos" or "NTLM"; never NULL */
    const char *account; /* as the directory spells it; never NULL */
    const char *domain;  /* NetBIOS domain */
    const char *upn;     /* user principal name */
    const char *sid;     /* S-1-… */
    int channel_bound;   /* 1: the login is bound to this TLS channel; else 0 */
    int sids_known;      /* 1: the groups are known; 0: winauth_each_sid has none to show */
} winauth_user;

/* Who mod_winauth let in, in r->pool; NULL when that was nobody, or another module. */
APR_DECLARE_OPTIONAL_FN(const winauth_user *, winauth_user_of, (request_rec * r));

/* Calls visit with the user's SID and those of all groups, ascending, each once, until it returns
 * something else than 0, and returns that; 0 when all were shown, or when there are none.  The
 * text is valid during the call only. */
APR_DECLARE_OPTIONAL_FN(int, winauth_each_sid,
                        (request_rec * r, int (*visit)(void *baton, const char *sid),
                         void *baton));

/* 1 iff sid is the user's, or that of a group of theirs; 0 in all other cases, also when it is no
 * SID or when nothing is known. */
APR_DECLARE_OPTIONAL_FN(int, winauth_is_member, (request_rec * r, const char *sid));

#endif
