/* Any bytes as a file of accounts. */
#include "core/account.h"
#include "core/utf.h"
#include "engine/userfile.h"

#include "fuzz.h"

#include <apr_general.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <sys/mman.h>
#include <unistd.h>

unsigned long fuzz_accepted;

static int memory = -1;

static apr_file_t *open_bytes(const uint8_t *data, size_t size, apr_pool_t *pool)
{
    apr_file_t *file = NULL;

    CHECK(ftruncate(memory, 0) == 0 && pwrite(memory, data, size, 0) == (ssize_t)size);
    CHECK(lseek(memory, 0, SEEK_SET) == 0);
    CHECK(apr_os_file_put(&file, &memory, APR_FOPEN_READ, pool) == APR_SUCCESS);
    return file;
}

/* Every entry is an account that can be had by its name, in whatever case, and stays the same. */
static void check_entry(const wa_userfile *t, const wa_userfile_entry *e, apr_pool_t *pool)
{
    const char *domain = e->domain != NULL ? e->domain : "";
    char *shout = apr_pstrdup(pool, e->name);
    char *p;

    CHECK(wa_account_name_ok(e->name));
    CHECK(e->domain == NULL || wa_account_name_ok(e->domain));
    CHECK(wa_userfile_find(t, domain, e->name) == e);
    for (p = shout; *p != '\0'; p++) {
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    }
    CHECK(wa_userfile_find(t, domain, shout) == e);
    CHECK(e->refusal == WA_REASON_OK || e->refusal == WA_REASON_ACCOUNT_DISABLED
          || e->refusal == WA_REASON_ACCOUNT_LOCKED || e->refusal == WA_REASON_LOGON_RESTRICTED
          || e->refusal == WA_REASON_MACHINE_ACCOUNT_REFUSED);
}

static void check_table(const wa_userfile *t, apr_pool_t *pool)
{
    apr_hash_index_t *i;
    unsigned lines = 0;

    for (i = apr_hash_first(pool, t->entries); i != NULL; i = apr_hash_next(i)) {
        check_entry(t, apr_hash_this_val(i), pool);
        lines++;
    }
    CHECK(wa_userfile_find(t, "", "") == NULL);
    CHECK(t->home == NULL || lines > 0);
    fuzz_accepted += lines > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = NULL;
    apr_file_t *file;
    wa_userfile *t;
    const char *wrong;

    if (memory < 0) {
        CHECK(apr_initialize() == APR_SUCCESS);
        (void)wa_utf_init();
        memory = memfd_create("users", 0);
    }
    CHECK(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    file = open_bytes(data, size, pool);
    t = wa_userfile_make(pool);
    wrong = wa_userfile_parse(file, size, "PATH", t, pool);
    if (wrong == NULL) {
        CHECK(memchr(data, '\0', size) == NULL || size == 0);
        check_table(t, pool);
    }
    else {
        CHECK(strncmp(wrong, "PATH ", 5) == 0);
    }
    apr_pool_destroy(pool);
    return 0;
}
