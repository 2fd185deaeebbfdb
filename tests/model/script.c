/* SPDX-License-Identifier: MIT */
/* Modes, links, clients, time, and frames around the ops. */
#include "model/script.h"

#include "base/check.h"
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#define SCRIPT_ARENA_BYTES ((size_t) 2 << 20)

/* Small, so that each bound is reached. */
static const struct limits limits_small = {
    .operations = 40,
    .operations_namespace = 30,
    .operations_session = 16,
    .bytes = 1 << 20,
    .namespaces = 16,
    .connections = 6,
    .connections_unopened = 6,
    .sessions = 7,
    .parked_session = 4,
    .parked = 12,
    .parked_gens = 100000,
    .armed = 4,
    .labels = 1000,
    .label_uses = 10000,
    .bulks = 10000,
    .covers = 10000,
    .drains = 100,
    .watch_events = 65536,
    .watch_bytes = 1 << 24,
    .recovered = 100000,
    .journal_bytes = 1 << 24,
    .finished = 50000,
    .finished_ms = 1500,
    .grace_ms = 328,
    .replies_session_bytes = 1 << 22,
    .replies_bytes = 1 << 24,
    .output_bytes = 1 << 18,
    .outstanding = 1024,
    .handshake_ms = 5000,
    .stall_ms = 10000,
};

