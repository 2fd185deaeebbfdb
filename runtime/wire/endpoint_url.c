/* SPDX-License-Identifier: MIT */
#include "wire/endpoint_url.h"

#include "wire/endpoint_kind.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define IPC_PATH_BYTES_MAX (sizeof(((struct sockaddr_un *) 0)->sun_path) - 1)
#define PORT_MAX 65535

static enum status parse_path(struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES])
{
    size_t size = strlen(url->rest);
    if (size == 0) {
        return endpoint_fail(error, STATUS_INVALID, "%s: there is no path", url->text);
    }
    if (url->transport == ENDPOINT_IPC && size > IPC_PATH_BYTES_MAX) {
        return endpoint_fail(error, STATUS_INVALID,
                             "%s: the path has %zu bytes, a socket's can have %zu at most",
                             url->text, size, IPC_PATH_BYTES_MAX);
    }
    return STATUS_OK;
}

/* Digits alone, to the end of the text. */
static bool parse_port(const char *text, uint32_t *port_out)
{
    uint32_t port = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++) {
        port = port * 10 + (uint32_t) (text[digits] - '0');
    }
    if (digits == 0 || text[digits] != '\0' || port > PORT_MAX) {
        return false;
    }
    *port_out = port;
    return true;
}

static enum status parse_host(struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES])
{
    const char *colon = strrchr(url->rest, ':');
    if (colon == NULL || !parse_port(colon + 1, &url->port)) {
        return endpoint_fail(error, STATUS_INVALID,
                             "%s: it has to end in a port, :0 to :65535 and nothing behind it",
                             url->text);
    }
    url->host_bytes = (size_t) (colon - url->rest);
    bool in_brackets = url->rest[0] == '[' && colon[-1] == ']';
    size_t plain = strcspn(url->rest, ":/*@?#");
    if (url->host_bytes == 0 || (!in_brackets && plain < url->host_bytes)) {
        return endpoint_fail(error, STATUS_INVALID,
                             "%s: an address to listen at is missing (127.0.0.1, [::1], ...)",
                             url->text);
    }
    return STATUS_OK;
}

struct scheme {
    const char *prefix;
    enum endpoint_transport transport;
    bool by_stream; /* there is one without "rep+" */
    bool by_rep;    /* there is one with it */
    enum status (*parse)(struct endpoint_url *url, char error[ENDPOINT_ERROR_BYTES]);
};

static const struct scheme schemes[] = {
    {"ipc://", ENDPOINT_IPC, true, true, parse_path},
    {"tcp://", ENDPOINT_TCP, true, true, parse_host},
    {"tls+tcp://", ENDPOINT_TLS, true, false, parse_host},
    {"inproc://", ENDPOINT_INPROC, false, true, parse_path},
};

enum status endpoint_url_parse(const char *text, struct endpoint_url *url_out,
                               char error[ENDPOINT_ERROR_BYTES])
{
    static const char rep_prefix[] = "rep+";
    static const char nng_prefix[] = "nng+";
    struct endpoint_url url = {.text = text, .nng_url = text};
    if (strlen(text) >= ENDPOINT_URL_BYTES) {
        return endpoint_fail(error, STATUS_INVALID, "the URL %.40s... is longer than %d bytes",
                             text, ENDPOINT_URL_BYTES - 1);
    }
    if (strncmp(text, rep_prefix, sizeof rep_prefix - 1) == 0) {
        url.rep = true;
        url.nng_url += sizeof rep_prefix - 1;
    }
    if (strncmp(text, nng_prefix, sizeof nng_prefix - 1) == 0) {
        url.nng = true;
        url.nng_url += sizeof nng_prefix - 1;
    }
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        const struct scheme *scheme = &schemes[i];
        size_t prefix_bytes = strlen(scheme->prefix);
        if (strncmp(url.nng_url, scheme->prefix, prefix_bytes) != 0 ||
            !(url.rep ? scheme->by_rep : scheme->by_stream)) {
            continue;
        }
        url.transport = scheme->transport;
        url.rest = url.nng_url + prefix_bytes;
        enum status status = scheme->parse(&url, error);
        if (status == STATUS_OK) {
            *url_out = url;
        }
        return status;
    }
    return endpoint_fail(error, STATUS_INVALID,
                         "%s: not one of ipc://PATH, tcp://HOST:PORT, tls+tcp://HOST:PORT, "
                         "nng+ipc://PATH, nng+tcp://HOST:PORT, "
                         "rep+inproc://NAME, rep+ipc://PATH, rep+tcp://HOST:PORT",
                         text);
}

void endpoint_url_print(const struct endpoint_url *url, uint32_t port, char out[ENDPOINT_URL_BYTES])
{
    if (url->transport != ENDPOINT_TCP && url->transport != ENDPOINT_TLS) {
        (void) snprintf(out, ENDPOINT_URL_BYTES, "%s", url->text);
        return;
    }
    int before_port = (int) ((size_t) (url->rest - url->text) + url->host_bytes);
    (void) snprintf(out, ENDPOINT_URL_BYTES, "%.*s:%u", before_port, url->text, port);
}
