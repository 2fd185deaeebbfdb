/* SPDX-License-Identifier: MIT */
/* A registry's life, and what any thread may ask it without a lane. */
#include "base/clock.h"
#include "local/flat.h"
#include "local/owner.h"
#include "local/state.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How often a thread looks for its answer before it sleeps: some tens of us. A sleep and a wake-up cost both
 * sides about ten, and a batch that the owner works on may take as long. */
#define CLIENT_SPINS 1500

/* A link for frames, and one for direct ops; one session. */
#define LINKS 4
#define LOCAL_LINK 1

/* ---- options ---- */

static bool set_limit(struct limits *limits, const struct canceld_local_limit *limit)
{
    for (size_t i = 0; i < limit_rows_count; i++) {
        const struct limit_row *row = &limit_rows[i];
        if (limit->name != NULL && strcmp(row->name, limit->name) == 0) {
            *limits_field(limits, row) = limit->value;
            return limit->value >= row->lowest && limit->value <= row->highest;
        }
    }
    return false;
}

static bool set_limits(struct limits *limits, const struct canceld_local_options *options,
                       uint32_t asks_max)
{
    *limits = limits_default();
    limits->connections = LINKS;
    limits->connections_unopened = LINKS;
    limits->sessions = LINKS;
    for (size_t i = 0; i < options->limits_count; i++) {
        if (!set_limit(limits, &options->limits[i])) {
            return false;
        }
    }
    /* There is one namespace, one session, and one link that waits for all asks. */
    limits->operations_namespace = limits->operations;
    limits->operations_session = limits->operations;
    limits->parked_session = asks_max + UINT64_C(1);
    if (limits->parked_session > LOCAL_ASKS_MAX) {
        limits->parked_session = LOCAL_ASKS_MAX;
    }
    return true;
}

static bool options_are_good(const struct canceld_local_options *options)
{
    return (options->mode == CANCELD_LOCAL_THREADED || options->mode == CANCELD_LOCAL_INLINE) &&
           (options->callbacks == CANCELD_LOCAL_CALLBACKS_THREAD ||
            options->callbacks == CANCELD_LOCAL_CALLBACKS_POLLED) &&
           (options->spin_us <= LOCAL_SPIN_US_MAX || options->spin_us == CANCELD_LOCAL_SPIN_NONE) &&
           options->asks_max <= LOCAL_ASKS_MAX && options->lanes_max <= CANCELD_LOCAL_LANES_MAX &&
           (options->limits_count == 0 || options->limits != NULL);
}

static uint32_t cpus_count(void)
{
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (uint32_t) count : 1;
}

static void take_options(struct canceld_local *local, const struct canceld_local_options *options)
{
    const bool spins = options->spin_us != CANCELD_LOCAL_SPIN_NONE;
    local->inline_mode = options->mode == CANCELD_LOCAL_INLINE;
    local->leave_live = options->leave_live;
    local->asks_max = options->asks_max == 0 ? LOCAL_ASKS_DEFAULT : options->asks_max;
    local->lanes_max = options->lanes_max == 0 ? LOCAL_LANES_DEFAULT : options->lanes_max;
    local->cpus = cpus_count();
    local->spin_auto = options->spin_us == 0;
    /* With one processor whoever spins keeps the other from what is waited for. */
    local->spin_us = local->spin_auto ? (local->cpus > 1 ? LOCAL_SPIN_US_AUTO : 0)
                                      : (spins ? options->spin_us : 0);
    local->spin_ns = local->spin_us * UINT64_C(1000);
    local->client_spins = local->spin_us > 0 ? CLIENT_SPINS : 0;
    local->now_ms = local->inline_mode ? options->now_ms : clock_now_ns(&clock_system) / NS_PER_MS;
    atomic_init(&local->awake, 1);
}

/* ---- start ---- */

static bool random_bytes(void *bytes, size_t size)
{
    return getrandom(bytes, size, 0) == (ssize_t) size;
}

static bool make_registry(struct canceld_local *local, const struct limits *limits)
{
    struct registry_port port = {.context = local};
    struct registry_config config = {
        .limits = *limits, .epoch = 1, .counter_first = 1, .now_ms = local->now_ms};
    ask_port(&port);
    if (!random_bytes(&config.table_key, sizeof config.table_key) ||
        !random_bytes(&config.secret_key, sizeof config.secret_key)) {
        return false;
    }
    local->table_key = config.table_key;
    local->registry = registry_new(&config, &port);
    if (local->registry == NULL ||
        !registry_link_up(local->registry, LOCAL_LINK, bytes_of_string("local"))) {
        return false;
    }
    local->session = registry_direct_open(local->registry, local->now_ms);
    return local->session != 0;
}

