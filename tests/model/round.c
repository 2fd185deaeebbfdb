/* SPDX-License-Identifier: MIT */
/* The events of a round, each done to both. */
#include "model/round.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define ROUND_ARENA_BYTES ((size_t) 64 << 20)
#define ROUND_START_MS 64000
#define ADVANCES_MAX 2000000

/* ---- the registry's port ---- */

static void their_send(void *context, const struct reply_to *to, struct bytes reply)
{
    struct round *round = context;
    ASSERT(reply.size <= FRAME_BYTES_MAX);
    if (to->link == ROUND_OBSERVER_LINK) {
        outbox_add(&round->observer, to, reply, false);
    } else if (model_find_link(round->model, to->link) != NULL) {
        outbox_add(&round->theirs, to, reply, false);
    }
}

static size_t their_head(void *context, const struct reply_head *head, uint8_t *out, size_t room)
{
    (void) context;
    return reply_write_head(head, out, room);
}

static size_t their_result(void *context, const struct result *result, uint8_t *out, size_t room)
{
    (void) context;
    return reply_write_result(result, out, room);
}

static bool next_epoch(void *context, uint64_t *epoch_out)
{
    const struct round *round = context;
    if (round->epoch_refused) {
        return false;
    }
    *epoch_out = round->epoch_next;
    return true;
}

/* ---- the model's ---- */

static void our_send(void *context, const struct reply_to *to, struct bytes encoded, bool optional)
{
    struct round *round = context;
    if (model_find_link(round->model, to->link) != NULL) {
        outbox_add(&round->ours, to, encoded, optional);
    }
}

static const struct reply *seen(void *context, const struct reply_to *to)
{
    struct round *round = context;
    const struct sent *sent = outbox_find(&round->theirs, to);
    if (sent == NULL) {
        return NULL;
    }
    struct reply *reply = arena_take(&round->arena, sizeof *reply);
    reply_read(reply, outbox_bytes(&round->theirs, sent), &round->arena);
    return reply;
}

/* ---- time ---- */

void round_fail(struct round *round, const char *format, ...)
{
    va_list arguments;
    (void) fprintf(stderr,
                   "disagreement at step %" PRIu64 " of seed %" PRIu64 " (%s): ", round->step,
                   round->config->seed, round->config->mode->name);
    va_start(arguments, format);
    (void) vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void) fputc('\n', stderr);
    round->failed = true;
}

void round_their_frame(struct round *round, const struct script_request *request)
{
    arena_reset(&round->borrowed);
    struct frame copy = round_borrowed_frame(round, &request->frame);
    round_trace_frame(round, request);
    registry_frame(round->registry, &request->from, &copy, round->script.now_ms);
    memset(round->borrowed.base, 0xaa, round->borrowed.used);
}

/* Takes down the operations that only the want of an ack may keep: in the middle of their session's end they
 * are there or not. */
static void note_kept(struct round *round)
{
    list_clear(&round->kept);
    for (size_t i = 0; i < round->model->ops.count; i++) {
        const struct model_op *op = model_op_at(round->model, i);
        if (model_op_is_pinned(op)) {
            *(struct model_op *) list_push(&round->kept) = *op;
        }
    }
}

static bool is_kept_key(const struct round *round, const struct op *op)
{
    for (size_t i = 0; i < round->kept.count; i++) {
        const struct model_op *kept = list_at(&round->kept, i);
        if (bytes_equal(kept->key, op->key)) {
            return true;
        }
    }
    return false;
}

static bool is_of_session_life(const struct frame *frame)
{
    for (size_t i = 0; i < frame->ops_count; i++) {
        if (frame->ops[i].kind == OP_OPEN || frame->ops[i].kind == OP_CLOSE) {
            return true;
        }
    }
    return frame->secret.size > 0;
}

/* Whether it repeats, or has a say in, what is parked: that may be decided by now, or not. */
static bool is_parked_id(const struct round *round, const struct frame *frame)
{
    if (frame->session != 0 && frame->session == round->began_by_session &&
        frame->request_id == round->began_by_id) {
        return true;
    }
    for (size_t i = 0; frame->session != 0 && i < round->model->parked.count; i++) {
        const struct model_parked *parked = list_at(&round->model->parked, i);
        if (parked->session == frame->session &&
            (parked->request_id == frame->request_id || parked->kind == OP_POLL)) {
            return true;
        }
    }
    return false;
}

