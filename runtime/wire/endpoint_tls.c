/* SPDX-License-Identifier: MIT */
#include "wire/endpoint_tls.h"

#include "wire/endpoint_kind.h"

#include <nng/supplemental/tls/tls.h>
#include <string.h>

static enum status tls_fail(const char *url, const char *what, int failure,
                            char error[ENDPOINT_ERROR_BYTES])
{
    const enum status status = failure == NNG_ENOTSUP  ? STATUS_UNSUPPORTED
                               : failure == NNG_ENOMEM ? STATUS_NO_MEMORY
                                                       : STATUS_INVALID;
    return endpoint_fail(error, status, "%s: %s: %s", url, what, nng_strerror(failure));
}

static nng_tls_auth_mode auth_mode(const struct endpoint_tls *tls)
{
    if (tls->ca == NULL) {
        return NNG_TLS_AUTH_MODE_NONE;
    }
    return tls->require_client_cert ? NNG_TLS_AUTH_MODE_REQUIRED : NNG_TLS_AUTH_MODE_OPTIONAL;
}

static enum status config_fill(nng_tls_config *config, const struct endpoint_tls *tls,
                               const char *url, char error[ENDPOINT_ERROR_BYTES])
{
    int failure = nng_tls_config_version(config, NNG_TLS_1_2, NNG_TLS_1_3);
    if (failure != 0) {
        return tls_fail(url, "TLS 1.2 cannot be had", failure, error);
    }
    failure = nng_tls_config_own_cert(config, tls->cert, tls->key, NULL);
    if (failure != 0) {
        return tls_fail(url, "the certificate or its key is not taken", failure, error);
    }
    if (tls->ca != NULL) {
        failure = nng_tls_config_ca_chain(config, tls->ca, NULL);
    }
    if (failure != 0) {
        return tls_fail(url, "the CA of the clients is not taken", failure, error);
    }
    failure = nng_tls_config_auth_mode(config, auth_mode(tls));
    if (failure != 0) {
        return tls_fail(url, "clients' certificates cannot be asked for", failure, error);
    }
    return STATUS_OK;
}

enum status endpoint_tls_config(const struct endpoint_tls *tls, const char *url,
                                struct nng_tls_config **config_out,
                                char error[ENDPOINT_ERROR_BYTES])
{
    nng_tls_config *config;
    if (tls == NULL || tls->cert == NULL || tls->key == NULL) {
        return endpoint_fail(error, STATUS_INVALID, "%s: there is no certificate, or no key", url);
    }
    const int failure = nng_tls_config_alloc(&config, NNG_TLS_MODE_SERVER);
    if (failure != 0) {
        return tls_fail(url, "this NNG has no TLS", failure, error);
    }
    const enum status status = config_fill(config, tls, url, error);
    if (status != STATUS_OK) {
        nng_tls_config_free(config);
        return status;
    }
    *config_out = config;
    return STATUS_OK;
}

enum status endpoint_tls_check(const struct endpoint_tls *tls, char error[ENDPOINT_ERROR_BYTES])
{
    nng_tls_config *config = NULL;
    const enum status status = endpoint_tls_config(tls, "tls+tcp", &config, error);
    if (status == STATUS_OK) {
        nng_tls_config_free(config);
    }
    return status;
}

bool endpoint_tls_is_gone(nng_stream *connection)
{
    nng_sockaddr address;
    return nng_stream_get_addr(connection, NNG_OPT_REMADDR, &address) != 0;
}

struct endpoint_peer endpoint_tls_peer(nng_stream *connection)
{
    bool verified = false;
    char *name = NULL;
    if (nng_stream_get_bool(connection, NNG_OPT_TLS_VERIFIED, &verified) != 0) {
        verified = false;
    }
#ifdef NNG_OPT_TLS_PEER_CN
    if (verified && nng_stream_get_string(connection, NNG_OPT_TLS_PEER_CN, &name) != 0) {
        name = NULL;
    }
#endif
    const struct endpoint_peer peer = endpoint_peer_of_certificate(verified, name);
    if (name != NULL) {
        nng_strfree(name);
    }
    return peer;
}
