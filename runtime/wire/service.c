/* SPDX-License-Identifier: MIT */
#include "wire/service.h"

#include "registry/registry_actor.h"
#include "wire/codec.h"

#include <stdio.h>
#include <stdlib.h>

enum { SERVICE_STOP = MESSAGE_KIND_FIRST, SERVICE_RIGHTS };

/* How much longer than the flush the end may take before the asker gives up. */
#define STOP_PATIENCE_MS 3000

#define SERVICE_STATS_MAX (REGISTRY_STATS_MAX + JOURNAL_STATS_COUNT + 64)

struct service {
    struct actor *self;
    struct actor_system *system;
    uint64_t address;
    struct message stop;
    struct promise *stopping; /* who waits for the end */
    struct codec *codec;
    struct journal *journal; /* NULL: none */
    uint64_t records;        /* given to the journal */
    uint64_t records_kept;
    int trouble; /* the journal's, as it was told last */
    void (*journal_changed)(void *context, int trouble);
    void *journal_context;
    struct actor_timer patience; /* at the end: for answers that wait for the journal */
    uint64_t flush_until_ns;     /* 0: no end yet, or the links have been told of it */
    struct registry_actor *registry_actor;
    struct endpoint *endpoints[SERVICE_ENDPOINTS_MAX];
    struct message_down endpoints_down[SERVICE_ENDPOINTS_MAX]; /* at the end */
    size_t endpoints_count;
    size_t endpoints_closing;
    struct limits limits;
    bool (*next_epoch)(void *context, uint64_t *epoch_out);
    void *next_epoch_context;
    struct service_rights rights;
    uint64_t refused[ERROR_END]; /* frames that the registry never saw */
    struct stat_row stats[SERVICE_STATS_MAX];
    size_t stats_count;
};

/* ---- what the wire adds to `stats` ---- */

static void stats_add_row(struct service *service, const char *name, uint64_t value)
{
    ASSERT(service->stats_count < SERVICE_STATS_MAX);
    service->stats[service->stats_count++] = (struct stat_row){.name = name, .value = value};
}

/* The figures of the endpoints, each the sum over all of them. */
static const struct {
    const char *name;
    size_t offset;
} wire_rows[] = {

#define WIRE_ROW(field)                                                                            \
    {                                                                                              \
        "wire_" #field, offsetof(struct endpoint_stats, field)                                     \
    }
    WIRE_ROW(links),
    WIRE_ROW(accepted),
    WIRE_ROW(refused),
    WIRE_ROW(accept_errors),
    WIRE_ROW(pauses),
    WIRE_ROW(bytes_in),
    WIRE_ROW(bytes_out),
    WIRE_ROW(frames_in),
    WIRE_ROW(frames_ignored),
    WIRE_ROW(frames_out),
    WIRE_ROW(buffers),
#undef WIRE_ROW
#define CUT_ROW(name, text)                                                                        \
    {"wire_cut_" #name,                                                                            \
     offsetof(struct endpoint_stats, cuts) + ENDPOINT_CUT_##name * sizeof(uint64_t)},
    ENDPOINT_CUT_TABLE(CUT_ROW)
#undef CUT_ROW
};

static const char *const refused_names[ERROR_END] = {
    [ERROR_MALFORMED] = "wire_frames_malformed",
    [ERROR_TOO_COMPLEX] = "wire_frames_too_complex",
    [ERROR_OP_COUNT] = "wire_frames_op_count",
    [ERROR_ANSWERED] = "wire_frames_answered",
};

static uint64_t wire_sum(const struct service *service, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < service->endpoints_count; i++) {
        const struct endpoint_stats *stats = endpoint_stats(service->endpoints[i]);
        sum += *(const uint64_t *) (const void *) ((const char *) stats + offset);
    }
    return sum;
}