/* Lets the real one do what is due, in small bites. In the middle of a session's end that a frame began
 * (`may_probe`), somebody may ask it for a key: he must be told what the model, done with it, says. */
static void advance_theirs(struct round *round, uint64_t now_ms, bool may_probe)
{
    struct script *script = &round->script;
    bool is_slow = round->began_with_bulk && script_percent(script, 60);
    uint32_t budget = is_slow ? 1 : 1 + (uint32_t) script_below(script, 6);
    uint32_t calls = 0;
    round->is_probed = false;
    while (registry_advance(round->registry, now_ms, budget)) {
        ASSERT(++calls < ADVANCES_MAX);
        if (may_probe && !round->is_probed && script_percent(script, 30) &&
            script_probe(script, &round->probe) &&
            !is_kept_key(round, &round->probe.frame.ops[0])) {
            round->is_probed = true;
            round_their_frame(round, &round->probe);
        }
        bool tries = round->may_have_mid && script_percent(script, is_slow ? 70 : 30);
        round->may_have_mid = round->may_have_mid && !tries;
        if (tries && script_next_request(script, &round->mid) && !round->mid.lost &&
            !is_of_session_life(&round->mid.frame) && !is_parked_id(round, &round->mid.frame)) {
            round_keep_all(round);
            round_observe(round);
            round->has_mid = true;
            round->mid_kept = round->records_kept;
            round->mid_events = round->observed.count;
            round_their_frame(round, &round->mid);
        }
        if (calls % 7 == 3 && round->config->check_every == 1) {
            registry_check(round->registry);
        }
    }
}

/* A poll may have waited for a notice that waited for the journal. */
static void keep_theirs(struct round *round, uint64_t now_ms)
{
    bool more = true;
    round_keep_all(round);
    while (more && registry_next_ms(round->registry) <= now_ms) {
        more = registry_advance(round->registry, now_ms, 1);
    }
}

static void advance_ours(struct round *round, uint64_t now_ms)
{
    model_work(round->model, SIZE_MAX);
    model_advance(round->model, now_ms);
    if (round->is_probed) {
        model_frame(round->model, &round->probe.from, &round->probe.frame, now_ms);
    }
    model_notices_journaled(round->model, round->records_kept);
    model_work(round->model, SIZE_MAX);
    if (registry_next_ms(round->registry) <= now_ms) {
        round_fail(round, "registry_next_ms() is not after a time that is done with");
    }
    if (registry_next_ms(round->registry) > model_next_ms(round->model)) {
        round_fail(round, "registry_next_ms() is late");
    }
    round_check_step(round);
}

static void advance(struct round *round, uint64_t now_ms)
{
    advance_theirs(round, now_ms, false);
    keep_theirs(round, now_ms);
    round_observe(round);
    advance_ours(round, now_ms);
}

static void compare(struct round *round)
{
    round_compare(round);
    script_sync(&round->script);
}

/* To a later time: mostly from deadline to deadline, as a daemon in good health wakes. */
static void pass_time(struct round *round)
{
    struct script *script = &round->script;
    uint64_t until = script_next_time(script);
    if (round->journal_is_full) {
        return; /* what is due is put off, nobody says how far */
    }
    while (!round->failed && model_next_ms(round->model) < until) {
        script->now_ms = model_next_ms(round->model);
        round_trace(round, "it is %" PRIu64 " ms: something is due", script->now_ms);
        advance(round, script->now_ms);
        compare(round);
    }
    script->now_ms = until;
    round_trace(round, "it is %" PRIu64 " ms", until);
    advance(round, until);
}

/* ---- links ---- */

