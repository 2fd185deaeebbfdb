/* SPDX-License-Identifier: MIT */
/* The events, and what a watcher is told of them. */
#include "model/model_parts.h"

#include <string.h>

void model_event(struct model *model, const struct model_op *op)
{
    struct model_event *added = list_push(&model->events);
    added->space = op->space;
    added->event = (struct event){
        .revision = model_revision(model),
        .key = op->key,
        .gen = op->gen,
        .state = op->state,
        .outcome = op->outcome,
        .cause = op->cause,
    };
}

uint64_t model_revision(const struct model *model)
{
    return model->revision_base + model->events.count;
}

const struct model_event *model_observed(const struct model *model)
{
    size_t index = model->events.count - model->observed_from;
    return model->observed == NULL || index >= model->observed->count
               ? NULL
               : list_at(model->observed, index);
}

/* The first sight of a revision says where the real registry began to count. */
static void learn_revision(struct model *model, const struct result *seen)
{
    if (model->is_revision_known || seen == NULL || seen->revision <= model->events.count) {
        return;
    }
    model->is_revision_known = true;
    model->revision_base = seen->revision - model->events.count;
    for (size_t i = 0; i < model->events.count; i++) {
        ((struct model_event *) list_at(&model->events, i))->event.revision =
            model->revision_base + i + 1;
    }
}

/* Bytes that the events after the revision can come to, all that may be charged for them counted. */
#define EVENT_COST_MOST 512

static uint64_t bytes_after(const struct model *model, uint64_t revision)
{
    uint64_t sum = 0;
    for (uint64_t i = revision - model->revision_base; i < model->events.count; i++) {
        const struct model_event *event = list_at(&model->events, (size_t) i);
        sum += event->event.key.size + event->event.cause.text.size +
               event->event.cause.actor.size + event->event.cause.peer.size + event->space.size +
               EVENT_COST_MOST;
    }
    return sum;
}

enum gap { GAP_NONE, GAP_MAYBE, GAP_SURE };

/* Whether events after the revision are gone. */
static enum gap gap_after(const struct model *model, uint64_t epoch, uint64_t revision)
{
    uint64_t newest = model_revision(model);
    if (revision == 0 || epoch != model->config.epoch || revision > newest ||
        revision < model->revision_base + model->unwatched ||
        newest - revision > model->config.limits.watch_events) {
        return GAP_SURE;
    }
    return bytes_after(model, revision) > model->config.limits.watch_bytes ? GAP_MAYBE : GAP_NONE;
}

/* ---- events ---- */

/* As many as the real registry told of, or all; and the revision to go on from, where it could be that. */
static void fill_events(struct model *model, const struct model_parked *watch, bool waited,
                        const struct result *seen, struct result *result)
{
    struct bytes space = watch->space;
    uint64_t after = watch->after;
    size_t most = model->events.count;
    struct event *events = arena_take(&model->arena, most * sizeof *events);
    uint64_t next = 0;
    uint64_t last = after;
    bool cut = seen != NULL && seen->answer == ANSWER_EVENTS && seen->events_count > 0;
    for (uint64_t i = after - model->revision_base; i < most; i++) {
        const struct model_event *event = list_at(&model->events, (size_t) i);
        if (!bytes_equal(event->space, space)) {
            continue;
        }
        if (cut && result->events_count == seen->events_count) {
            next = event->event.revision;
            break;
        }
        events[result->events_count++] = event->event;
        last = event->event.revision;
    }
    uint64_t newest = next == 0 ? model_revision(model) : next - 1;
    bool fits = seen != NULL && seen->revision >= last && seen->revision <= newest;
    result->events = events;
    /* One who waited may have been told as soon as the first came. */
    result->more = next != 0 && !(waited && cut && !seen->more);
    result->revision = fits ? seen->revision : newest;
    result->epoch = model->config.epoch;
    result->answer = ANSWER_EVENTS;
}

/* ---- snapshots ---- */

static bool is_of_snapshot(const struct model *model, struct bytes space,
                           const struct operation_info *info)
{
    const struct model_op *found = model_find_op(model, space, info->key, info->gen);
    uint8_t encoded[2][FRAME_BYTES_MAX / 16];
    if (found == NULL || !model_op_is_live(found)) {
        return false;
    }
    struct operation_info expected = model_info(model, found);
    struct result ours = {.answer = ANSWER_FOUND, .operations = &expected, .operations_count = 1};
    struct result theirs = {.answer = ANSWER_FOUND, .operations = info, .operations_count = 1};
    size_t size = reply_write_result(&ours, encoded[0], sizeof encoded[0]);
    return size == reply_write_result(&theirs, encoded[1], sizeof encoded[1]) &&
           memcmp(encoded[0], encoded[1], size) == 0;
}

