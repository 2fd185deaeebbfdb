/* SPDX-License-Identifier: MIT */
/* The service: codec, registry and endpoints on one loop, the owner's.
 *
 * A request's way, all of it on that loop and within one call: the endpoint hands its bytes over,
 * the codec decodes them, the registry applies the frame and answers through its port, the codec
 * encodes, and the endpoint queues the reply for the end of the batch. */
#ifndef CANCELD_WIRE_SERVICE_H
#define CANCELD_WIRE_SERVICE_H

#include "actor/actor.h"
#include "base/limits.h"
#include "base/siphash.h"
#include "registry/registry.h"
#include "wire/endpoint.h"

#define SERVICE_ENDPOINTS_MAX 16

struct service;

struct service_config {
    const struct clock *clock; /* that of the loop's system; NULL: clock_system */
    struct limits limits;
    uint64_t epoch;
    uint64_t counter_first;
    /* As in struct registry_port: called on the loop. */
    bool (*next_epoch)(void *context, uint64_t *epoch_out);
    void *next_epoch_context;
    /* Random. */
    struct siphash_key table_key;
    struct siphash_key secret_key;
    struct siphash_key digest_key;
};

/* Puts a service on a loop that does not run yet. The clock and the epoch's context must outlive
 * it. STATUS_NO_MEMORY, or what actor_spawn() answers. */
MUST_CHECK enum status service_new(struct actor_loop *loop, const struct service_config *config,
                                   struct service **service_out);

/* Adds an address to listen on, before the loop runs: clients are accepted as soon as it does. The
 * `limits` of the options are not looked at. On failure as endpoint_open(); STATUS_FULL after
 * SERVICE_ENDPOINTS_MAX of them. */
MUST_CHECK enum status service_listen(struct service *service,
                                      const struct endpoint_options *options,
                                      char error[ENDPOINT_ERROR_BYTES]);

/* Where address `i`, in the order of service_listen(), is, as clients have to write it. Any thread.
 */
const char *service_url(const struct service *service, size_t i);

/* The orderly end: accepts nobody any more, answers every parked request SHUTTING_DOWN, refuses
 * whatever still comes, closes each link when its output is gone, all of them after
 * ENDPOINT_FLUSH_MS. Cancels nothing and ends nothing. Blocks until that is done, on a thread that
 * is no loop's; once; the loop has to run and something to listen, and the loop is to be stopped
 * afterwards. STATUS_TIMED_OUT where the owner does not come to an end in good time. */
MUST_CHECK enum status service_shut_down(struct service *service);

/* After the loop was stopped. Takes NULL. */
void service_free(struct service *service);

#endif