static void link_up(struct round *round)
{
    static const char *const peers[] = {"uid 1000", "", "token ci"};
    struct script *script = &round->script;
    uint64_t link = script_link_added(script);
    struct bytes peer = bytes_of_string(peers[link % 3]);
    uint8_t *copy = arena_copy(&round->borrowed, peer.data, peer.size);
    bool theirs = registry_link_up(round->registry, link, bytes_of(copy, peer.size));
    bool ours = model_link_up(round->model, link, peer);
    memset(copy, 0xaa, peer.size);
    round_trace(round, "link %" PRIu64 " comes up: %d", link, theirs);
    if (theirs != ours) {
        round_fail(round, "registry_link_up()");
    }
    if (!ours) {
        script_link_removed(script, link);
    }
}

static void link_down(struct round *round)
{
    struct script *script = &round->script;
    const struct script_link *any = script_any_link(script);
    if (any == NULL || !script_is_aligned(script) || !script_may_go_down(script, any->link)) {
        return;
    }
    uint64_t link = any->link;
    round_trace(round, "link %" PRIu64 " goes down", link);
    script_link_removed(script, link);
    registry_link_down(round->registry, link, script->now_ms);
    model_link_down(round->model, link, script->now_ms);
    advance(round, script->now_ms);
}

static void link_pause(struct round *round)
{
    struct script *script = &round->script;
    struct script_link *link = script_any_link(script);
    if (link == NULL || !script_is_aligned(script)) {
        return;
    }
    link->paused = !link->paused;
    round_trace(round, "link %" PRIu64 " %s", link->link, link->paused ? "pauses" : "goes on");
    registry_link_paused(round->registry, link->link, link->paused, script->now_ms);
    model_link_paused(round->model, link->link, link->paused, script->now_ms);
    advance(round, script->now_ms);
}

/* ---- frames ---- */

static void note_answers(struct round *round, const struct frame *frame, const struct reply *reply)
{
    bool known = reply->head.error.code == ERROR_UNSET ||
                 coverage_note_refusal(round->coverage, &reply->head.error);
    for (size_t i = 0; i < reply->results_count && i < frame->ops_count; i++) {
        if (!coverage_note(round->coverage, frame->ops[i].kind, &reply->results[i])) {
            known = false;
            (void) fprintf(stderr, "result %zu, op of kind %d\n", i, (int) frame->ops[i].kind);
        }
    }
    if (!known) {
        round_fail(round, "the contract knows no such answer");
        reply_print(stderr, reply, NULL);
    }
}

/* The frame's own reply, and those of parked requests, whose op's kind is written on their route. */
static void note_replies(struct round *round, const struct script_request *request)
{
    for (size_t i = 0; i < round->theirs.sent.count; i++) {
        const struct sent *sent = outbox_at(&round->theirs, i);
        struct op op = {.kind = (enum op_kind) sent->to.route[2]};
        struct frame alone = {.ops = &op, .ops_count = 1};
        struct reply reply;
        reply_read(&reply, outbox_bytes(&round->theirs, sent), &round->arena);
        script_note_reply(&round->script, &reply);
        bool is_own = request != NULL && reply_to_equal(&sent->to, &request->from);
        bool is_mid =
            request != NULL && round->has_mid && reply_to_equal(&sent->to, &round->mid.from);
        if (!is_own && !is_mid && op.kind == OP_UNKNOWN) {
            continue; /* of a frame with several ops, that waited for the journal */
        }
        note_answers(round, is_own ? &request->frame : is_mid ? &round->mid.frame : &alone, &reply);
    }
}

static bool is_bulk(const struct frame *frame)
{
    const struct op *op = frame->ops;
    return frame->ops_count == 1 &&
           (op->kind == OP_DRAIN || (op->kind == OP_CANCEL && op->key.size == 0));
}

static void deliver(struct round *round, const struct script_request *request)
{
    uint64_t now_ms = round->script.now_ms;
    const struct script_mode *mode = round->script.mode;
    struct script_request main = *request;
    note_kept(round);
    round->has_mid = false;
    round->began_by_id = request->frame.request_id;
    round->began_by_session = request->frame.session;
    round->may_have_mid = mode->observed && !is_of_session_life(&request->frame);
    round->began_with_bulk = is_bulk(&request->frame);
    round_their_frame(round, request);
    advance_theirs(round, now_ms, !mode->one_client_a_link && !mode->trees && !mode->groups);
    round->may_have_mid = false;
    round->began_with_bulk = false;
    keep_theirs(round, now_ms);
    round_observe(round);
    model_frame(round->model, &main.from, &main.frame, now_ms);
    if (round->has_mid) {
        model_work(round->model, round->mid_events);
        model_notices_journaled(round->model, round->mid_kept);
        model_frame(round->model, &round->mid.from, &round->mid.frame, now_ms);
    }
    advance_ours(round, now_ms);
    note_replies(round, &main);
}