static void stats_add_wire(struct service *service)
{
    for (size_t i = 0; i < sizeof wire_rows / sizeof wire_rows[0]; i++) {
        stats_add_row(service, wire_rows[i].name, wire_sum(service, wire_rows[i].offset));
    }
    for (size_t i = 0; i < ERROR_END; i++) {
        if (refused_names[i] != NULL) {
            stats_add_row(service, refused_names[i], service->refused[i]);
        }
    }
}

static void stats_add_loop(struct service *service)
{
    const struct actor_stats stats = actor_loop_stats(actor_loop_of(service->self));
    stats_add_row(service, "owner_messages", stats.messages_delivered);
    stats_add_row(service, "owner_messages_refused", stats.messages_refused);
    stats_add_row(service, "owner_messages_bounced", stats.messages_bounced);
    stats_add_row(service, "owner_sleeps", stats.sleeps);
    stats_add_row(service, "owner_wakes", stats.wakes);
    stats_add_row(service, "owner_actors", stats.actors);
}

static void stats_add_journal(struct service *service)
{
    struct stat_row rows[JOURNAL_STATS_COUNT];
    const size_t count = service->journal == NULL ? 0 : journal_stats(service->journal, rows);
    for (size_t i = 0; i < count; i++) {
        stats_add_row(service, rows[i].name, rows[i].value);
    }
}

/* The registry's rows, with ours behind them. */
static struct result with_stats(struct service *service, const struct result *result)
{
    service->stats_count = 0;
    for (size_t i = 0; i < result->stats_count; i++) {
        stats_add_row(service, result->stats[i].name, result->stats[i].value);
    }
    struct stat_row lease[LEASE_STATS_COUNT];
    const size_t count = registry_actor_lease_stats(service->registry_actor, lease);
    for (size_t i = 0; i < count; i++) {
        stats_add_row(service, lease[i].name, lease[i].value);
    }
    stats_add_journal(service);
    stats_add_wire(service);
    stats_add_loop(service);
    struct result whole = *result;
    whole.stats = service->stats;
    whole.stats_count = service->stats_count;
    return whole;
}

/* ---- the registry's port ---- */

static void port_send(void *context, const struct reply_to *to, struct bytes reply)
{
    const struct service *service = context;
    endpoint_reply(registry_actor_self(service->registry_actor), to, reply);
}

static size_t port_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    if (result->answer != ANSWER_STATS) {
        return codec_result(NULL, result, out, room);
    }
    const struct result whole = with_stats(context, result);
    return codec_result(NULL, &whole, out, room);
}

static bool port_next_epoch(void *context, uint64_t *epoch_out)
{
    const struct service *service = context;
    return service->next_epoch(service->next_epoch_context, epoch_out);
}

static size_t port_token(void *context, struct bytes token, uint8_t name_out[CAUSE_PEER_BYTES_MAX])
{
    const struct service *service = context;
    return service->rights.token(service->rights.context, token, name_out);
}

static uint32_t port_principal(void *context, struct bytes name)
{
    const struct service *service = context;
    return service->rights.principal(service->rights.context, name);
}

static uint32_t port_roles(void *context, uint32_t principal, struct bytes space)
{
    const struct service *service = context;
    return service->rights.roles(service->rights.context, principal, space);
}

static void port_space_limits(void *context, struct bytes space, struct space_limits *limits)
{
    const struct service *service = context;
    service->rights.space_limits(service->rights.context, space, limits);
}

/* ---- the links, at the end ---- */

static void links_close(struct service *service)
{
    const uint64_t now_ns = actor_now_ns(service->self);
    const uint64_t until_ns = service->flush_until_ns;
    const uint64_t left_ms = until_ns > now_ns ? (until_ns - now_ns) / NS_PER_MS : 0;
    service->flush_until_ns = 0;
    actor_timer_clear(service->self, &service->patience);
    for (size_t i = 0; i < service->endpoints_count; i++) {
        endpoint_monitor(service->endpoints[i], service->self, &service->endpoints_down[i]);
        endpoint_close(service->endpoints[i], left_ms);
    }
}