const struct script_mode script_modes[] = {
    {.name = "many sessions",
     .limits = {.parked_session = 2, .armed = 2, .operations_namespace = 14, .operations = 22},
     .counter_first = 1,
     .keys_count = 6,
     .spaces_count = 2,
     .clients_max = 8,
     .answered_percent = 60},
    {.name = "short memory",
     .limits = {.finished = 12, .finished_ms = 4000},
     .counter_first = 7,
     .keys_count = 5,
     .spaces_count = 2,
     .clients_max = 6,
     .answered_percent = 60,
     .one_client_a_link = true},
    {.name = "long strings",
     .limits = {.operations = 200,
                .operations_namespace = 200,
                .operations_session = 200,
                .bytes = 65536,
                .armed = 40,
                .replies_session_bytes = 150000,
                .replies_bytes = 180000},
     .counter_first = 1,
     .keys_count = 40,
     .spaces_count = 3,
     .clients_max = 5,
     .burst_percent = 4,
     .burst_ops = 100,
     .store_percent = 25,
     .answered_percent = 4,
     .long_strings = true},
    {.name = "counter at its end, few namespaces",
     .limits = {.namespaces = 2, .operations = 12, .parked = 4, .finished = 500},
     .counter_first = GEN_COUNTER_MAX - 12,
     .keys_count = 3,
     .spaces_count = 5,
     .clients_max = 8,
     .answered_percent = 60},
    {.name = "little room for answers",
     .limits = {.replies_session_bytes = 1500, .replies_bytes = 4000},
     .counter_first = 1,
     .keys_count = 4,
     .spaces_count = 2,
     .clients_max = 8,
     .burst_percent = 1,
     .burst_ops = 30,
     .answered_percent = 60},
    {.name = "one crowded key",
     .limits = {.operations = 1500,
                .operations_namespace = 1500,
                .operations_session = 1500,
                .parked_gens = 300},
     .counter_first = 1,
     .keys_count = 1,
     .spaces_count = 1,
     .clients_max = 4,
     .burst_percent = 25,
     .burst_ops = 400,
     .store_percent = 30,
     .answered_percent = 60,
     .steps_percent = 16},
    {.name = "trees",
     .limits = {.parked_session = 100, .parked = 300},
     .counter_first = 1,
     .keys_count = 20,
     .spaces_count = 2,
     .clients_max = 6,
     .store_percent = 12,
     .answered_percent = 60,
     .trees = true,
     .watchers = true,
     .one_client_a_link = true,
     .observed = true},
    {.name = "groups",
     .limits = {.labels = 8,
                .label_uses = 20,
                .bulks = 4,
                .drains = 1,
                .parked_session = 100,
                .parked = 300},
     .counter_first = 1,
     .keys_count = 20,
     .spaces_count = 2,
     .clients_max = 6,
     .store_percent = 12,
     .answered_percent = 60,
     .groups = true,
     .watchers = true,
     .one_client_a_link = true,
     .observed = true},
    {.name = "groups of few",
     .limits = {.operations = 8, .operations_namespace = 6, .parked_session = 100, .parked = 300},
     .counter_first = 1,
     .keys_count = 6,
     .spaces_count = 1,
     .clients_max = 3,
     .store_percent = 12,
     .plain_percent = 70,
     .bulk_percent = 40,
     .answered_percent = 60,
     .groups = true,
     .watchers = true,
     .one_client_a_link = true,
     .observed = true},
    {.name = "groups of trees",
     .limits = {.operations = 400,
                .operations_namespace = 400,
                .operations_session = 400,
                .parked_session = 100,
                .parked = 300,
                .sessions = 12},
     .counter_first = 1,
     .keys_count = 40,
     .spaces_count = 1,
     .clients_max = 6,
     .burst_percent = 3,
     .burst_ops = 100,
     .store_percent = 20,
     .answered_percent = 60,
     .steps_percent = 30,
     .trees = true,
     .groups = true,
     .watchers = true,
     .one_client_a_link = true,
     .observed = true},
    {.name = "few events kept",
     .limits = {.watch_events = 16, .watch_bytes = 65536, .parked_session = 2, .parked = 4},
     .one_client_a_link = true,
     .counter_first = 1,
     .keys_count = 6,
     .spaces_count = 2,
     .clients_max = 6,
     .answered_percent = 60,
     .watchers = true},
    {.name = "restarts",
     .limits = {.operations = 100,
                .operations_namespace = 90,
                .operations_session = 60,
                .armed = 10,
                .parked_session = 100,
                .parked = 300},
     .counter_first = 1,
     .keys_count = 20,
     .spaces_count = 2,
     .clients_max = 6,
     .store_percent = 12,
     .answered_percent = 60,
     .trees = true,
     .groups = true,
     .watchers = true,
     .one_client_a_link = true,
     .observed = true,
     .journal = true,
     .restarts = true},
    {.name = "slow journal", /* no bound is near: which one was met would be open */
     .limits = {.operations = 2000,
                .operations_namespace = 2000,
                .operations_session = 2000,
                .parked_session = 100,
                .parked = 300,
                .armed = 500},
     .counter_first = 1,
     .keys_count = 6,
     .spaces_count = 2,
     .clients_max = 6,
     .answered_percent = 60,
     .journal = true,
     .is_slow = true},
    {.name = "rights",
     .limits = {.drains = 1, .parked_session = 100, .parked = 300},
     .counter_first = 1,
     .keys_count = 8,
     .spaces_count = 3,
     .clients_max = 6,
     .answered_percent = 60,
     .trees = true,
     .groups = true,
     .watchers = true,
     .one_client_a_link = true,
     .observed = true,
     .rights = true},
};
const size_t script_modes_count = sizeof script_modes / sizeof script_modes[0];

struct limits script_limits(const struct script_mode *mode)
{
    struct limits limits = limits_small;
    struct limits own = mode->limits;
    for (size_t i = 0; i < limit_rows_count; i++) {
        uint64_t value = *limits_field(&own, &limit_rows[i]);
        if (value != 0) {
            *limits_field(&limits, &limit_rows[i]) = value;
        }
    }
    return limits;
}

void script_init(struct script *script, const struct script_mode *mode, struct model *model,
                 uint64_t seed, uint64_t now_ms)
{
    *script = (struct script){
        .mode = mode, .model = model, .random = seed, .now_ms = now_ms, .digests_given = 1000};
    script->limits = script_limits(mode);
    list_init(&script->links, sizeof(struct script_link));
    list_init(&script->clients, sizeof(struct script_client));
    list_init(&script->survivors, sizeof(struct model_op));
    arena_init(&script->arena, SCRIPT_ARENA_BYTES);
    arena_init(&script->arena_before, SCRIPT_ARENA_BYTES);
}

