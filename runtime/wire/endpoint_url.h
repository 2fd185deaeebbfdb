/* SPDX-License-Identifier: MIT */
/* The URL of an endpoint, taken apart. Pure. */
#ifndef CANCELD_WIRE_ENDPOINT_URL_H
#define CANCELD_WIRE_ENDPOINT_URL_H

#include "wire/endpoint.h"

enum endpoint_transport { ENDPOINT_IPC, ENDPOINT_TCP, ENDPOINT_TLS, ENDPOINT_INPROC };

struct endpoint_url {
    bool rep; /* NNG's REP socket was asked for by "rep+" */
    bool nng; /* NNG's streams were asked for by "nng+" */
    enum endpoint_transport transport;
    const char *text;    /* the whole of it, borrowed */
    const char *nng_url; /* without "rep+" and "nng+": within text */
    const char *rest;    /* behind "://": the path, the name, or host and port */
    size_t host_bytes;   /* TCP, TLS: of `rest`, before the colon of the port */
    uint32_t port;       /* TCP, TLS */
};

/* `text` must outlive *url_out. On failure `error` holds a sentence, and the status is INVALID. */
MUST_CHECK enum status endpoint_url_parse(const char *text, struct endpoint_url *url_out,
                                          char error[ENDPOINT_ERROR_BYTES]);

/* The URL with another port; `port` is of no meaning but for TCP and TLS. */
void endpoint_url_print(const struct endpoint_url *url, uint32_t port,
                        char out[ENDPOINT_URL_BYTES]);

#endif
