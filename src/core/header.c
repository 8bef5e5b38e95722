#include "core/header.h"

#include <string.h>
#include <strings.h>

static const char *const scheme_names[WA_SCHEME_COUNT] = { NULL, "Negotiate", "NTLM", "Basic" };

const char *wa_scheme_name(wa_scheme scheme)
{
    return scheme < WA_SCHEME_COUNT ? scheme_names[scheme] : NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 7230 section 3.2.6 */
static bool is_tchar(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_base64(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+'
           || c == '/';
}

bool wa_header_base64_len(wa_span text, size_t *decoded_len_out)
{
    size_t pad = 0;
    size_t i;

    *decoded_len_out = 0;
    if (text.n == 0 || text.n % 4 != 0) {
        return false;
    }
    while (pad < 2 && text.p[text.n - 1 - pad] == '=') {
        pad++;
    }
    for (i = 0; i < text.n - pad; i++) {
        if (!is_base64(text.p[i])) {
            return false;
        }
    }
    *decoded_len_out = text.n / 4 * 3 - pad;
    return true;
}

static wa_scheme scheme_of(const char *name, size_t len)
{
    size_t i;

    for (i = 1; i < WA_SCHEME_COUNT; i++) {
        if (strlen(scheme_names[i]) == len && strncasecmp(name, scheme_names[i], len) == 0) {
            return (wa_scheme)i;
        }
    }
    return WA_SCHEME_OTHER;
}

void wa_header_split(const char *value, wa_header *out)
{
    const char *data;
    const char *end;
    wa_span text;

    memset(out, 0, sizeof(*out));
    if (value == NULL) {
        out->kind = WA_HEADER_ABSENT;
        return;
    }
    while (is_blank(*value)) {
        value++;
    }
    for (data = value; is_tchar(*data); data++) {
    }
    if (data == value || (*data != '\0' && !is_blank(*data))) {
        return; /* malformed: no scheme name, or one that runs into something else */
    }
    out->scheme = scheme_of(value, (size_t)(data - value));
    if (out->scheme == WA_SCHEME_OTHER) {
        out->kind = WA_HEADER_FOREIGN;
        return;
    }
    while (is_blank(*data)) {
        data++;
    }
    for (end = data + strlen(data); end > data && is_blank(end[-1]); end--) {
    }
    if (end == data) {
        out->kind = WA_HEADER_NO_DATA;
        return;
    }
    text = wa_span_of(data, (size_t)(end - data));
    if (wa_header_base64_len(text, &out->decoded_len)) {
        out->base64 = text;
        out->kind = WA_HEADER_TOKEN;
    }
}
