#include "engine/userfile.h"

#include "core/account.h"
#include "core/utf.h"
#include "engine/ntlmhash.h"

#include <apr_strings.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 4 * WA_NTLM_NAME_MAX + 2, HEX_HASH = 2 * WA_NTLM_HASH_LEN };

wa_userfile *wa_userfile_make(apr_pool_t *pool)
{
    wa_userfile *t = apr_pcalloc(pool, sizeof(*t));

    t->pool = pool;
    t->entries = apr_hash_make(pool);
    return t;
}

/* Key of an account: case of names does not matter, a backslash cannot be part of one. */
static bool make_key(const char *domain, const char *user, wa_writer *w)
{
    bool ok = wa_utf8_to_utf16(wa_span_of(domain, strlen(domain)), w);

    wa_writer_le16(w, '\\');
    ok = ok && wa_utf8_to_utf16(wa_span_of(user, strlen(user)), w);
    wa_utf16_upcase(w->p, w->n);
    return ok && !w->bad;
}

const wa_userfile_entry *wa_userfile_find(const wa_userfile *t, const char *domain,
                                          const char *user)
{
    unsigned char key[KEY_MAX];
    wa_writer w;

    wa_writer_init(&w, key, sizeof(key));
    return make_key(domain, user, &w) ? apr_hash_get(t->entries, key, (apr_ssize_t)w.n) : NULL;
}

static bool unhex(const char *hex, unsigned char out[WA_NTLM_HASH_LEN])
{
    size_t i;

    if (strlen(hex) != HEX_HASH) {
        return false;
    }
    for (i = 0; i < WA_NTLM_HASH_LEN; i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1])) {
            return false;
        }
        out[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

/* smbpasswd's account flags: U user, D disabled, L locked, W/S/I trust accounts, N no password */
static wa_reason refusal_of(const char *flags)
{
    if (strpbrk(flags, "WSI") != NULL) {
        return WA_REASON_MACHINE_ACCOUNT_REFUSED;
    }
    if (strchr(flags, 'D') != NULL) {
        return WA_REASON_ACCOUNT_DISABLED;
    }
    if (strchr(flags, 'L') != NULL) {
        return WA_REASON_ACCOUNT_LOCKED;
    }
    return strchr(flags, 'N') != NULL ? WA_REASON_LOGON_RESTRICTED : WA_REASON_OK;
}

/* A number, then two fields of the length of a hash: no password with colons looks like that. */
static bool is_smbpasswd(char **field)
{
    return field[1][0] != '\0' && strspn(field[1], "0123456789") == strlen(field[1])
           && strlen(field[2]) == HEX_HASH && strlen(field[3]) == HEX_HASH;
}

/* [DOMAIN\]USER : UID : LMHASH : NTHASH : [FLAGS] … */
static void parse_smbpasswd(char **field, size_t count, apr_pool_t *pool, wa_userfile_entry *e)
{
    char *user = strchr(field[0], '\\');

    if (user != NULL) {
        *user++ = '\0';
        e->domain = apr_pstrdup(pool, field[0]);
    }
    e->name = apr_pstrdup(pool, user != NULL ? user : field[0]);
    e->refusal = count > 4 ? refusal_of(field[4]) : WA_REASON_OK;
    if (!unhex(field[3], e->nt_hash) && e->refusal == WA_REASON_OK) {
        e->refusal = WA_REASON_LOGON_RESTRICTED; /* XXXX… or NO PASSWORD: no way to log in */
    }
}

/* DOMAIN : USER : PASSWORD */
static const char *parse_plain(char **field, apr_pool_t *pool, wa_userfile_entry *e)
{
    e->domain = apr_pstrdup(pool, field[0]);
    e->name = apr_pstrdup(pool, field[1]);
    e->refusal = WA_REASON_OK;
    if (*field[2] == '\0') {
        return "an empty password lets everybody in";
    }
    return wa_ntlmhash_password(field[2], e->nt_hash) ? NULL
                                                      : "password is not UTF-8 or too long";
}

static size_t split(char *line, char **field, size_t max)
{
    size_t n = 0;

    while (n < max) {
        char *colon = strchr(line, ':');
        field[n++] = line;
        if (colon == NULL) {
            break;
        }
        *colon = '\0';
        line = colon + 1;
    }
    return n;
}

/* NULL, or what is wrong with the line.  The first of two equal accounts wins. */
static const char *parse_line(char *line, wa_userfile *t)
{
    unsigned char key[KEY_MAX];
    char *field[8];
    size_t count = split(line, field, sizeof(field) / sizeof(field[0]));
    wa_userfile_entry *e = apr_pcalloc(t->pool, sizeof(*e));
    const char *wrong = NULL;
    wa_writer w;

    if (count == 3) {
        wrong = parse_plain(field, t->pool, e);
    }
    else if (count >= 4 && is_smbpasswd(field)) {
        parse_smbpasswd(field, count, t->pool, e);
    }
    else {
        wrong = "neither DOMAIN:USER:PASSWORD, without a colon in the password, nor an "
                "smbpasswd line";
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (!wa_account_name_ok(e->name) || (e->domain != NULL && !wa_account_name_ok(e->domain))) {
        return "not a name an account or domain can have";
    }
    wa_writer_init(&w, key, sizeof(key));
    if (!make_key(e->domain != NULL ? e->domain : "", e->name, &w)) {
        return "name too long";
    }
    if (apr_hash_get(t->entries, key, (apr_ssize_t)w.n) == NULL) {
        apr_hash_set(t->entries, apr_pmemdup(t->pool, key, w.n), (apr_ssize_t)w.n, e);
    }
    if (t->home == NULL) {
        t->home = e->domain;
    }
    return NULL;
}

/* Parses text in place, which ends in a NUL. */
static const char *parse_lines(char *text, const char *path, wa_userfile *t, apr_pool_t *pool)
{
    unsigned number = 0;
    const char *wrong = NULL;

    while (wrong == NULL && *text != '\0') {
        char *line = text;
        size_t n = strcspn(text, "\n");
        text += n + (text[n] != '\0' ? 1 : 0);
        number++;
        line[n] = '\0';
        if (n > 0 && line[n - 1] == '\r') {
            line[--n] = '\0';
        }
        if (n > 0 && line[0] != '#') {
            wrong = parse_line(line, t);
        }
    }
    return wrong == NULL ? NULL : apr_psprintf(pool, "%s line %u: %s", path, number, wrong);
}

/* The text, with passwords in it, is wiped before it is freed; so it is not read through a buffer
 * of somebody else's. */
const char *wa_userfile_parse(apr_file_t *file, apr_size_t size, const char *path, wa_userfile *t,
                              apr_pool_t *pool)
{
    char *text = malloc(size + 1);
    apr_size_t n = 0;
    const char *wrong;

    if (text == NULL) {
        return "out of memory";
    }
    apr_file_read_full(file, text, size, &n);
    text[n] = '\0';
    wrong = strlen(text) == n ? parse_lines(text, path, t, pool)
                              : apr_pstrcat(pool, path, " is not text", NULL);
    wa_secret_wipe(text, size + 1);
    free(text);
    return wrong;
}
