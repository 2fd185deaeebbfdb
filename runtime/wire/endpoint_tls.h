/* SPDX-License-Identifier: MIT */
/* What is particular to tls+tcp://: NNG's configuration of TLS, and who a client is by its certificate.
 *
 * TLS is NNG's, which is Mbed TLS's: with NNG 1.5.2 that is TLS 1.2 alone. See
 * docs/decisions/0010-tls.md. */
#ifndef CANCELD_WIRE_ENDPOINT_TLS_H
#define CANCELD_WIRE_ENDPOINT_TLS_H

#include "wire/endpoint.h"
#include "wire/endpoint_peer.h"

#include <nng/nng.h>

struct nng_tls_config;

/* To be given back with nng_tls_config_free(), after the listener that uses it. On failure `error` holds
 * a sentence, and the status is INVALID (what it was given), UNSUPPORTED or NO_MEMORY. */
MUST_CHECK enum status endpoint_tls_config(const struct endpoint_tls *tls, const char *url,
                                           struct nng_tls_config **config_out,
                                           char error[ENDPOINT_ERROR_BYTES]);

/* What NNG's TLS does otherwise than its other streams, in 1.5.2 at least:
 *
 * - Who the peer is cannot be asked before the first bytes were received.
 * - An aio cannot be aborted: that ends the connection.
 * - An aio that is started after the connection has ended is never heard of again, unless the stream is
 *   closed. A receive that is in flight is told; one that is started just then, after the request of a
 *   client that went away at once, waits for ever. So whoever waits has to look now and then. */

/* Whether the connection has ended. It may take the time of a round trip to show. */
bool endpoint_tls_is_gone(nng_stream *connection);

/* Only after the first bytes were received: until the handshake is done NNG answers that a peer is
 * verified, whoever it is. */
struct endpoint_peer endpoint_tls_peer(nng_stream *connection);

#endif
