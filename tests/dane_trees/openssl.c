/* What libssl's own DANE client makes of a chain, set up as Postfix sets it up (security level 1, depth 10, no partial
 * wildcards, no names for DANE-EE). No handshake: the chain is given to the verifier that a handshake would call.
 *
 * Reads lines "time host[,host...] rdata[,rdata...] certificate[,certificate...]", all octets in hexadecimal; answers each
 * with one line: "ok", or the number and words of the error, or "unusable" where no record counts. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t unhex(const char *text, unsigned char *out)
{
    size_t count = 0;
    unsigned int octet;
    for (; text[0] && text[1] && sscanf(text, "%2x", &octet) == 1; text += 2)
        out[count++] = (unsigned char)octet;
    return count;
}

static void judge(SSL_CTX *context, char *line, unsigned char *octets)
{
    char *outer, *inner, *item;
    char *at = strtok_r(line, " ", &outer), *hosts = strtok_r(NULL, " ", &outer);
    char *records = strtok_r(NULL, " ", &outer), *certificates = strtok_r(NULL, " \n", &outer);
    SSL *ssl = SSL_new(context);
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509_STORE_CTX *verifier = X509_STORE_CTX_new();
    int usable = 0, first = 1;

    SSL_set_security_level(ssl, 1);
    for (item = strtok_r(hosts, ",", &inner); item; item = strtok_r(NULL, ",", &inner), first = 0) {
        if (first)
            SSL_dane_enable(ssl, item);
        else
            SSL_add1_host(ssl, item);
    }
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    for (item = strtok_r(records, ",", &inner); item; item = strtok_r(NULL, ",", &inner)) {
        size_t length = unhex(item, octets);
        if (length > 3 && octets[0] >= 2
            && SSL_dane_tlsa_add(ssl, octets[0], octets[1], octets[2], octets + 3, length - 3) > 0)
            usable++;
    }
    for (item = strtok_r(certificates, ",", &inner); item; item = strtok_r(NULL, ",", &inner)) {
        const unsigned char *start = octets;
        X509 *one = d2i_X509(NULL, &start, (long)unhex(item, octets));
        if (one)
            sk_X509_push(chain, one);
    }
    if (!usable) {
        puts("unusable");
    } else if (!sk_X509_num(chain)) {
        puts("0 no certificate");
    } else {
        X509_VERIFY_PARAM *settings;
        int good;
        X509_STORE_CTX_init(verifier, SSL_CTX_get_cert_store(context), sk_X509_value(chain, 0), chain);
        X509_STORE_CTX_set_default(verifier, "ssl_server");
        settings = X509_STORE_CTX_get0_param(verifier);
        X509_VERIFY_PARAM_set_auth_level(settings, SSL_get_security_level(ssl));
        X509_VERIFY_PARAM_set1(settings, SSL_get0_param(ssl));
        X509_STORE_CTX_set0_dane(verifier, SSL_get0_dane(ssl));
        X509_VERIFY_PARAM_set_time(settings, (time_t)atoll(at));
        good = X509_verify_cert(verifier);
        if (good > 0 && X509_STORE_CTX_get_error(verifier) == X509_V_OK)
            puts("ok");
        else
            printf("%d %s\n", X509_STORE_CTX_get_error(verifier),
                   X509_verify_cert_error_string(X509_STORE_CTX_get_error(verifier)));
    }
    fflush(stdout);
    X509_STORE_CTX_free(verifier);
    sk_X509_pop_free(chain, X509_free);
    SSL_free(ssl);
    ERR_clear_error();
}

int main(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    char *line = NULL;
    size_t room = 0;
    unsigned char *octets = malloc(1 << 20);
    SSL_CTX_set_verify_depth(context, 10);
    SSL_CTX_dane_enable(context);
    while (getline(&line, &room, stdin) > 0)
        judge(context, line, octets);
    return 0;
}
