/* A parsed file of accounts: DOMAIN:USER:PASSWORD or smbpasswd's
 * [DOMAIN\]USER:UID:LMHASH:NTHASH:[FLAGS]:..., the two formats gss-ntlmssp reads too.  Looking up
 * costs the same however many accounts there are. */
#ifndef WA_ENGINE_USERFILE_H
#define WA_ENGINE_USERFILE_H

#include "core/ntlm.h"
#include "core/reason.h"

#include <apr_file_io.h>
#include <apr_hash.h>
#include <apr_pools.h>

typedef struct wa_userfile_entry {
    const char *name;
    const char *domain; /* NULL: the line names none */
    unsigned char nt_hash[WA_NTLM_HASH_LEN];
    wa_reason refusal; /* WA_REASON_OK, or why the account may not log in */
} wa_userfile_entry;

typedef struct wa_userfile {
    apr_pool_t *pool;
    apr_hash_t *entries; /* upper-cased DOMAIN\USER in UTF-16 -> wa_userfile_entry */
    const char *home;    /* domain of the first line that names one, or NULL */
} wa_userfile;

/* An empty one, in pool. */
wa_userfile *wa_userfile_make(apr_pool_t *pool);

/* Reads size bytes of file into t.  NULL, or what is wrong, in pool; path is only for that
 * message. */
const char *wa_userfile_parse(apr_file_t *file, apr_size_t size, const char *path, wa_userfile *t,
                              apr_pool_t *pool);

/* The account, or NULL; case does not matter.  domain is "" for a line that names none. */
const wa_userfile_entry *wa_userfile_find(const wa_userfile *t, const char *domain,
                                          const char *user);

#endif
