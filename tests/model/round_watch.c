/* SPDX-License-Identifier: MIT */
/* One who watches every namespace all the time. Its events say in which order the registry did what it may do
 * in any; and each has to be one that the model has too. */
#include "model/round.h"

#include "base/check.h"

#include <inttypes.h>
#include <string.h>

static const char *const spaces[] = {
    "default", "a", "b.c-D_9", "0123456789012345678901234567890123456789012345678901234567890123"};
#define SPACES_COUNT (sizeof spaces / sizeof spaces[0])

void round_observer_up(struct round *round)
{
    round->is_observing = round->config->mode->observed;
    round->observed_revision = 0;
    /* Without him the first revision is still to be known. */
    bool once = round->config->mode->watchers && !round->is_observing;
    if (round->is_observing || once) {
        ASSERT(registry_link_up(round->registry, ROUND_OBSERVER_LINK, bytes_of_string("observer")));
        round->is_observing = true;
        round_observe(round);
    }
    if (once) {
        registry_link_down(round->registry, ROUND_OBSERVER_LINK, round->script.now_ms);
        round->is_observing = false;
    }
}

/* Asks once; the answer's result. */
static struct result ask(struct round *round, const char *space, uint64_t revision)
{
    struct op op = {.kind = OP_WATCH, .space = bytes_of_string(space)};
    struct frame frame = {.version = 1, .ops = &op, .ops_count = 1};
    struct reply_to to = {.link = ROUND_OBSERVER_LINK, .route = {1}, .route_words = 1};
    struct reply reply;
    op.as.watch.epoch = round->epoch;
    op.as.watch.revision = revision;
    outbox_clear(&round->observer);
    registry_frame(round->registry, &to, &frame, round->script.now_ms);
    if (round->observer.sent.count != 1) {
        round_fail(round, "a watcher that does not wait got no answer");
        return (struct result){0};
    }
    const struct sent *sent = outbox_at(&round->observer, 0);
    struct bytes encoded = outbox_bytes(&round->observer, sent);
    uint8_t *copy = arena_copy(&round->arena, encoded.data, encoded.size);
    reply_read(&reply, bytes_of(copy, encoded.size), &round->arena);
    return reply.results_count == 1 ? reply.results[0] : (struct result){0};
}

/* By rising revisions. */
static void add(struct round *round, const char *space, const struct event *event)
{
    (void) list_push(&round->observed);
    size_t place = round->observed.count - 1;
    struct model_event *events = round->observed.items;
    for (; place > 0 && events[place - 1].event.revision > event->revision; place--) {
        events[place] = events[place - 1];
    }
    events[place] = (struct model_event){.space = bytes_of_string(space), .event = *event};
}

static void observe_space(struct round *round, const char *space, uint64_t *newest)
{
    uint64_t revision = round->observed_revision;
    struct result result = ask(round, space, revision);
    for (;;) {
        for (size_t i = 0; i < result.events_count; i++) {
            add(round, space, &result.events[i]);
        }
        *newest = result.revision > *newest ? result.revision : *newest;
        if (!result.more || round->failed) {
            break;
        }
        result = ask(round, space, result.revision);
    }
    if (round->observed_revision != 0 && result.answer != ANSWER_EVENTS) {
        round_fail(round, "a watcher that is up to date is told %s", answer_name(result.answer));
    }
}

void round_observe(struct round *round)
{
    uint64_t newest = round->observed_revision;
    size_t before = round->observed.count;
    round->model->records_given = round->records_given;
    round->model->observed = round->is_observing ? &round->observed : NULL;
    for (size_t i = 0; round->is_observing && i < SPACES_COUNT; i++) {
        observe_space(round, spaces[i], &newest);
    }
    if (!round->is_observing) {
        return;
    }
    if (round->observed_revision == 0) {
        round->model->is_revision_known = true;
        round->model->revision_base = newest;
        round->model->is_watched = true;
        round->model->unwatched = 0;
        round->observed_revision = newest;
        return;
    }
    for (size_t i = before; i < round->observed.count; i++) {
        const struct model_event *event = list_at(&round->observed, i);
        if (event->event.revision != ++round->observed_revision) {
            round_fail(round, "revision %" PRIu64 " is missing", round->observed_revision);
        }
    }
    if (newest != round->observed_revision) {
        round_fail(round, "a revision of %" PRIu64 " after the event %" PRIu64, newest,
                   round->observed_revision);
    }
}

static bool event_equal(const struct model_event *a, const struct model_event *b)
{
    struct result results[2] = {{.answer = ANSWER_EVENTS, .events = &a->event, .events_count = 1},
                                {.answer = ANSWER_EVENTS, .events = &b->event, .events_count = 1}};
    uint8_t encoded[2][2048];
    size_t size = reply_write_result(&results[0], encoded[0], sizeof encoded[0]);
    return bytes_equal(a->space, b->space) &&
           size == reply_write_result(&results[1], encoded[1], sizeof encoded[1]) &&
           memcmp(encoded[0], encoded[1], size) == 0;
}

static void print_events(const struct list *events, size_t from, const char *who)
{
    for (size_t i = from; i < events->count; i++) {
        const struct model_event *event = list_at(events, i);
        (void) fprintf(stderr,
                       "  %s: event %" PRIu64 " gen %" PRIu64 " state %d outcome %d cause %d ", who,
                       event->event.revision, event->event.gen, (int) event->event.state,
                       (int) event->event.outcome, (int) event->event.cause.code);
        print_bytes(stderr, event->event.key);
        (void) fputc('\n', stderr);
    }
}

static void check_events(struct round *round)
{
    const struct model *model = round->model;
    size_t count = model->events.count - model->observed_from;
    bool equal = count == round->observed.count;
    for (size_t i = 0; equal && i < count; i++) {
        equal = event_equal(list_at(&round->observed, i),
                            list_at(&model->events, model->observed_from + i));
    }
    if (!equal) {
        round_fail(round, "the events");
        print_events(&round->observed, 0, "observed");
        print_events(&model->events, model->observed_from, "expected");
    }
}

void round_check_step(struct round *round)
{
    if (round->is_observing) {
        check_events(round);
    }
    model_records_done(round->model);
    if (round->model->complaint != NULL) {
        round_fail(round, "%s", round->model->complaint);
        for (size_t i = 0; i < round->records.count; i++) {
            round_print_record(list_at(&round->records, i));
        }
        round->model->complaint = NULL;
    }
    list_clear(&round->observed);
    list_clear(&round->records);
    round->model->observed_from = round->model->events.count;
}