static void send_frame(struct round *round)
{
    struct script_request request;
    if (!script_next_request(&round->script, &request) || request.lost) {
        return;
    }
    deliver(round, &request);
}

/* The next page of a walk, or a new walk. */
static void list_page(struct round *round)
{
    struct script *script = &round->script;
    struct lister *lister = &round->lister;
    const struct script_link *link = script_any_link(script);
    if (link == NULL || link->paused) {
        return;
    }
    if (!lister->is_walking) {
        struct op op = {.kind = OP_LIST,
                        .space = script_space(script, (unsigned) script_below(script, 6))};
        op.space = op.space.size == 0 ? bytes_of_string("default") : op.space;
        op.as.list.state = (uint32_t) script_below(script, STATE_END);
        op.as.list.page_size = 1 + (uint32_t) script_below(script, 5);
        lister_begin(lister, round->model, &op);
    }
    struct script_request request = {
        .from = script_route(script, link->link, OP_LIST),
        .frame = {.version = 1, .ops = &lister->op, .ops_count = 1, .ops_digest = 1}};
    struct op op = lister->op;
    request.frame.ops = &op;
    deliver(round, &request);
    const struct reply *reply = seen(round, &request.from);
    if (reply == NULL || reply->results_count != 1 ||
        !lister_take(lister, round->model, &reply->results[0])) {
        round_fail(round, "a list leaves out an operation, or has one twice");
    }
}

/* ---- the round ---- */

static void step(struct round *round)
{
    struct script *script = &round->script;
    uint64_t chance = script_below(script, 1000);
    arena_reset(&round->arena);
    arena_reset(&round->borrowed);
    if (chance < 180) {
        pass_time(round);
        note_replies(round, NULL);
    } else if (chance < 200 && !script->mode->is_slow) {
        list_page(round);
    } else if (chance < 210 || script->links.count < 2) {
        link_up(round);
    } else if (chance < 222) {
        link_down(round);
        note_replies(round, NULL);
    } else if (chance < 228) {
        link_pause(round);
        note_replies(round, NULL);
    } else if (chance < 233) {
        round->epoch_refused = !round->epoch_refused;
    } else if (chance < 263 && script->mode->journal) {
        round_journal_event(round);
        note_replies(round, NULL);
    } else if (chance < 270 && script->mode->rights) {
        round_change_rights(round);
    } else if (chance < 272 && script->mode->restarts) {
        round_restart(round);
    } else {
        send_frame(round);
    }
    compare(round);
    round_check_links(round);
    if (round->step % round->config->check_every == 0) {
        registry_check(round->registry);
        round_check_counts(round);
    }
    if (round->epoch_next <= round->model->epoch) {
        round->epoch_next = round->model->epoch + 1 + script_below(script, 3);
    }
}

static bool is_parked(const struct round *round, enum op_kind kind)
{
    for (size_t i = 0; i < round->model->parked.count; i++) {
        if (((struct model_parked *) list_at(&round->model->parked, i))->kind == kind) {
            return true;
        }
    }
    return false;
}

/* Goes on until there is something of each kind to answer, or for a while. */
static void park_something(struct round *round)
{
    for (int i = 0; i < 800 && !round->failed; i++) {
        const struct script_mode *mode = round->script.mode;
        if (is_parked(round, OP_POLL) && is_parked(round, OP_WAIT) && is_parked(round, OP_CANCEL) &&
            (!mode->watchers || is_parked(round, OP_WATCH)) &&
            (!mode->groups || is_parked(round, OP_DRAIN)) &&
            (!mode->journal || is_parked(round, OP_HISTORY))) {
            return;
        }
        arena_reset(&round->arena);
        arena_reset(&round->borrowed);
        send_frame(round);
        compare(round);
    }
}