static void client_fini(struct script_client *client)
{
    for (size_t i = 0; i < client->sent.count; i++) {
        free(((struct script_sent *) list_at(&client->sent, i))->ops);
    }
    list_fini(&client->sent);
}

void script_fini(struct script *script)
{
    for (size_t i = 0; i < script->clients.count; i++) {
        client_fini(list_at(&script->clients, i));
    }
    list_fini(&script->clients);
    list_fini(&script->links);
    list_fini(&script->survivors);
    arena_fini(&script->arena);
    arena_fini(&script->arena_before);
}

uint64_t script_below(struct script *script, uint64_t below)
{
    return below == 0 ? 0 : test_random(&script->random) % below;
}

bool script_percent(struct script *script, unsigned percent)
{
    return script_below(script, 100) < percent;
}

struct reply_to script_route(struct script *script, uint64_t link, enum op_kind kind)
{
    uint64_t number = ++script->routes_given;
    return (struct reply_to){.link = link,
                             .route = {(uint32_t) number, (uint32_t) (number >> 32), kind},
                             .route_words = 3};
}

/* ---- links ---- */

uint64_t script_link_added(struct script *script)
{
    struct script_link *link = list_push(&script->links);
    link->link = ++script->links_given;
    return link->link;
}

void script_link_removed(struct script *script, uint64_t link)
{
    for (size_t i = 0; i < script->links.count; i++) {
        if (((struct script_link *) list_at(&script->links, i))->link == link) {
            list_remove(&script->links, i);
            return;
        }
    }
}

struct script_link *script_any_link(struct script *script)
{
    return script->links.count == 0
               ? NULL
               : list_at(&script->links, script_below(script, script->links.count));
}

bool script_link_carries_client(const struct script *script, uint64_t link)
{
    for (size_t i = 0; i < script->model->sessions.count; i++) {
        const struct model_session *session = list_at(&script->model->sessions, i);
        if (session->link == link) {
            return true;
        }
    }
    return false;
}

/* Whether a session would be lost in the same millisecond as one of this link's. */
static bool would_meet(const struct script *script, uint64_t link)
{
    for (size_t i = 0; i < script->model->sessions.count; i++) {
        const struct model_session *session = list_at(&script->model->sessions, i);
        if (session->link != link &&
            session->grace_end_ms == script->now_ms + script->limits.grace_ms) {
            return true;
        }
    }
    return false;
}

/* Two sessions of one link end together; then neither may wait for the other's operations. */
static bool is_awaited(const struct script *script, uint64_t link)
{
    size_t sessions = 0;
    size_t parked = 0;
    for (size_t i = 0; i < script->model->sessions.count; i++) {
        const struct model_session *session = list_at(&script->model->sessions, i);
        if (session->link == link) {
            sessions++;
            parked += model_parked_count(script->model, session->number, link);
        }
    }
    return sessions > 1 && parked > 0;
}

bool script_may_go_down(const struct script *script, uint64_t link)
{
    return !script_link_carries_client(script, link) ||
           (!would_meet(script, link) && !is_awaited(script, link));
}

void script_restart(struct script *script, struct model *model)
{
    list_clear(&script->survivors);
    for (size_t i = 0; i < script->model->ops.count; i++) {
        const struct model_op *op = model_op_at(script->model, i);
        /* An owner that had no answer repeats its finish, and adopts before. */
        bool repeats = op->cause.code != CAUSE_UNSET && script_percent(script, 50);
        if (model_op_is_live(op) || repeats) {
            *(struct model_op *) list_push(&script->survivors) = *op;
        }
    }
    list_clear(&script->links);
    script->snapshot_cursor = 0;
    script->model = model;
    script_sync(script);
}

