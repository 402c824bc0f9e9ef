/* What GnuTLS's libdane makes of a chain, asked as Exim asks it: records of usage 2 and of usage 3 apart, and a name check
 * where usage 2 decided.
 *
 * Reads and answers the lines that openssl.c does. */
#include <gnutls/abstract.h>
#include <gnutls/dane.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST 64

static time_t present;

static time_t the_present(time_t *out)
{
    if (out)
        *out = present;
    return present;
}

static size_t unhex(const char *text, unsigned char *out)
{
    size_t count = 0;
    unsigned int octet;
    for (; text[0] && text[1] && sscanf(text, "%2x", &octet) == 1; text += 2)
        out[count++] = (unsigned char)octet;
    return count;
}

/* 0 if a record of the usage verifies, else why not. */
static unsigned int by_usage(dane_state_t state, char **data, int *lengths, int count, int usage,
                             gnutls_datum_t *chain, unsigned int size)
{
    char *some[MOST + 1];
    int some_lengths[MOST + 1], kept = 0, i;
    unsigned int verify = 0;
    dane_query_t query;
    for (i = 0; i < count; i++)
        if (data[i][0] == usage) {
            some[kept] = data[i];
            some_lengths[kept++] = lengths[i];
        }
    some[kept] = NULL;
    if (!kept)
        return ~0u;
    if (dane_raw_tlsa(state, &query, some, some_lengths, 1, 0) < 0)
        return ~0u;
    if (dane_verify_crt_raw(state, chain, size, GNUTLS_CRT_X509, query, 0,
                            usage == 3 ? DANE_VFLAG_ONLY_CHECK_EE_USAGE : DANE_VFLAG_ONLY_CHECK_CA_USAGE, &verify)
        < 0)
        verify = ~0u;
    dane_query_deinit(query);
    return verify;
}

static int named(gnutls_datum_t *leaf, char *hosts)
{
    gnutls_x509_crt_t certificate;
    char *inner, *item;
    int good = 0;
    gnutls_x509_crt_init(&certificate);
    if (gnutls_x509_crt_import(certificate, leaf, GNUTLS_X509_FMT_DER) == 0)
        for (item = strtok_r(hosts, ",", &inner); item; item = strtok_r(NULL, ",", &inner))
            good |= gnutls_x509_crt_check_hostname(certificate, item) != 0;
    gnutls_x509_crt_deinit(certificate);
    return good;
}

/* 0 if the handshake would take the certificates in: it reads each of them, whatever the records say. */
static int imported(gnutls_datum_t *chain, unsigned int size)
{
    unsigned int i;
    int bad = 0;
    for (i = 0; i < size && !bad; i++) {
        gnutls_pcert_st one;
        bad = gnutls_pcert_import_x509_raw(&one, &chain[i], GNUTLS_X509_FMT_DER, 0);
        if (!bad)
            gnutls_pcert_deinit(&one);
    }
    return bad;
}

/* What is wrong between the leaf and the next certificate, for people who look at a difference. */
static void told(gnutls_datum_t *chain, unsigned int size)
{
    gnutls_x509_crt_t leaf, issuer;
    unsigned int status = 0;
    gnutls_x509_crt_init(&leaf);
    gnutls_x509_crt_init(&issuer);
    if (size > 1 && gnutls_x509_crt_import(leaf, &chain[0], GNUTLS_X509_FMT_DER) == 0
        && gnutls_x509_crt_import(issuer, &chain[1], GNUTLS_X509_FMT_DER) == 0) {
        printf("issuer %u, ", gnutls_x509_crt_check_issuer(leaf, issuer));
        printf("verify %d", gnutls_x509_crt_verify(leaf, &issuer, 1, 0, &status));
        printf(" status %x\n", status);
    } else {
        puts("nothing to compare");
    }
    gnutls_x509_crt_deinit(leaf);
    gnutls_x509_crt_deinit(issuer);
}

static void judge(dane_state_t state, char *line, unsigned char *octets)
{
    char *outer, *inner, *item;
    char *at = strtok_r(line, " ", &outer), *hosts = strtok_r(NULL, " ", &outer);
    char *records = strtok_r(NULL, " ", &outer), *certificates = strtok_r(NULL, " \n", &outer);
    char *data[MOST];
    int lengths[MOST], count = 0;
    gnutls_datum_t chain[MOST];
    unsigned int size = 0, ee, ta;
    int bad;

    present = (time_t)atoll(at);
    for (item = strtok_r(records, ",", &inner); item && count < MOST; item = strtok_r(NULL, ",", &inner)) {
        lengths[count] = (int)unhex(item, octets);
        data[count++] = (char *)octets;
        octets += lengths[count - 1];
    }
    for (item = strtok_r(certificates, ",", &inner); item && size < MOST; item = strtok_r(NULL, ",", &inner)) {
        chain[size].size = (unsigned int)unhex(item, octets);
        chain[size++].data = octets;
        octets += chain[size - 1].size;
    }
    bad = imported(chain, size);
    if (bad) {
        printf("handshake: %s\n", gnutls_strerror(bad));
        fflush(stdout);
        return;
    }
    ee = by_usage(state, data, lengths, count, 3, chain, size);
    ta = by_usage(state, data, lengths, count, 2, chain, size);
    if (ee == 0)
        puts("ok");
    else if (ta == 0)
        puts(named(&chain[0], hosts) ? "ok" : "name");
    else {
        printf("refused (%x %x): ", ee, ta);
        told(chain, size);
    }
    fflush(stdout);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    unsigned char *octets = malloc(1 << 20);
    dane_state_t state;
    gnutls_global_init();
    gnutls_global_set_time_function(the_present);
    dane_state_init(&state, DANE_F_IGNORE_LOCAL_RESOLVER | DANE_F_IGNORE_DNSSEC);
    while (getline(&line, &room, stdin) > 0)
        judge(state, line, octets);
    return 0;
}
