/* SPDX-License-Identifier: MIT */
/* Single ops: what a client may ask for, mostly sensibly. */
#include "base/check.h"
#include "model/script.h"

#include <string.h>

/* ---- strings: static, for the model borrows them for good ---- */

#define SPACE_LONGEST "0123456789012345678901234567890123456789012345678901234567890123"

static const char *const spaces[] = {"", "default", "a", "b.c-D_9", "default", SPACE_LONGEST};

struct bytes script_space(struct script *script, unsigned number)
{
    unsigned count = script->mode->spaces_count;
    return bytes_of_string(spaces[number % (count < 6 ? count + 1 : 6)]);
}

#define KEYS_MAX 40
#define POOL_BYTES 2048

/* Letters, and a byte of every kind: keys may hold anything. */
static const uint8_t *pool(void)
{
    static uint8_t bytes[POOL_BYTES];
    for (size_t i = 0; bytes[POOL_BYTES - 1] == 0 && i < POOL_BYTES; i++) {
        bytes[i] = (uint8_t) (i * 7 + i / 256 + 70);
    }
    return bytes;
}

static const char letters[] =
    "a sentence of the sort that people write beside a cancel, long enough to be cut anywhere: "
    "a sentence of the sort that people write beside a cancel, long enough to be cut anywhere: "
    "a sentence of the sort that people write beside a cancel, long enough to be cut anywhere: ";

static struct bytes any_key(struct script *script)
{
    uint64_t number = script_below(script, script->mode->keys_count);
    bool is_long = number == 1 || script->mode->long_strings;
    return bytes_of(pool() + 16 * number, is_long ? KEY_BYTES_MAX - number % 3 : 1 + number);
}

static struct bytes any_meta(struct script *script)
{
    static const size_t sizes[] = {0, 0, 0, 1, 40, META_BYTES_MAX};
    size_t size = sizes[script_below(script, 6)];
    size = script->mode->long_strings && script_percent(script, 60) ? META_BYTES_MAX : size;
    return bytes_of(pool() + script_below(script, 500), size);
}

static struct bytes any_text(struct script *script, size_t size_max)
{
    size_t size = script_percent(script, 60) ? 0 : 1 + script_below(script, 20);
    size = script_percent(script, 4) || script->mode->long_strings ? size_max : size;
    return bytes_of(letters, size);
}

/* ---- durations: see script.h ---- */

#define PLACE_PARKED 1
#define PLACE_TTL 2
#define PLACE_POLL 3
#define PLACE_STOP_GRACE 4

static uint32_t duration(struct script *script, uint64_t steps_min, uint64_t steps_max,
                         uint32_t place)
{
    uint64_t steps = steps_min + script_below(script, steps_max - steps_min + 1);
    return (uint32_t) (steps * SCRIPT_GRAIN_MS + place);
}

/* Now and then the least or the most that is allowed. */
static void set_to_bound(struct script *script, uint32_t *value, uint64_t least, uint64_t most)
{
    uint64_t chance = script_below(script, 100);
    if (chance < 3) {
        *value = (uint32_t) (chance == 0 ? least : most);
    }
}

static bool is_taken(const struct script *script, uint64_t ttl_end, uint64_t expiry)
{
    for (size_t i = 0; i < script->model->ops.count; i++) {
        const struct model_op *op = model_op_at(script->model, i);
        if (model_op_is_live(op) && op->ttl_end_ms != TIME_NEVER &&
            (op->ttl_end_ms == ttl_end || op->ttl_end_ms + op->stop_grace_ms == expiry)) {
            return true;
        }
    }
    return false;
}

/* A ttl whose end, and whose stop grace's end, no other operation has. */
static uint32_t any_ttl(struct script *script, uint64_t stop_grace)
{
    uint64_t grace = stop_grace == 0 ? script->limits.grace_ms : stop_grace;
    uint32_t ttl = duration(script, 2, 60, PLACE_TTL);
    while (is_taken(script, script->now_ms + ttl, script->now_ms + ttl + grace)) {
        ttl += SCRIPT_GRAIN_MS;
    }
    return ttl;
}

static uint64_t op_ttl(const struct script *script, const struct op *op, uint64_t *grace_out)
{
    const struct model_op *found = NULL;
    *grace_out = script->limits.grace_ms;
    if (op->kind == OP_STORE || op->kind == OP_ADOPT) {
        *grace_out = op->as.store.stop_grace_ms == 0 ? *grace_out : op->as.store.stop_grace_ms;
        return op->as.store.ttl_ms;
    }
    if (op->kind != OP_TOUCH) {
        return 0;
    }
    found = model_find_op(script->model, op->space, op->key, op->gen);
    *grace_out = found == NULL ? *grace_out : found->stop_grace_ms;
    return op->as.touch.ttl_ms;
}

