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
#include "journal/journal.h"
#include "registry/registry.h"
#include "wire/endpoint.h"

#define SERVICE_ENDPOINTS_MAX 16

struct service;

/* Who may do what, as the registry's port has it: all four of them, or none, and then everybody may do
 * everything. Called on the loop, with the context that is in place. */
struct service_rights {
    void *context;
    size_t (*token)(void *context, struct bytes token, uint8_t name_out[CAUSE_PEER_BYTES_MAX]);
    uint32_t (*principal)(void *context, struct bytes name);
    uint32_t (*roles)(void *context, uint32_t principal, struct bytes space);
    void (*space_limits)(void *context, struct bytes space, struct space_limits *limits);
    void (*drop)(void *context); /* nobody uses it any more; on the loop, or in service_free() */
};

struct service_config {
    const struct clock *clock; /* that of the loop's system; NULL: clock_system */
    struct limits limits;
    uint64_t epoch;
    uint64_t counter_first;
    uint64_t recovery_ms; /* as in struct registry_config */
    /* Open, and nobody's yet; NULL: there is none. It is the caller's, who starts it before the loop
     * and stops it behind it. */
    struct journal *journal;
    /* NULL, or called on the loop when journal_trouble() is another one. */
    void (*journal_changed)(void *context, int trouble);
    void *journal_context;
    /* As in struct registry_port: called on the loop. */
    bool (*next_epoch)(void *context, uint64_t *epoch_out);
    void *next_epoch_context;
    struct service_rights rights; /* the context is the service's own once service_new() is OK */
    /* Random. */
    struct siphash_key table_key;
    struct siphash_key secret_key;
    struct siphash_key digest_key;
};

/* Puts a service on a loop that does not run yet. The clock and the epoch's context must outlive
 * it. STATUS_NO_MEMORY, or what actor_spawn() answers. */
MUST_CHECK enum status service_new(struct actor_loop *loop, const struct service_config *config,
                                   struct service **service_out);

/* Has the registry take what earlier runs left unsettled in the journal, before the loop runs. As
 * journal_load(); does nothing without a journal. */
MUST_CHECK enum status service_recover(struct service *service, char error[JOURNAL_ERROR_BYTES]);

/* Adds an address to listen on, before the loop runs: clients are accepted as soon as it does. The
 * `limits` of the options are not looked at. On failure as endpoint_open(); STATUS_FULL after
 * SERVICE_ENDPOINTS_MAX of them. */
MUST_CHECK enum status service_listen(struct service *service,
                                      const struct endpoint_options *options,
                                      char error[ENDPOINT_ERROR_BYTES]);

/* Where address `i`, in the order of service_listen(), is, as clients have to write it. Any thread.
 */
const char *service_url(const struct service *service, size_t i);

/* Puts another context in the place of the rights' one, and has the old one dropped. Any thread; does not
 * wait: what comes over a connection after this returned is judged by the new one. The context is the
 * service's own if this answers STATUS_OK; else what actor_tell() answers, or STATUS_NO_MEMORY. */
MUST_CHECK enum status service_rights_set(struct service *service, void *context);

/* The orderly end: accepts nobody any more, answers every parked request SHUTTING_DOWN, refuses
 * whatever still comes, waits for the journal to keep what answers wait for, closes each link when its
 * output is gone, all of them after ENDPOINT_FLUSH_MS. Cancels nothing and ends nothing. Blocks until that is done, on a thread that
 * is no loop's; once; the loop has to run and something to listen, and the loop is to be stopped
 * afterwards. STATUS_TIMED_OUT where the owner does not come to an end in good time. */
MUST_CHECK enum status service_shut_down(struct service *service);

/* Whether a stop now loses nothing, see registry_is_idle(). Before the loop runs or after it was
 * stopped. */
bool service_is_idle(const struct service *service);

/* After the loop was stopped. Takes NULL. */
void service_free(struct service *service);

#endif
