/* What winbindd can do for us, asked when the server starts, before there are children with
 * crews: by a process of its own that is ended when it hangs, for nothing is served while a
 * server restarts.  Source: wbclient.h. */
#include "engine/winbind.h"

#include <apr_file_io.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <apr_time.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
    ANSWER_SECONDS = 5, /* that winbindd has to answer */
    PIPE_SECONDS = 2    /* and its domain controller, for what shows that the pipe is open */
};

/* What the process says. */
static const char answers[] = "+";
static const char takes_no_logons[] = "!";

/* Logons go over winbindd's privileged pipe.  A question that harms nobody goes there too,
 * whether the machine's own account is good, and whatever its answer is, it came over that pipe.
 */
static bool pipe_is_closed(void)
{
    struct wbcContext *ctx = wbcCtxCreate();
    struct wbcAuthErrorInfo *error = NULL;
    wbcErr rc = WBC_ERR_NO_MEMORY;

    if (ctx != NULL) {
        rc = wbcCtxCheckTrustCredentials(ctx, NULL, &error);
        wbcFreeMemory(error);
        wbcCtxFree(ctx);
    }
    return rc == WBC_ERR_WINBIND_NOT_AVAILABLE;
}

static void say(apr_file_t *out, const char *text)
{
    apr_file_puts(text, out);
    apr_file_flush(out);
}

/* In the process. */
static void ask(wa_winbind *a, void (*as_child)(void), apr_file_t *out, apr_pool_t *pool)
{
    wa_ntlm_target own;
    const char *detail = "";

    as_child();
    if (wa_winbind_target(&a->base, pool, &own, &detail) != WA_REASON_OK) {
        say(out, detail);
    }
    else {
        say(out, answers);
        say(out, pipe_is_closed() ? takes_no_logons : "");
    }
    _exit(0);
}

/* More of what the process says, behind what is in text; false when that was all. */
static bool hear(apr_file_t *in, int seconds, char *text, size_t size)
{
    size_t used = strlen(text);
    apr_size_t n = size - 1 - used;
    bool more;

    apr_file_pipe_timeout_set(in, apr_time_from_sec(seconds));
    more = n > 0 && apr_file_read(in, text + used, &n) == APR_SUCCESS;
    text[used + (more ? n : 0)] = '\0';
    return more;
}

static void listen_to(apr_file_t *in, char *text, size_t size)
{
    bool more = hear(in, ANSWER_SECONDS, text, size);

    while (more) {
        more = hear(in, PIPE_SECONDS, text, size);
    }
}

static wa_winbind_state understand(const char *said, apr_pool_t *pool, const char **detail)
{
    if (*said != answers[0]) {
        *detail = *said != '\0' ? apr_pstrdup(pool, said)
                                : apr_psprintf(pool, "no answer within %d s", ANSWER_SECONDS);
        return WA_WINBIND_AWAY;
    }
    if (said[1] == takes_no_logons[0]) {
        *detail = "winbindd runs, but httpd's user may not enter its winbindd_privileged "
                  "directory: make it a member of that directory's group (on Debian "
                  "\"usermod -a -G winbindd_priv www-data\") and restart httpd";
        return WA_WINBIND_CLOSED;
    }
    return WA_WINBIND_READY;
}

wa_winbind_state wa_winbind_probe(wa_winbind *a, void (*as_child)(void), apr_pool_t *pool,
                                  const char **detail)
{
    char said[300] = "";
    apr_file_t *in;
    apr_file_t *out;
    apr_proc_t child;
    apr_status_t rv;

    if (apr_file_pipe_create(&in, &out, pool) != APR_SUCCESS) {
        *detail = "no pipe could be made";
        return WA_WINBIND_AWAY;
    }
    rv = apr_proc_fork(&child, pool);
    if (rv == APR_INCHILD) {
        ask(a, as_child, out, pool);
    }
    apr_file_close(out);
    if (rv == APR_INPARENT) {
        listen_to(in, said, sizeof(said));
        apr_proc_kill(&child, SIGKILL);
        apr_proc_wait(&child, NULL, NULL, APR_WAIT);
    }
    apr_file_close(in);
    return understand(said, pool, detail);
}
