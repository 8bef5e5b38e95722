/* forge KEYTAB SERVICE CLIENT PAC CCACHE [EDIT...] - a service ticket that no KDC has made.
 *
 * Whoever has the service's key can make tickets for it: this puts one with the PAC of a file into a
 * credential cache, for any client to use.  The file's client information (type 10) gets the ticket's
 * time, its server signature (type 6) is made anew; each buffer keeps its place and size.
 *
 *   unsigned       the signature stays as it is in the file
 *   wrong-key      signed with a key of the same kind that is not the service's
 *   old            signed, but the client information is of another ticket
 *   flip=N         after signing, the lowest bit of byte N of the PAC changes
 *   cut=N          after signing, only the first N bytes of the PAC are left
 *
 * The functions that encode a ticket are libkrb5's own, exported but not in its headers. */
#include <krb5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

krb5_error_code krb5_encrypt_tkt_part(krb5_context, const krb5_keyblock *, krb5_ticket *);
krb5_error_code encode_krb5_ticket(const krb5_ticket *, krb5_data **);

enum { CLIENT_INFO = 10, SERVER_SIGNATURE = 6, KDC_SIGNATURE = 7, PAC_USAGE = 17, LARGEST = 1 << 20 };

static krb5_context ctx;
static unsigned char pac[LARGEST];
static size_t pac_length;

static void check(krb5_error_code code, const char *what)
{
    if (code != 0) {
        fprintf(stderr, "forge: %s: %s\n", what, krb5_get_error_message(ctx, code));
        exit(1);
    }
}

static uint64_t number(size_t at, size_t n)
{
    uint64_t v = 0;

    while (n > 0) {
        v = v << 8 | pac[at + --n];
    }
    return v;
}

/* Where the buffer of this type stands; 0: there is none. */
static size_t find(uint32_t type, size_t *size)
{
    size_t i;

    for (i = 0; i < number(0, 4) && 8 + 16 * (i + 1) <= pac_length; i++) {
        if (number(8 + 16 * i, 4) == type) {
            *size = (size_t)number(12 + 16 * i, 4);
            return (size_t)number(16 + 16 * i, 8);
        }
    }
    return 0;
}

static void sign(const krb5_keyblock *key)
{
    size_t size = 0, kdc_size = 0;
    size_t at = find(SERVER_SIGNATURE, &size);
    size_t kdc = find(KDC_SIGNATURE, &kdc_size);
    krb5_data data = { 0, (unsigned)pac_length, (char *)pac };
    krb5_checksum sum;

    memset(pac + at + 4, 0, size - 4);
    memset(pac + kdc + 4, 0, kdc_size - 4);
    check(krb5_c_make_checksum(ctx, 0, key, PAC_USAGE, &data, &sum), "checksum");
    if (sum.length != size - 4 || number(at, 4) != (uint32_t)sum.checksum_type) {
        fprintf(stderr, "forge: the file's signature is of another kind than the key's\n");
        exit(1);
    }
    memcpy(pac + at + 4, sum.contents, sum.length);
}

static void set_client_info(krb5_timestamp authtime)
{
    uint64_t t = ((uint64_t)(uint32_t)authtime + 11644473600u) * 10000000u;
    size_t size = 0;
    size_t at = find(CLIENT_INFO, &size);
    size_t i;

    for (i = 0; at != 0 && i < 8; i++) {
        pac[at + i] = (unsigned char)(t >> (8 * i));
    }
}

static void read_key(const char *keytab, krb5_principal service, krb5_keytab_entry *entry)
{
    krb5_keytab kt;

    check(krb5_kt_resolve(ctx, keytab, &kt), keytab);
    check(krb5_kt_get_entry(ctx, kt, service, 0, ENCTYPE_AES256_CTS_HMAC_SHA1_96, entry), "key");
}