static void on_patience(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    links_close(actor_state(self));
}

/* A link without output is closed at once: not before the answers have come that wait for the journal.
 * One that fails has answered all of them. */
static void links_close_when_kept(struct service *service)
{
    const bool waits = service->trouble == 0 && service->records_kept < service->records;
    if (service->flush_until_ns != 0 && !waits) {
        links_close(service);
    }
}

/* ---- the journal ---- */

static void port_journal(void *context, const struct journal_record *record)
{
    struct service *service = context;
    service->records++;
    journal_append(service->journal, record);
}

static bool port_history(void *context, uint64_t ticket, const struct history_query *query)
{
    const struct service *service = context;
    return journal_history(service->journal, ticket, query);
}

static uint64_t port_journal_pending(void *context)
{
    const struct service *service = context;
    return journal_pending(service->journal);
}

/* Somebody else says it to people: this thread has no log. */
static void trouble_tell(struct service *service)
{
    const int trouble = journal_trouble(service->journal);
    if (trouble != service->trouble && service->journal_changed != NULL) {
        service->journal_changed(service->journal_context, trouble);
    }
    service->trouble = trouble;
}

static void on_kept(void *context, uint64_t number)
{
    struct service *service = context;
    service->records_kept = number;
    trouble_tell(service);
    registry_actor_journal_kept(service->registry_actor, number);
    links_close_when_kept(service);
}

static void on_failed(void *context)
{
    struct service *service = context;
    trouble_tell(service);
    registry_actor_journal_failed(service->registry_actor);
    links_close_when_kept(service);
}

static void on_history(void *context, uint64_t ticket, const struct history_entry *entries,
                       size_t entries_count, uint64_t next_cursor, bool failed)
{
    const struct service *service = context;
    registry_actor_history(service->registry_actor, ticket, entries, entries_count, next_cursor,
                           failed);
}

static bool take_record(void *context, const struct journal_record *record)
{
    const struct service *service = context;
    return registry_actor_recover(service->registry_actor, record);
}

enum status service_recover(struct service *service, char error[JOURNAL_ERROR_BYTES])
{
    return service->journal == NULL ? STATUS_OK
                                    : journal_load(service->journal, take_record, service, error);
}

/* Behind the registry, whose sweep gives records: sweeps run in the order of spawning. */
static enum status attach(struct service *service, struct actor_loop *loop)
{
    const struct journal_handler handler = {
        .context = service, .kept = on_kept, .failed = on_failed, .history = on_history};
    return service->journal == NULL ? STATUS_OK : journal_attach(service->journal, loop, &handler);
}

/* ---- other rights ---- */

struct rights_message {
    struct message message;
    void (*drop)(void *context);
    void *context; /* the new one, and then the old one */
};

static void rights_release(struct message *message)
{
    struct rights_message *rights = (struct rights_message *) (void *) message;
    if (rights->context != NULL) {
        rights->drop(rights->context);
    }
    free(rights);
}

static void rights_take(struct service *service, struct message *message)
{
    struct rights_message *rights = (struct rights_message *) (void *) message;
    void *old = service->rights.context;
    service->rights.context = rights->context;
    rights->context = old; /* dropped with the message */
    registry_actor_rights_changed(service->registry_actor);
}

enum status service_rights_set(struct service *service, void *context)
{
    struct rights_message *rights = malloc(sizeof *rights);
    if (rights == NULL) {
        return STATUS_NO_MEMORY;
    }
    *rights =
        (struct rights_message){.message = {.kind = SERVICE_RIGHTS, .release = rights_release},
                                .drop = service->rights.drop,
                                .context = context};
    const enum status status = actor_tell(service->system, service->address, &rights->message);
    if (status != STATUS_OK) {
        free(rights);
    }
    return status;
}

/* ---- the endpoints' handler ---- */