/* Lanes and asks; one ask is the stop's. Those that are not made have no memory to give back. */
static bool make_tables(struct canceld_local *local)
{
    const uint32_t asks_count = local->asks_max + 1;
    if (!region_init(&local->asks_region, asks_count * sizeof *local->asks) ||
        !region_init(&local->lanes_region, local->lanes_max * sizeof *local->lanes)) {
        return false;
    }
    local->asks = local->asks_region.base;
    local->lanes = local->lanes_region.base;
    for (uint32_t i = 0; i < asks_count; i++) {
        if (!ask_init(&local->asks[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < local->lanes_max; i++) {
        if (!wake_init(&local->lanes[i].wake)) {
            return false;
        }
    }
    local->stop_ask = &local->asks[local->asks_max];
    local->stop_ask->block_bytes = FLAT_BYTES;
    local->stop_ask->block = malloc(FLAT_BYTES);
    return local->stop_ask->block != NULL;
}

/* Without it, or where it is refused, clients pay for their barriers themselves. Who sleeps at once pays
 * for one more at each sleep. */
static bool register_barrier(const struct canceld_local *local)
{
    return local->spin_us > 0 && !local->inline_mode &&
           syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

static bool start_threads(struct canceld_local *local, enum canceld_local_callbacks callbacks)
{
    if (local->inline_mode) {
        return true;
    }
    atomic_init(&local->shared_barrier, register_barrier(local));
    if (callbacks == CANCELD_LOCAL_CALLBACKS_POLLED ? !callbacks_open(&local->callbacks)
                                                    : !callbacks_start(local)) {
        return false;
    }
    local->thread_started = pthread_create(&local->thread, NULL, owner_main, local) == 0;
    return local->thread_started;
}

static enum canceld_status start(struct canceld_local *local, const struct limits *limits,
                                 enum canceld_local_callbacks callbacks)
{
    if (!mailbox_init(&local->mailbox, local->asks_max) ||
        !callbacks_init(&local->callbacks, limits->operations) || !make_tables(local) ||
        !make_registry(local, limits)) {
        return CANCELD_NO_MEMORY;
    }
    return start_threads(local, callbacks) ? CANCELD_OK : CANCELD_SYSTEM;
}

/* Half-built too. */
static void give_back(struct canceld_local *local)
{
    for (uint32_t i = 0; local->lanes != NULL && i < local->lanes_max; i++) {
        ASSERT(atomic_load_explicit(&local->lanes[i].state, memory_order_acquire) != LANE_ATTACHED);
        wake_fini(&local->lanes[i].wake);
    }
    for (uint32_t i = 0; local->asks != NULL && i <= local->asks_max; i++) {
        ask_free(&local->asks[i]);
        ask_fini(&local->asks[i]);
    }
    registry_free(local->registry);
    region_fini(&local->lanes_region);
    region_fini(&local->asks_region);
    callbacks_fini(&local->callbacks);
    mailbox_fini(&local->mailbox);
    free(local);
}

enum canceld_status canceld_local_start(const struct canceld_local_options *options,
                                        struct canceld_local **local_out)
{
    static const struct canceld_local_options zero = {0};
    struct limits limits;
    options = options == NULL ? &zero : options;
    if (local_out == NULL || !options_are_good(options)) {
        return CANCELD_INVALID;
    }
    struct canceld_local *local = aligned_alloc(64, (sizeof *local + 63) / 64 * 64);
    if (local == NULL) {
        return CANCELD_NO_MEMORY;
    }
    memset(local, 0, sizeof *local);
    take_options(local, options);
    if (!set_limits(&limits, options, local->asks_max)) {
        free(local);
        return CANCELD_INVALID;
    }
    const enum canceld_status status = start(local, &limits, options->callbacks);
    if (status != CANCELD_OK) {
        const int error = errno;
        callbacks_stop(&local->callbacks);
        give_back(local);
        errno = error;
        return status;
    }
    *local_out = local;
    return CANCELD_OK;
}

/* ---- stop ---- */

/* POLLED: the caller is who runs them. */
static void run_until_stopped(struct canceld_local *local)
{
    while (!atomic_load_explicit(&local->stopped, memory_order_acquire)) {
        struct pollfd ready = {.fd = local->callbacks.fd, .events = POLLIN};
        if (canceld_local_run_callbacks(local, LOCAL_CALLBACKS_MAX) == 0) {
            (void) poll(&ready, 1, 10); /* It is only a pause; the end has no descriptor. */
        }
    }
}

void canceld_local_stop(struct canceld_local *local)
{
    if (atomic_exchange_explicit(&local->closed, true, memory_order_seq_cst)) {
        return;
    }
    mailbox_close(&local->mailbox);
    if (local->inline_mode) {
        owner_finish(local);
        return;
    }
    wake_signal(&local->mailbox.wake);
    if (!local->callbacks.threaded) {
        run_until_stopped(local);
    }
    int failed = pthread_join(local->thread, NULL);
    ASSERT(!failed);
    callbacks_stop(&local->callbacks);
}

void canceld_local_free(struct canceld_local *local)
{
    if (local != NULL) {
        canceld_local_stop(local);
        give_back(local);
    }
}

/* ---- asks of the five ---- */

static void await_callback(struct canceld_local *local, const struct canceld_local_request *request,
                           uint32_t deadline_ms, struct canceld_local_answer *answer)
{
    if (answer->callback_pending && local->callbacks.threaded &&
        !callbacks_is_runner(&local->callbacks) &&
        canceld_local_callback_wait(local, request->gen, deadline_ms) == CANCELD_OK) {
        answer->callback_pending = false;
    }
}

static enum canceld_status ask_inline(struct canceld_local *local,
                                      const struct canceld_local_request *request,
                                      struct canceld_local_answer *answer_out)
{
    struct ask *ask = local->stop_ask; /* Nobody else uses it as long as it is not stopped. */
    cell_write(&ask->cell, ask->input, &local->table_key, request);
    lane_serve_cell(local, &ask->cell, ask->input, &ask->answer);
    answer_cell_read(&ask->answer, answer_out);
    return CANCELD_OK;
}

enum canceld_status canceld_local_ask(struct canceld_local *local,
                                      const struct canceld_local_request *request,
                                      uint32_t deadline_ms, struct canceld_local_answer *answer_out)
{
    if (local == NULL || request == NULL || answer_out == NULL || !cell_takes(request)) {
        return CANCELD_INVALID;
    }
    if (atomic_load_explicit(&local->closed, memory_order_relaxed)) {
        return CANCELD_CLOSED;
    }
    if (local->inline_mode) {
        return ask_inline(local, request, answer_out);
    }
    struct ask *ask = ask_take(local);
    if (ask == NULL) {
        return CANCELD_FULL;
    }
    ask->kind = ASK_QUICK;
    cell_write(&ask->cell, ask->input, &local->table_key, request);
    const enum canceld_status status = ask_wait(local, ask, deadline_ms);
    if (status != CANCELD_OK) {
        return status;
    }
    answer_cell_read(&ask->answer, answer_out);
    ask_free(ask);
    await_callback(local, request, deadline_ms, answer_out);
    return CANCELD_OK;
}

/* ---- callbacks ---- */

enum canceld_status canceld_local_callback_wait(struct canceld_local *local, uint64_t gen,
                                                uint32_t deadline_ms)
{
    if (local == NULL || local->inline_mode || callbacks_is_runner(&local->callbacks)) {
        return CANCELD_INVALID;
    }
    struct ask *ask = ask_take(local);
    if (ask == NULL) {
        return CANCELD_FULL;
    }
    ask->kind = ASK_CALLBACKS;
    ask->gen = gen;
    const enum canceld_status status = ask_wait(local, ask, deadline_ms);
    if (status == CANCELD_OK) {
        ask_free(ask);
    }
    return status;
}

uint32_t canceld_local_run_callbacks(struct canceld_local *local, uint32_t callbacks_max)
{
    struct callbacks *callbacks = &local->callbacks;
    if (callbacks->threaded || callbacks_is_runner(callbacks)) {
        return 0;
    }
    if (local->inline_mode) {
        callbacks_sweep(local);
        const uint32_t count = callbacks_run(local, callbacks_max);
        callbacks_sweep(local);
        return count;
    }
    callbacks_lower(callbacks);
    const uint32_t count = callbacks_run(local, callbacks_max);
    callbacks_raise_again(callbacks);
    return count;
}

int canceld_local_fd(struct canceld_local *local)
{
    return local->callbacks.fd;
}

/* ---- INLINE ---- */

bool canceld_local_run_once(struct canceld_local *local, uint64_t now_ms)
{
    if (!local->inline_mode || atomic_load_explicit(&local->closed, memory_order_relaxed)) {
        return false;
    }
    local->now_ms = now_ms > local->now_ms ? now_ms : local->now_ms;
    const bool more = owner_sweep(local);
    const uint32_t count = canceld_local_run_callbacks(local, LOCAL_CALLBACKS_MAX);
    return more || count > 0;
}

uint64_t canceld_local_next_ms(const struct canceld_local *local)
{
    if (local->more || !callbacks_are_over(&local->callbacks)) {
        return local->now_ms;
    }
    return registry_next_ms(local->registry);
}