/* The end: what is parked is answered, what comes is refused. */
static void shut_down(struct round *round)
{
    park_something(round);
    arena_reset(&round->arena);
    round_trace(round, "the daemon stops");
    round->is_observing = false;
    round->model->observed = NULL;
    registry_shut_down(round->registry, round->script.now_ms);
    model_shut_down(round->model);
    note_replies(round, NULL);
    compare(round);
    for (int i = 0; i < 20 && !round->failed; i++) {
        arena_reset(&round->arena);
        arena_reset(&round->borrowed);
        send_frame(round);
        compare(round);
    }
    registry_check(round->registry);
}

static void round_start(struct round *round)
{
    const struct script_mode *mode = round->config->mode;
    list_init(&round->kept, sizeof(struct model_op));
    list_init(&round->observed, sizeof(struct model_event));
    list_init(&round->records, sizeof(struct model_record));
    list_init(&round->journal, sizeof(struct model_record));
    list_init(&round->queries, sizeof(struct round_query));
    lister_init(&round->lister);
    outbox_init(&round->theirs);
    outbox_init(&round->ours);
    outbox_init(&round->observer);
    arena_init(&round->arena, ROUND_ARENA_BYTES);
    arena_init(&round->borrowed, ROUND_ARENA_BYTES);
    arena_init(&round->forever, ROUND_ARENA_BYTES);
    round->epoch = 3;
    round->epoch_next = 5;
    round->epoch_refused = round->config->seed / script_modes_count % 2 == 0; /* in each mode */
    round->script.now_ms = ROUND_START_MS;
    struct registry_config config = round_registry_config(round, 3, mode->counter_first, 0);
    round_new_pair(round, &config);
    script_init(&round->script, mode, round->model, round->config->seed, ROUND_START_MS);
    round_observer_up(round);
}

struct registry_config round_registry_config(const struct round *round, uint64_t epoch,
                                             uint64_t counter_first, uint64_t recovery_ms)
{
    struct registry_config config = {
        .limits = script_limits(round->config->mode),
        .epoch = epoch,
        .counter_first = counter_first,
        .table_key = {round->config->seed, 2},
        .secret_key = {round->config->seed, 4 + epoch},
        .now_ms = round->script.now_ms,
        .recovery_ms = recovery_ms,
    };
    config.limits.connections += round->config->mode->observed;
    config.limits.connections_unopened += round->config->mode->observed;
    return config;
}

void round_new_pair(struct round *round, const struct registry_config *config)
{
    struct registry_port theirs = {.context = round,
                                   .send = their_send,
                                   .head = their_head,
                                   .result = their_result,
                                   .next_epoch = next_epoch};
    struct model_port ours = {
        .context = round, .send = our_send, .seen = seen, .next_epoch = next_epoch};
    struct registry_config own = *config;
    own.limits.connections -= round->config->mode->observed;
    own.limits.connections_unopened -= round->config->mode->observed;
    round_add_ports(round, &theirs, &ours);
    round->model = model_new(&own, &ours);
    round->registry = registry_new(config, &theirs);
    ASSERT(round->registry != NULL);
    round->model->records = &round->records;
}

static void round_finish(struct round *round)
{
    registry_free(round->registry);
    model_free(round->model);
    script_fini(&round->script);
    list_fini(&round->kept);
    list_fini(&round->observed);
    list_fini(&round->records);
    list_fini(&round->journal);
    list_fini(&round->queries);
    outbox_fini(&round->observer);
    arena_fini(&round->forever);
    lister_fini(&round->lister);
    outbox_fini(&round->theirs);
    outbox_fini(&round->ours);
    arena_fini(&round->arena);
    arena_fini(&round->borrowed);
}

bool round_play(const struct round_config *config, struct coverage *coverage, uint64_t *step_out)
{
    struct round round = {.config = config, .coverage = coverage};
    round_start(&round);
    for (; round.step < config->steps && !round.failed; round.step++) {
        *step_out = round.step;
        step(&round);
    }
    if (!round.failed) {
        shut_down(&round);
    }
    *step_out = round.step;
    round_finish(&round);
    return !round.failed;
}