static size_t live_of(const struct model *model, struct bytes space)
{
    size_t count = 0;
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        count += model_op_is_live(op) && bytes_equal(op->space, space);
    }
    return count;
}

static bool snapshot_is_true(const struct model *model, struct bytes space, bool is_first,
                             const struct result *seen)
{
    for (size_t i = 0; i < seen->operations_count; i++) {
        if (!is_of_snapshot(model, space, &seen->operations[i])) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (seen->operations[i].gen == seen->operations[j].gen) {
                return false;
            }
        }
    }
    return !is_first || seen->next_cursor != 0 || seen->operations_count == live_of(model, space);
}

/* A page as the real registry gave it, where it is true; a walk through all pages is checked elsewhere. */
static void fill_snapshot(struct model *model, struct bytes space, uint64_t revision,
                          const struct result *seen, struct result *result)
{
    bool is_first = revision == 0;
    result->answer = ANSWER_SNAPSHOT;
    result->revision = is_first ? model_revision(model) : revision;
    result->epoch = model->config.epoch;
    if (seen != NULL && seen->answer == ANSWER_SNAPSHOT &&
        snapshot_is_true(model, space, is_first, seen)) {
        result->operations = seen->operations;
        result->operations_count = seen->operations_count;
        result->next_cursor = seen->next_cursor;
        return;
    }
    struct operation_info *infos = arena_take(&model->arena, model->ops.count * sizeof *infos);
    for (size_t i = 0; i < model->ops.count; i++) {
        const struct model_op *op = model_op_at(model, i);
        if (model_op_is_live(op) && bytes_equal(op->space, space)) {
            infos[result->operations_count++] = model_info(model, op);
        }
    }
    result->operations_count = result->operations_count < 30 ? result->operations_count : 30;
    result->operations = infos;
}

/* ---- the watcher ---- */

static bool has_events(const struct model *model, struct bytes space, uint64_t after)
{
    for (uint64_t i = after - model->revision_base; i < model->events.count; i++) {
        if (bytes_equal(((struct model_event *) list_at(&model->events, (size_t) i))->space,
                        space)) {
            return true;
        }
    }
    return false;
}

bool model_watch_result(struct model *model, const struct model_parked *watch, bool may_wait,
                        struct result *result)
{
    const struct reply *reply = model->port.seen(model->port.context, &watch->to);
    const struct result *seen =
        reply != NULL && reply->results_count == 1 ? &reply->results[0] : NULL;
    *result = (struct result){0};
    if (may_wait && !has_events(model, watch->space, watch->after)) {
        return false;
    }
    if (seen != NULL && seen->answer == ANSWER_SNAPSHOT &&
        gap_after(model, model->config.epoch, watch->after) != GAP_NONE) {
        fill_snapshot(model, watch->space, 0, seen, result);
        return true;
    }
    fill_events(model, watch, true, seen, result);
    return true;
}

bool model_handle_watch(struct model *model, struct model_request *request, const struct op *op,
                        struct result *result)
{
    struct bytes space = model_space(request, op);
    const struct result *seen = model_seen(request);
    uint64_t revision = op->as.watch.revision;
    learn_revision(model, seen);
    if (!model->is_watched) {
        model->is_watched = true;
        model->unwatched = model->events.count;
    }
    enum gap gap = gap_after(model, op->as.watch.epoch, revision);
    if (gap == GAP_MAYBE) {
        bool is_new = seen != NULL && seen->answer == ANSWER_SNAPSHOT &&
                      (op->as.watch.cursor == 0 || seen->revision != revision);
        gap = is_new ? GAP_SURE : GAP_NONE;
    }
    if (gap == GAP_SURE || op->as.watch.cursor != 0) {
        fill_snapshot(model, space, gap == GAP_SURE ? 0 : revision, seen, result);
        return true;
    }
    uint64_t wait_ms = op->as.watch.wait_ms < POLL_MS_MAX ? op->as.watch.wait_ms : POLL_MS_MAX;
    struct model_parked watch = model_parked_of(model, request, op, wait_ms);
    watch.after = revision;
    if (has_events(model, space, revision) || wait_ms == 0) {
        fill_events(model, &watch, false, seen, result);
        return true;
    }
    const char *limit = model_parked_full(model, request);
    if (limit != NULL) {
        return model_full(result, limit);
    }
    return model_park(model, &watch);
}