static bool on_link_up(void *context, uint64_t link, struct bytes peer)
{
    const struct service *service = context;
    return registry_actor_link_up(service->registry_actor, link, peer);
}

static void frame_refuse(struct service *service, const struct reply_to *from,
                         const struct frame *frame, enum error_code error)
{
    uint8_t refusal[CODEC_REFUSAL_BYTES_MAX];
    const size_t size = codec_refuse(frame, error, refusal, sizeof refusal);
    service->refused[error]++;
    endpoint_reply(service->self, from, bytes_of(refusal, size));
}

static void on_frame(void *context, const struct reply_to *from, struct bytes body)
{
    struct service *service = context;
    struct frame frame;
    const enum error_code error = codec_decode(service->codec, body, &frame);
    if (error == ERROR_UNSET) {
        registry_actor_frame(service->registry_actor, from, &frame);
    } else {
        frame_refuse(service, from, &frame, error);
    }
    /* A token or a session's secret was in it: nobody needs these bytes any more. They are the endpoint's,
     * which lets us (endpoint.h), and const for all who only read. */
    if (frame.holds_secret) {
        codec_forget(service->codec);
        bytes_wipe((void *) (uintptr_t) body.data, body.size);
    }
}

static void on_link_down(void *context, uint64_t link)
{
    const struct service *service = context;
    registry_actor_link_down(service->registry_actor, link);
}

static void on_link_paused(void *context, uint64_t link, bool paused)
{
    const struct service *service = context;
    registry_actor_link_paused(service->registry_actor, link, paused);
}

static bool on_link_opened(void *context, uint64_t link)
{
    const struct service *service = context;
    return registry_actor_link_opened(service->registry_actor, link);
}

/* ---- the end ---- */

static void endpoint_ended(struct service *service)
{
    ASSERT(service->endpoints_closing > 0);
    if (--service->endpoints_closing == 0 && service->stopping != NULL) {
        struct promise *promise = service->stopping;
        service->stopping = NULL;
        actor_reply(service->self, promise, NULL);
    }
}

static void stop(struct service *service, struct message *message)
{
    service->stopping = actor_defer(message);
    service->endpoints_closing = service->endpoints_count;
    for (size_t i = 0; i < service->endpoints_count; i++) {
        endpoint_stop_accepting(service->endpoints[i]);
    }
    /* Before the links are told to close, so that these answers are among what is flushed. */
    registry_actor_shut_down(service->registry_actor);
    service->flush_until_ns =
        time_after(actor_now_ns(service->self), ENDPOINT_FLUSH_MS * NS_PER_MS);
    actor_timer_set(service->self, &service->patience, service->flush_until_ns);
    links_close_when_kept(service);
}

static void on_message(struct actor *self, struct message *message)
{
    struct service *service = actor_state(self);
    if (message->kind == SERVICE_STOP && service->endpoints_closing == 0) {
        stop(service, message);
    } else if (message->kind == MESSAGE_DOWN) {
        endpoint_ended(service);
    } else if (message->kind == SERVICE_RIGHTS) {
        rights_take(service, message);
    }
    message_release(message);
}

static const struct actor_class service_class = {.name = "service", .on_message = on_message};

enum status service_shut_down(struct service *service)
{
    struct message *reply;
    return actor_ask_wait(service->system, service->address, &service->stop,
                          ENDPOINT_FLUSH_MS + STOP_PATIENCE_MS, &reply);
}

/* ---- life ---- */

static struct registry_port port_of(struct service *service, const struct service_config *config)
{
    const bool has_journal = config->journal != NULL;
    const bool has_rights = config->rights.roles != NULL;
    return (struct registry_port){.context = service,
                                  .send = port_send,
                                  .head = codec_head,
                                  .result = port_result,
                                  .next_epoch = port_next_epoch,
                                  .journal = has_journal ? port_journal : NULL,
                                  .history = has_journal ? port_history : NULL,
                                  .journal_pending = has_journal ? port_journal_pending : NULL,
                                  .token = has_rights ? port_token : NULL,
                                  .principal = has_rights ? port_principal : NULL,
                                  .roles = has_rights ? port_roles : NULL,
                                  .space_limits = has_rights ? port_space_limits : NULL};
}