/* ---- time ---- */

bool script_is_aligned(const struct script *script)
{
    return script->now_ms % SCRIPT_GRAIN_MS == 0;
}

uint64_t script_next_time(struct script *script)
{
    uint64_t aligned = (script->now_ms / SCRIPT_GRAIN_MS + 1) * SCRIPT_GRAIN_MS;
    uint64_t due = model_next_ms(script->model);
    uint64_t chance = script_below(script, 100);
    if (due != TIME_NEVER && due > script->now_ms + 1 && due < script->now_ms + 100000) {
        if (chance < 15) {
            return due - 1;
        }
        if (chance < 35) {
            return due;
        }
        if (chance < 45) {
            return due + 1;
        }
    }
    if (chance < 85) {
        return aligned + SCRIPT_GRAIN_MS * script_below(script, 2);
    }
    return aligned + SCRIPT_GRAIN_MS * script_below(script, chance < 97 ? 12 : 80);
}

/* ---- clients ---- */

static struct script_client *find_client(const struct script *script, uint64_t number)
{
    for (size_t i = 0; i < script->clients.count; i++) {
        struct script_client *client = list_at(&script->clients, i);
        if (client->number == number) {
            return client;
        }
    }
    return NULL;
}

unsigned script_free_slot(const struct script *script)
{
    for (unsigned slot = 0;; slot++) {
        bool taken = false;
        for (size_t i = 0; i < script->clients.count; i++) {
            taken = taken || ((struct script_client *) list_at(&script->clients, i))->slot == slot;
        }
        if (!taken) {
            return slot;
        }
    }
}

static void adopt_session(struct script *script, const struct model_session *session)
{
    struct script_client client = {.number = session->number, .slot = script_free_slot(script)};
    memcpy(client.secret, session->secret, SECRET_BYTES);
    client.open = (struct op){.kind = OP_OPEN, .space = session->space};
    client.open.as.open.client_name = session->name;
    client.open.as.open.heartbeat_ms = (uint32_t) session->heartbeat_ms;
    client.next_id = 1;
    list_init(&client.sent, sizeof(struct script_sent));
    *(struct script_client *) list_push(&script->clients) = client;
}

void script_sync(struct script *script)
{
    for (size_t i = script->clients.count; i > 0; i--) {
        struct script_client *client = list_at(&script->clients, i - 1);
        if (model_find_session(script->model, client->number) == NULL) {
            client_fini(client);
            list_remove(&script->clients, i - 1);
        }
    }
    for (size_t i = 0; i < script->model->sessions.count; i++) {
        const struct model_session *session = list_at(&script->model->sessions, i);
        if (find_client(script, session->number) == NULL) {
            adopt_session(script, session);
        }
    }
}

static struct script_sent *find_sent(const struct script_client *client, uint64_t id)
{
    for (size_t i = 0; i < client->sent.count; i++) {
        struct script_sent *sent = list_at(&client->sent, i);
        if (sent->id == id) {
            return sent;
        }
    }
    return NULL;
}

void script_note_reply(struct script *script, const struct reply *reply)
{
    const struct script_client *client = find_client(script, reply->head.session);
    struct script_sent *sent = client == NULL ? NULL : find_sent(client, reply->head.request_id);
    if (sent != NULL && reply->head.error.code == ERROR_UNSET) {
        sent->replied = true;
    }
    if (reply->results_count == 1 && reply->results[0].answer == ANSWER_SNAPSHOT) {
        const struct result *page = &reply->results[0];
        script->snapshot_cursor = page->next_cursor;
        script->snapshot_revision = page->revision;
        script->snapshot_space = (struct bytes){0};
        for (size_t i = 0; i < page->operations_count && i < 1; i++) {
            const struct model_op *op = model_find_gen(script->model, page->operations[i].gen);
            script->snapshot_space = op == NULL ? (struct bytes){0} : op->space;
        }
    }
}