bool script_ttls_are_apart(const struct script *script, const struct op *ops, size_t ops_count)
{
    for (size_t i = 0; i < ops_count; i++) {
        uint64_t grace;
        uint64_t ttl = op_ttl(script, &ops[i], &grace);
        if (ttl != 0 && is_taken(script, script->now_ms + ttl, script->now_ms + ttl + grace)) {
            return false;
        }
        for (size_t j = 0; ttl != 0 && j < i; j++) {
            uint64_t other_grace;
            uint64_t other = op_ttl(script, &ops[j], &other_grace);
            if (other != 0 && (other == ttl || other + other_grace == ttl + grace)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- gens ---- */

static const struct model_op *any_op(struct script *script)
{
    size_t count = script->model->ops.count;
    return count == 0 ? NULL : model_op_at(script->model, script_below(script, count));
}

/* A live operation of the client, or any. */
static const struct model_op *likely_op(struct script *script, const struct script_client *client)
{
    const struct model_op *found = NULL;
    for (int i = 0; i < 8; i++) {
        found = any_op(script);
        if (found == NULL || (model_op_is_live(found) &&
                              (client == NULL || found->owner == client->number || i > 5))) {
            break;
        }
    }
    return found;
}

static void aim(struct script *script, const struct script_client *client, struct op *op)
{
    const struct model_op *found =
        script_percent(script, 60) ? likely_op(script, client) : any_op(script);
    uint64_t newest = script->model->gen_newest;
    uint64_t chance = script_below(script, 100);
    op->key = any_key(script);
    op->gen = newest - script_below(script, 12);
    if (found != NULL && chance < 80) {
        op->space = found->space;
        op->key = found->key;
        op->gen = found->gen;
    } else if (found != NULL && chance < 86) {
        op->gen = found->gen;
    } else if (chance < 88) {
        op->gen = newest + 1 + script_below(script, 3);
    } else if (chance < 90) {
        op->gen = 1 + script_below(script, 1000);
    }
    op->gen = op->gen == 0 ? 1 : op->gen;
}

/* ---- ops ---- */

void script_aim(struct script *script, struct op *op)
{
    aim(script, NULL, op);
}

static void make_store(struct script *script, const struct script_client *client, struct op *op)
{
    (void) client;
    op->key = any_key(script);
    op->as.store.policy = (uint32_t) script_below(script, POLICY_END);
    if (script->mode->keys_count == 1 && script_percent(script, 90)) {
        op->as.store.policy = POLICY_JOIN;
    }
    op->as.store.on_expiry = (uint32_t) script_below(script, ON_EXPIRY_END);
    op->as.store.meta = any_meta(script);
    if (script_percent(script, 40)) {
        op->as.store.stop_grace_ms = duration(script, 0, 12, PLACE_STOP_GRACE);
        set_to_bound(script, &op->as.store.stop_grace_ms, 0, TTL_MS_MAX);
    }
    if (script_percent(script, 60) && script_is_aligned(script) && !script->is_bursting) {
        op->as.store.ttl_ms = any_ttl(script, op->as.store.stop_grace_ms);
        set_to_bound(script, &op->as.store.ttl_ms, TTL_MS_MIN, TTL_MS_MAX);
        op->as.store.on_owner_loss = (uint32_t) script_below(script, ON_OWNER_LOSS_END);
    }
    op->as.store.labels = script_labels(script);
    if (op->kind == OP_STORE) {
        op->as.store.parent = script_parent(script, op);
    }
    if (script->mode->plain_percent > 0 && script_percent(script, script->mode->plain_percent)) {
        op->as.store.meta = (struct bytes){0};
        op->as.store.labels = (struct labels){0};
        op->as.store.stop_grace_ms = 0;
    }
}

static void make_adopt(struct script *script, const struct script_client *client, struct op *op)
{
    make_store(script, client, op);
    script_make_adopt(script, client, op);
}

static void make_detach(struct script *script, const struct script_client *client, struct op *op)
{
    aim(script, client, op);
}

static void make_history(struct script *script, const struct script_client *client, struct op *op)
{
    op->key = any_key(script);
    script_make_history(script, client, op);
}

static void make_cancel(struct script *script, const struct script_client *client, struct op *op)
{
    aim(script, client, op);
    uint64_t chance = script_below(script, 100);
    if (chance < 60) {
        op->as.cancel.after_gen = chance < 15 ? op->gen - script_below(script, 2) : 0;
        op->gen = 0;
    }
    if (op->gen == 0 && script_percent(script, 45)) {
        op->as.cancel.arm_ttl_ms = 1 + (uint32_t) script_below(script, script->limits.finished_ms);
        set_to_bound(script, &op->as.cancel.arm_ttl_ms, 1, script->limits.finished_ms);
    }
    op->as.cancel.cause_code = (uint32_t) script_below(script, CAUSE_SUPERSEDED);
    op->as.cancel.cause.text = any_text(script, CAUSE_TEXT_BYTES_MAX);
    op->as.cancel.cause.actor = any_text(script, CAUSE_ACTOR_BYTES_MAX);
    op->as.cancel.level = (uint32_t) script_below(script, LEVEL_END);
    if (script_percent(script, 70) && script_is_aligned(script)) {
        op->as.cancel.deadline_ms = duration(script, 0, 30, PLACE_PARKED);
        set_to_bound(script, &op->as.cancel.deadline_ms, 0, DEADLINE_MS_MAX);
    }
    unsigned bulk_percent = script->mode->bulk_percent > 0 ? script->mode->bulk_percent : 8;
    if (script->mode->groups && script_percent(script, bulk_percent)) {
        script_make_bulk(script, client, op);
    }
}

static void make_delete(struct script *script, const struct script_client *client, struct op *op)
{
    aim(script, client, op);
    op->as.delete.outcome = (uint32_t) (1 + script_below(script, 3));
}

static void make_touch(struct script *script, const struct script_client *client, struct op *op)
{
    aim(script, client, op);
    const struct model_op *found = model_find_op(script->model, op->space, op->key, op->gen);
    op->as.touch.ttl_ms = any_ttl(script, found == NULL ? 0 : found->stop_grace_ms);
    set_to_bound(script, &op->as.touch.ttl_ms, TTL_MS_MIN, TTL_MS_MAX);
}

static void make_poll(struct script *script, const struct script_client *client, struct op *op)
{
    struct notice_ack *acks = arena_take(&script->arena, 24 * sizeof *acks);
    size_t count = 0;
    unsigned percent = (unsigned) script_below(script, 80);
    for (size_t i = 0; i < script->model->ops.count && count < 24; i++) {
        const struct model_op *found = model_op_at(script->model, i);
        bool own = client != NULL && found->owner == client->number;
        if (script_percent(script, own ? percent : 1)) {
            acks[count++] = (struct notice_ack){.gen = found->gen,
                                                .kind = 1 + (uint32_t) script_below(script, 2)};
        }
    }
    op->as.poll.acks = acks;
    op->as.poll.acks_count = count;
    const struct model_session *session =
        client == NULL ? NULL : model_find_session(script->model, client->number);
    if (session != NULL && script_percent(script, 50)) {
        uint64_t back = script_below(script, 4);
        op->as.poll.after = session->notices_last > back ? session->notices_last - back : 0;
    }
    if (script_percent(script, 70) && script_is_aligned(script)) {
        op->as.poll.wait_ms =
            script_percent(script, 5) ? 25000 + 64000 : duration(script, 0, 40, PLACE_POLL);
    }
}

static void make_wait(struct script *script, const struct script_client *client, struct op *op)
{
    aim(script, client, op);
    op->gen = script_percent(script, 50) ? 0 : op->gen;
    op->as.wait.until = (uint32_t) (1 + script_below(script, 2));
    if (script_percent(script, 75) && script_is_aligned(script)) {
        op->as.wait.deadline_ms = duration(script, 0, 30, PLACE_PARKED);
        set_to_bound(script, &op->as.wait.deadline_ms, 0, DEADLINE_MS_MAX);
    }
}

static void make_get(struct script *script, const struct script_client *client, struct op *op)
{
    aim(script, client, op);
    op->gen = script_percent(script, 40) ? 0 : op->gen;
}

static void make_list(struct script *script, const struct script_client *client, struct op *op)
{
    op->as.list.state = (uint32_t) script_below(script, STATE_END);
    if (client != NULL && script_percent(script, 30)) {
        op->as.list.owner = client->number;
    }
    op->as.list.labels = script_selection(script);
    if (op->kind == OP_LIST && script->mode->groups && script_percent(script, 40)) {
        op->as.list.order = 1 + (uint32_t) script_below(script, 2);
    }
    if (op->kind == OP_LIST) {
        static const uint32_t sizes[] = {0, 0, 1, 3, 1000};
        op->as.list.page_size = sizes[script_below(script, 5)];
    }
}

static void make_key(struct script *script, const struct script_client *client, struct op *op)
{
    (void) client;
    op->key = any_key(script);
    if (script->model->armed.count > 0 && script_percent(script, 50)) {
        const struct model_armed *armed =
            list_at(&script->model->armed, script_below(script, script->model->armed.count));
        op->space = armed->space;
        op->key = armed->key;
    }
}

static const struct {
    unsigned weight;
    bool alone;
    void (*make)(struct script *script, const struct script_client *client, struct op *op);
} makers[OP_END] = {
    [OP_UNKNOWN] = {.weight = 3},
    [OP_STORE] = {.weight = 220, .make = make_store},
    [OP_CANCEL] = {.weight = 230, .make = make_cancel},
    [OP_DELETE] = {.weight = 120, .make = make_delete},
    [OP_TOUCH] = {.weight = 50, .make = make_touch},
    [OP_POLL] = {.weight = 100, .alone = true, .make = make_poll},
    [OP_WAIT] = {.weight = 80, .alone = true, .make = make_wait},
    [OP_GET] = {.weight = 50, .make = make_get},
    [OP_LIST] = {.weight = 20, .alone = true, .make = make_list},
    [OP_COUNT] = {.weight = 20, .make = make_list},
    [OP_ARMED] = {.weight = 10, .alone = true},
    [OP_DISARM] = {.weight = 30, .make = make_key},
    [OP_PING] = {.weight = 10},
    [OP_STATS] = {.weight = 3},
    [OP_CLOSE] = {.weight = 5},
    [OP_ADOPT] = {.weight = 40, .make = make_adopt},
    [OP_DETACH] = {.weight = 30, .make = make_detach},
    [OP_WATCH] = {.weight = 60, .alone = true, .make = script_make_watch},
    [OP_DRAIN] = {.weight = 14, .alone = true, .make = script_make_drain},
    [OP_UNDRAIN] = {.weight = 20, .make = script_make_drain},
    [OP_HISTORY] = {.weight = 15, .alone = true, .make = make_history},
};

/* Whether the mode has such ops at all; those of all modes come now and then in each. */
static bool is_played(struct script *script, unsigned kind)
{
    const struct script_mode *mode = script->mode;
    bool adopts = mode->restarts || mode->trees;
    return kind == OP_ADOPT                         ? adopts
           : kind == OP_DETACH                      ? mode->trees
           : kind == OP_WATCH                       ? mode->watchers
           : kind == OP_DRAIN || kind == OP_UNDRAIN ? mode->groups
           : kind == OP_LIST || kind == OP_ARMED    ? !mode->is_slow /* their order is open */
                                                    : true;
}

static unsigned weight_of(struct script *script, unsigned kind, bool alone)
{
    return (makers[kind].alone && !alone) || !is_played(script, kind) ? 0 : makers[kind].weight;
}

static enum op_kind any_kind(struct script *script, bool alone)
{
    unsigned sum = 0;
    for (unsigned kind = 0; kind < OP_END; kind++) {
        sum += weight_of(script, kind, alone);
    }
    uint64_t left = script_below(script, sum);
    for (unsigned kind = 0;; kind++) {
        unsigned weight = weight_of(script, kind, alone);
        if (left < weight) {
            return (enum op_kind) kind;
        }
        left -= weight;
    }
}

void script_op(struct script *script, const struct script_client *client, bool alone, struct op *op)
{
    bool misplaced = !alone && script_below(script, 300) == 0;
    *op = (struct op){.kind = any_kind(script, alone || misplaced)};
    if (script_percent(script, script->mode->store_percent)) {
        op->kind = OP_STORE;
    }
    if (script_journal_refuses(script) && script_percent(script, 15)) {
        op->kind = OP_DISARM; /* it needs a record, and there is not always an arm */
    }
    /* In which order operations end with their session, and whether what they decide is kept back, would be
     * anybody's guess. */
    if (op->kind == OP_CLOSE &&
        ((script->mode->one_client_a_link && !alone) || script->mode->is_slow)) {
        op->kind = OP_PING;
    }
    op->space = script_space(script, (unsigned) script_below(script, 6));
    if (makers[op->kind].make != NULL) {
        makers[op->kind].make(script, client, op);
    }
    if (op->kind == OP_CANCEL && !alone && !misplaced) {
        bool is_bulk = op->key.size == 0;
        op->as.cancel.level %= LEVEL_DELIVERED;
        op->kind = is_bulk ? OP_PING : op->kind;
    }
}

void script_filler(struct script *script, struct op *op)
{
    static const enum op_kind kinds[] = {OP_GET,   OP_GET,  OP_GET,   OP_GET,    OP_GET,
                                         OP_COUNT, OP_PING, OP_STATS, OP_DISARM, OP_UNKNOWN};
    *op = (struct op){.kind = kinds[script_below(script, 10)]};
    if (script->mode->keys_count == 1) {
        op->kind = OP_STORE;
    }
    if (makers[op->kind].make != NULL) {
        makers[op->kind].make(script, NULL, op);
    }
}