static void make_pac(int count, char **edits, const krb5_keyblock *key, krb5_timestamp authtime)
{
    krb5_keyblock wrong;
    int i;
    int is_signed = 1, is_old = 0;

    check(krb5_c_make_random_key(ctx, key->enctype, &wrong), "random key");
    for (i = 0; i < count; i++) {
        is_old = is_old || strcmp(edits[i], "old") == 0;
        is_signed = is_signed && strcmp(edits[i], "unsigned") != 0;
        key = strcmp(edits[i], "wrong-key") == 0 ? &wrong : key;
    }
    set_client_info(is_old ? authtime - 1000 : authtime);
    if (is_signed) {
        sign(key);
    }
    for (i = 0; i < count; i++) {
        if (strncmp(edits[i], "flip=", 5) == 0) {
            pac[strtoul(edits[i] + 5, NULL, 10) % pac_length] ^= 1;
        }
        else if (strncmp(edits[i], "cut=", 4) == 0) {
            pac_length = strtoul(edits[i] + 4, NULL, 10);
        }
    }
}

/* AD-IF-RELEVANT around AD-WIN2K-PAC */
static krb5_authdata **wrap(void)
{
    static krb5_authdata inner;
    krb5_authdata *list[2] = { &inner, NULL };
    krb5_authdata **out;

    inner.ad_type = KRB5_AUTHDATA_WIN2K_PAC;
    inner.length = (unsigned)pac_length;
    inner.contents = pac;
    check(krb5_encode_authdata_container(ctx, KRB5_AUTHDATA_IF_RELEVANT, list, &out), "authdata");
    return out;
}

static void make_ticket(krb5_creds *creds, const krb5_keytab_entry *entry)
{
    krb5_enc_tkt_part part;
    krb5_ticket ticket;
    krb5_data *encoded;

    memset(&part, 0, sizeof(part));
    memset(&ticket, 0, sizeof(ticket));
    creds->ticket_flags = part.flags = TKT_FLG_PRE_AUTH;
    part.session = &creds->keyblock;
    part.client = creds->client;
    part.transited.tr_type = KRB5_DOMAIN_X500_COMPRESS;
    part.times = creds->times;
    part.authorization_data = wrap();
    ticket.server = creds->server;
    ticket.enc_part2 = &part;
    check(krb5_encrypt_tkt_part(ctx, &entry->key, &ticket), "ticket");
    ticket.enc_part.kvno = entry->vno;
    check(encode_krb5_ticket(&ticket, &encoded), "ticket");
    creds->ticket = *encoded;
}

int main(int argc, char **argv)
{
    krb5_keytab_entry entry;
    krb5_ccache cache;
    krb5_creds creds;
    FILE *f;

    if (argc < 6 || krb5_init_context(&ctx) != 0) {
        fprintf(stderr, "usage: forge KEYTAB SERVICE CLIENT PAC CCACHE [EDIT...]\n");
        return 2;
    }
    memset(&creds, 0, sizeof(creds));
    check(krb5_parse_name(ctx, argv[2], &creds.server), argv[2]);
    check(krb5_parse_name(ctx, argv[3], &creds.client), argv[3]);
    read_key(argv[1], creds.server, &entry);
    f = fopen(argv[4], "rb");
    pac_length = f != NULL ? fread(pac, 1, sizeof(pac), f) : 0;
    creds.times.authtime = creds.times.starttime = (krb5_timestamp)(time(NULL) - 1);
    creds.times.endtime = creds.times.starttime + 3600;
    make_pac(argc - 6, argv + 6, &entry.key, creds.times.authtime);
    check(krb5_c_make_random_key(ctx, entry.key.enctype, &creds.keyblock), "session key");
    make_ticket(&creds, &entry);
    check(krb5_cc_resolve(ctx, argv[5], &cache), argv[5]);
    check(krb5_cc_initialize(ctx, cache, creds.client), argv[5]);
    check(krb5_cc_store_cred(ctx, cache, &creds), argv[5]);
    check(krb5_cc_close(ctx, cache), argv[5]);
    return 0;
}
