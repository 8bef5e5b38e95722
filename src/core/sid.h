/* Security identifiers: text, bytes, order, and sets of them.
 *
 * A set is kept by domains: each prefix once, and behind it the last sub-authorities of its SIDs,
 * sorted, so that a thousand groups of a domain cost four bytes each.  Whether a SID is in a set
 * is found by two binary searches.  Source: [MS-DTYP] 2.4.2. */
#ifndef WA_CORE_SID_H
#define WA_CORE_SID_H

#include "core/bytes.h"

enum {
    WA_SID_SUBAUTHS_MAX = 15,
    WA_SID_TEXT_MAX = 192 /* "S-1-0x", 12 digits, 15 times "-" and 10 digits, NUL */
};

typedef struct wa_sid {
    uint64_t authority; /* 48 bits */
    unsigned count;     /* of subs; <= WA_SID_SUBAUTHS_MAX */
    uint32_t subs[WA_SID_SUBAUTHS_MAX];
} wa_sid;

/* The next SID of a reader: Revision, SubAuthorityCount, IdentifierAuthority (big-endian),
 * SubAuthority.  The reader is bad, and *out without sub-authorities, when there is none. */
void wa_sid_read(wa_reader *r, wa_sid *out);

/* S-1-… in decimal, an authority of 2^32 or more in hexadecimal behind 0x.  False: not exactly
 * that, or no sub-authority. */
bool wa_sid_parse(const char *text, wa_sid *out);

/* Writes the SID in the same form, with its NUL. */
void wa_sid_format(const wa_sid *sid, char out[WA_SID_TEXT_MAX]);

/* An order in which the SIDs of a domain are neighbours, by ascending RID: < 0, 0, > 0. */
int wa_sid_compare(const wa_sid *a, const wa_sid *b);

/* True iff they differ in their last sub-authority at most; both have one. */
bool wa_sid_same_domain(const wa_sid *a, const wa_sid *b);

/* Makes of a domain's SID that of one of its accounts.  False, and nothing changed: no room. */
bool wa_sid_append(wa_sid *sid, uint32_t rid);

typedef struct wa_sidset_domain {
    wa_sid prefix;  /* what its SIDs have in common: all but the last sub-authority */
    uint32_t first; /* index of its first one in rids */
    uint32_t count; /* of them */
} wa_sidset_domain;

typedef struct wa_sidset {
    const wa_sidset_domain *domains; /* ascending */
    const uint32_t *rids;            /* last sub-authorities; ascending in each domain */
    uint32_t domain_count;
    uint32_t count; /* of rids, and so of SIDs */
} wa_sidset;

/* How many domains n ascending SIDs are of.  None of them may be without sub-authority. */
size_t wa_sidset_domains(const wa_sid *sorted, size_t n);

/* Fills a set from n ascending SIDs, none of them twice and none without sub-authority; domains
 * has room for wa_sidset_domains, rids for n.  The set points to both. */
void wa_sidset_fill(const wa_sid *sorted, size_t n, wa_sidset_domain *domains, uint32_t *rids,
                    wa_sidset *out);

/* True iff sid is in set.  No set, or none in it: false. */
bool wa_sidset_has(const wa_sidset *set, const wa_sid *sid);

/* The SID at index i, which counts from 0 to count - 1.  False: there is none. */
bool wa_sidset_at(const wa_sidset *set, size_t i, wa_sid *out);

#endif
