/* SPDX-License-Identifier: MIT */
/* For libFuzzer: addresses. The first line is a URL: what the endpoint takes apart is within it, says the same
 * with another port, and is of the kind that the daemon's own look at it says. The next two are directories,
 * by which daemon and cancelctl choose the same address where none is said. */
#include "fuzz_text.h"
#include "server/address.h"
#include "server_address.h"
#include "testing.h"
#include "value.h"
#include "wire/endpoint_url.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found_out);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found_out)
{
    (void) host;
    (void) service;
    (void) hints;
    (void) found_out;
    return EAI_NONAME;
}

static bool has_port(const struct endpoint_url *url)
{
    return url->transport == ENDPOINT_TCP || url->transport == ENDPOINT_TLS;
}

static void check_url(const char *text, const struct endpoint_url *url)
{
    char printed[ENDPOINT_URL_BYTES];
    char error[ENDPOINT_ERROR_BYTES];
    struct endpoint_url again;
    CHECK(url->text == text && url->rest > text && url->rest <= text + strlen(text));
    CHECK_LE(url->host_bytes, strlen(url->rest));
    CHECK_LE(url->port, 65535);
    endpoint_url_print(url, 1, printed);
    CHECK_EQ(endpoint_url_parse(printed, &again, error), STATUS_OK);
    CHECK(again.rep == url->rep && again.nng == url->nng && again.transport == url->transport);
    CHECK_BYTES_EQ(again.rest, again.host_bytes, url->rest, url->host_bytes);
    if (has_port(url)) {
        CHECK_EQ(again.port, 1);
    } else {
        CHECK_STR_EQ(printed, text);
    }
}

static void check_address(const char *text, const struct address *address,
                          const struct endpoint_url *url)
{
    static const enum endpoint_transport transports[] = {
        [ADDRESS_IPC] = ENDPOINT_IPC, [ADDRESS_TCP] = ENDPOINT_TCP, [ADDRESS_TLS] = ENDPOINT_TLS};
    CHECK_STR_EQ(address->url, text);
    CHECK_LT(address->rest, strlen(text));
    CHECK(address->kind != ADDRESS_IPC || address_path(address)[0] == '/');
    if (url != NULL) {
        CHECK_EQ(transports[address->kind], url->transport);
        CHECK(url->rest == text + address->rest);
    }
}

static const char *directory_of(const char *line)
{
    return line != NULL && line[0] == '/' ? line : NULL;
}

static void check_defaults(const char *runtime_dir, const char *tmp_dir)
{
    const struct environment environment = {
        .runtime_dir = runtime_dir, .tmp_dir = tmp_dir, .uid = 1000};
    const struct server_address_source source = {
        .runtime_dir = runtime_dir, .tmp_dir = tmp_dir, .uid = 1000};
    struct refusal refusal = {.code = REFUSAL_NONE};
    struct address address;
    char *ours = server_address_default(&source);
    CHECK(ours != NULL);
    if (address_default(&environment, &address, &refusal)) {
        CHECK_STR_EQ(address.url, ours);
        CHECK(value_is_url(ours));
    } else {
        CHECK(refusal.code != REFUSAL_NONE && refusal.text[0] != '\0');
    }
    free(ours);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *rest = fuzz_text_of(data, size);
    const char *text = fuzz_text_line(&rest);
    struct refusal refusal = {.code = REFUSAL_NONE};
    char error[ENDPOINT_ERROR_BYTES] = "";
    struct address address;
    struct endpoint_url url;
    if (text == NULL) {
        return 0;
    }
    const bool is_url = endpoint_url_parse(text, &url, error) == STATUS_OK;
    if (is_url) {
        check_url(text, &url);
    } else {
        CHECK(error[0] != '\0');
    }
    for (int insecure = 0; insecure < 2; insecure++) {
        if (address_parse(text, insecure != 0, &address, &refusal)) {
            check_address(text, &address, is_url ? &url : NULL);
        } else {
            CHECK(refusal.code != REFUSAL_NONE && refusal.text[0] != '\0');
        }
    }
    const char *runtime_dir = fuzz_text_line(&rest);
    const char *tmp_dir = fuzz_text_line(&rest);
    check_defaults(directory_of(runtime_dir), directory_of(tmp_dir));
    return 0;
}
