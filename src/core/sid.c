#include "core/sid.h"

#include <stdio.h>
#include <string.h>

enum { AUTHORITY_BYTES = 6 };
static const uint64_t authority_max = ((uint64_t)1 << 48) - 1;

void wa_sid_read(wa_reader *r, wa_sid *out)
{
    unsigned revision = wa_reader_u8(r);
    unsigned count = wa_reader_u8(r);
    unsigned i;

    memset(out, 0, sizeof(*out));
    for (i = 0; i < AUTHORITY_BYTES; i++) {
        out->authority = out->authority << 8 | wa_reader_u8(r);
    }
    if (revision != 1 || count > WA_SID_SUBAUTHS_MAX) {
        r->bad = true;
        return;
    }
    for (i = 0; i < count; i++) {
        out->subs[i] = wa_reader_le32(r);
    }
    out->count = r->bad ? 0 : count;
}

static int digit(char c, unsigned base)
{
    int v = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : -1;

    return v < (int)base ? v : -1;
}

/* The number at *at, which is moved behind it.  False: no digit, a needless zero in front, or
 * more than max. */
static bool number(const char **at, unsigned base, uint64_t max, uint64_t *out)
{
    const char *p = *at;

    *out = 0;
    if (digit(*p, base) < 0 || (base == 10 && p[0] == '0' && digit(p[1], base) >= 0)) {
        return false;
    }
    for (; digit(*p, base) >= 0; p++) {
        *out = *out * base + (unsigned)digit(*p, base);
        if (*out > max) {
            return false;
        }
    }
    *at = p;
    return true;
}

bool wa_sid_parse(const char *text, wa_sid *out)
{
    const char *p = text;
    uint64_t v;
    bool good;

    memset(out, 0, sizeof(*out));
    if ((p[0] != 'S' && p[0] != 's') || strncmp(p + 1, "-1-", 3) != 0) {
        return false;
    }
    p += 4;
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        p += 2;
        good = number(&p, 16, authority_max, &out->authority);
    }
    else {
        good = number(&p, 10, UINT32_MAX, &out->authority);
    }
    while (good && *p == '-' && out->count < WA_SID_SUBAUTHS_MAX) {
        p++;
        good = number(&p, 10, UINT32_MAX, &v);
        out->subs[out->count++] = (uint32_t)v;
    }
    return good && *p == '\0' && out->count > 0;
}

void wa_sid_format(const wa_sid *sid, char out[WA_SID_TEXT_MAX])
{
    unsigned long long authority = sid->authority;
    int n = authority > UINT32_MAX ? snprintf(out, WA_SID_TEXT_MAX, "S-1-0x%012llx", authority)
                                   : snprintf(out, WA_SID_TEXT_MAX, "S-1-%llu", authority);
    unsigned i;

    for (i = 0; i < sid->count; i++) {
        n += snprintf(out + n, WA_SID_TEXT_MAX - (size_t)n, "-%lu", (unsigned long)sid->subs[i]);
    }
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* The first n sub-authorities of both. */
static int compare_subs(const wa_sid *a, const wa_sid *b, unsigned n)
{
    int order = 0;
    unsigned i;

    for (i = 0; order == 0 && i < n; i++) {
        order = compare_u64(a->subs[i], b->subs[i]);
    }
    return order;
}

int wa_sid_compare(const wa_sid *a, const wa_sid *b)
{
    int order = compare_u64(a->authority, b->authority);

    if (order == 0) {
        order = compare_u64(a->count, b->count);
    }
    return order != 0 ? order : compare_subs(a, b, a->count);
}

bool wa_sid_append(wa_sid *sid, uint32_t rid)
{
    if (sid->count >= WA_SID_SUBAUTHS_MAX) {
        return false;
    }
    sid->subs[sid->count++] = rid;
    return true;
}

/* prefix has all sub-authorities of sid but the last. */
static int compare_prefix(const wa_sid *prefix, const wa_sid *sid)
{
    int order = compare_u64(prefix->authority, sid->authority);

    if (order == 0) {
        order = compare_u64(prefix->count, sid->count - 1);
    }
    return order != 0 ? order : compare_subs(prefix, sid, prefix->count);
}

bool wa_sid_same_domain(const wa_sid *a, const wa_sid *b)
{
    return a->authority == b->authority && a->count == b->count
           && compare_subs(a, b, a->count - 1) == 0;
}

size_t wa_sidset_domains(const wa_sid *sorted, size_t n)
{
    size_t domains = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        domains += i == 0 || !wa_sid_same_domain(&sorted[i - 1], &sorted[i]);
    }
    return domains;
}

void wa_sidset_fill(const wa_sid *sorted, size_t n, wa_sidset_domain *domains, uint32_t *rids,
                    wa_sidset *out)
{
    wa_sidset_domain *d = NULL;
    size_t i;

    out->domains = domains;
    out->rids = rids;
    out->domain_count = 0;
    out->count = (uint32_t)n;
    for (i = 0; i < n; i++) {
        if (i == 0 || !wa_sid_same_domain(&sorted[i - 1], &sorted[i])) {
            d = &domains[out->domain_count++];
            d->prefix = sorted[i];
            d->prefix.subs[--d->prefix.count] = 0;
            d->first = (uint32_t)i;
            d->count = 0;
        }
        d->count++;
        rids[i] = sorted[i].subs[sorted[i].count - 1];
    }
}

static const wa_sidset_domain *find_domain(const wa_sidset *set, const wa_sid *sid)
{
    size_t low = 0;
    size_t high = set->domain_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_prefix(&set->domains[middle].prefix, sid);
        if (order == 0) {
            return &set->domains[middle];
        }
        if (order < 0) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return NULL;
}

static bool has_rid(const uint32_t *rids, size_t n, uint32_t rid)
{
    size_t low = 0;
    size_t high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rids[middle] == rid) {
            return true;
        }
        if (rids[middle] < rid) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return false;
}

bool wa_sidset_has(const wa_sidset *set, const wa_sid *sid)
{
    const wa_sidset_domain *d;

    if (set == NULL || sid->count == 0) {
        return false;
    }
    d = find_domain(set, sid);
    return d != NULL && has_rid(set->rids + d->first, d->count, sid->subs[sid->count - 1]);
}

bool wa_sidset_at(const wa_sidset *set, size_t i, wa_sid *out)
{
    size_t low = 0;
    size_t high;

    if (set == NULL || i >= set->count) {
        return false;
    }
    high = set->domain_count;
    while (high - low > 1) { /* the last domain that begins at or before i */
        size_t middle = low + (high - low) / 2;
        if (set->domains[middle].first <= i) {
            low = middle;
        }
        else {
            high = middle;
        }
    }
    *out = set->domains[low].prefix;
    return wa_sid_append(out, set->rids[i]);
}