static enum status compose(struct service *service, struct actor_loop *loop,
                           const struct service_config *config)
{
    struct registry_config registry_config = {.limits = config->limits,
                                              .recovery_ms = config->recovery_ms,
                                              .epoch = config->epoch,
                                              .counter_first = config->counter_first,
                                              .table_key = config->table_key,
                                              .secret_key = config->secret_key};
    const struct registry_port port = port_of(service, config);
    const struct clock *clock = config->clock == NULL ? &clock_system : config->clock;
    service->codec = codec_new(&config->digest_key);
    if (service->codec == NULL) {
        return STATUS_NO_MEMORY;
    }
    const enum status status = actor_spawn(loop, &service_class, service, &service->self);
    if (status != STATUS_OK) {
        return status;
    }
    service->system = actor_system_of(service->self);
    service->address = actor_self(service->self);
    service->journal = config->journal;
    const enum status made =
        registry_actor_new(loop, clock, &registry_config, &port, &service->registry_actor);
    explicit_bzero(&registry_config.secret_key, sizeof registry_config.secret_key);
    return made == STATUS_OK ? attach(service, loop) : made;
}

enum status service_new(struct actor_loop *loop, const struct service_config *config,
                        struct service **service_out)
{
    struct service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        return STATUS_NO_MEMORY;
    }
    service->limits = config->limits;
    service->next_epoch = config->next_epoch;
    service->next_epoch_context = config->next_epoch_context;
    service->rights = config->rights;
    service->journal_changed = config->journal_changed;
    service->journal_context = config->journal_context;
    service->patience = (struct actor_timer){.on_fire = on_patience};
    service->stop = (struct message){.kind = SERVICE_STOP, .control = true};
    const enum status status = compose(service, loop, config);
    if (status != STATUS_OK) {
        if (service->self != NULL) {
            actor_exit(service->self);
        }
        service->rights.context = NULL; /* the caller's still */
        service_free(service);
        return status;
    }
    *service_out = service;
    return STATUS_OK;
}

enum status service_listen(struct service *service, const struct endpoint_options *options,
                           char error[ENDPOINT_ERROR_BYTES])
{
    const struct endpoint_handler handler = {.context = service,
                                             .link_up = on_link_up,
                                             .frame = on_frame,
                                             .link_down = on_link_down,
                                             .link_paused = on_link_paused,
                                             .link_opened = on_link_opened};
    if (service->endpoints_count == SERVICE_ENDPOINTS_MAX) {
        (void) snprintf(error, ENDPOINT_ERROR_BYTES, "%s: there are %d addresses already",
                        options->url, SERVICE_ENDPOINTS_MAX);
        return STATUS_FULL;
    }
    struct endpoint_options limited = *options;
    limited.limits = &service->limits;
    const enum status status = endpoint_open(actor_loop_of(service->self), &limited, &handler,
                                             &service->endpoints[service->endpoints_count], error);
    service->endpoints_count += status == STATUS_OK ? 1 : 0;
    return status;
}

const char *service_url(const struct service *service, size_t i)
{
    ASSERT(i < service->endpoints_count);
    return endpoint_url(service->endpoints[i]);
}

bool service_is_idle(const struct service *service)
{
    return registry_actor_is_idle(service->registry_actor);
}

void service_free(struct service *service)
{
    if (service == NULL) {
        return;
    }
    for (size_t i = 0; i < service->endpoints_count; i++) {
        endpoint_free(service->endpoints[i]);
    }
    registry_actor_free(service->registry_actor);
    codec_free(service->codec);
    if (service->rights.context != NULL && service->rights.drop != NULL) {
        service->rights.drop(service->rights.context);
    }
    free(service);
}
