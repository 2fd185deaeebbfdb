/* SPDX-License-Identifier: MIT */
/* The owner's side of asks. What waits in the registry is answered through its port, as over a wire: a
 * frame's number is that of its ask's record, and what would be encoded is copied to the memory that the
 * asker brought. */
#include "local/ask.h"
#include "local/callbacks.h"
#include "local/flat.h"
#include "local/owner.h"
#include "local/state.h"

/* Frames without a session come over this link. */
#define LOCAL_LINK 1

static uint64_t number_of(const struct canceld_local *local, const struct ask *ask)
{
    return (uint64_t) (ask - local->asks) + 1;
}

static struct ask *ask_of(struct canceld_local *local, const struct reply_head *head)
{
    /* In the session numbers have to rise; but there everything is answered at once. */
    if (head->session != 0) {
        return local->current;
    }
    ASSERT(head->request_id >= 1 && head->request_id <= local->asks_max + UINT64_C(1));
    return &local->asks[head->request_id - 1];
}

/* ---- the port ---- */

static size_t on_head(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    struct canceld_local *local = context;
    struct ask *ask = ask_of(local, head);
    if (room < sizeof ask) {
        return 0;
    }
    memcpy(out, &ask, sizeof ask);
    local->current = ask;
    ask->status = CANCELD_OK;
    flat_begin(ask);
    if (head->error.code != ERROR_UNSET) {
        ask->status = head->error.code == ERROR_SHUTTING_DOWN ? CANCELD_CLOSED : CANCELD_REFUSED;
        flat_error(ask, &head->error);
    }
    return sizeof ask;
}

static size_t on_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    struct canceld_local *local = context;
    if (room < 1) {
        return 0;
    }
    *out = 0;
    flat_begin(local->current);
    flat_write(local->current, result);
    return 1;
}

static void on_send(void *context, const struct reply_to *to, struct bytes reply)
{
    (void) context;
    (void) to;
    struct ask *ask;
    ASSERT(reply.size >= sizeof ask);
    memcpy(&ask, reply.data, sizeof ask);
    ask_end(ask);
}

static void on_told(void *context, const struct notice *notice, const struct direct_value *value)
{
    const union cell_value stored = {.value = *value};
    if (stored.of.on_cancel == NULL) {
        return; /* Nobody is told: that is never DELIVERED. */
    }
    callbacks_add(context, &(struct callback){.on_cancel = stored.of.on_cancel,
                                              .arg = stored.of.arg,
                                              .gen = notice->gen,
                                              .kind = (uint8_t) notice->kind,
                                              .cause = (uint8_t) notice->cause.code,
                                              .outcome = (uint8_t) notice->outcome});
}

static bool on_next_epoch(void *context, uint64_t *epoch_out)
{
    (void) context;
    (void) epoch_out;
    return false; /* 2^40 stores in one process: then they are FULL{generations} */
}

void ask_port(struct registry_port *port)
{
    port->send = on_send;
    port->head = on_head;
    port->result = on_result;
    port->told = on_told;
    port->next_epoch = on_next_epoch;
}

/* ---- serving ---- */

static void serve_quick(struct canceld_local *local, struct ask *ask)
{
    lane_serve_cell(local, &ask->cell, ask->input, &ask->answer);
    ask_end(ask);
}

static void serve_store(struct canceld_local *local, struct ask *ask)
{
    const struct direct_more more = {.stop_grace_ms = ask->op.as.store.stop_grace_ms,
                                     .parent = ask->op.as.store.parent,
                                     .meta = ask->op.as.store.meta,
                                     .labels = ask->op.as.store.labels};
    const struct direct_op op = {.kind = OP_STORE,
                                 .key = ask->op.key,
                                 .hash = registry_direct_hash(&local->table_key, ask->op.key),
                                 .ttl_ms = ask->op.as.store.ttl_ms,
                                 .policy = (uint8_t) ask->op.as.store.policy,
                                 .on_expiry = (uint8_t) ask->op.as.store.on_expiry,
                                 .value = ask->value.value,
                                 .more = &more};
    struct direct_answer direct = {.answer = ANSWER_FULL, .limit = "callbacks"};
    if (!callbacks_are_full(&local->callbacks)) {
        registry_direct(local->registry, &op, local->now_ms, &direct);
    }
    struct result result = {.answer = direct.answer,
                            .gen = direct.gen,
                            .state = direct.state,
                            .outcome = direct.outcome,
                            .limit = direct.limit};
    result.cause.code = direct.cause;
    if (direct.answer == ANSWER_ERROR) {
        result.error = (struct error){.code = ERROR_FIELD, .field = direct.field};
    }
    flat_begin(ask);
    flat_write(ask, &result);
    ask_end(ask);
}

static void serve_frame(struct canceld_local *local, struct ask *ask)
{
    const bool in_session = ask->op.kind == OP_DETACH;
    const struct reply_to from = {.link = in_session ? DIRECT_LINK : LOCAL_LINK};
    struct frame frame = {
        .version = 1, .request_id = number_of(local, ask), .ops = &ask->op, .ops_count = 1};
    if (in_session) {
        frame.session = local->session;
        frame.request_id = ++local->requests;
        frame.answered_below = frame.request_id;
    }
    local->current = ask;
    registry_frame(local->registry, &from, &frame, local->now_ms);
}

static void serve_stats(struct canceld_local *local, struct ask *ask)
{
    const struct stat_row *rows;
    const size_t count = registry_stats(local->registry, &rows);
    flat_begin(ask);
    flat_stats(ask, rows, count, &local->figures);
    ask_end(ask);
}

static void serve_callbacks(struct canceld_local *local, struct ask *ask)
{
    if (!callbacks_of(&local->callbacks, ask->gen, &ask->until)) {
        ask_end(ask);
        return;
    }
    ask->next = local->waits;
    local->waits = ask;
}

static void (*const serves[])(struct canceld_local *local, struct ask *ask) = {
    [ASK_QUICK] = serve_quick, [ASK_STORE] = serve_store,         [ASK_FRAME] = serve_frame,
    [ASK_STATS] = serve_stats, [ASK_CALLBACKS] = serve_callbacks,
};

void ask_serve(struct canceld_local *local, struct ask *ask)
{
    local->figures.asks++;
    serves[ask->kind](local, ask);
}
