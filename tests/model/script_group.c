/* SPDX-License-Identifier: MIT */
/* Ops about groups of operations, trees, watchers and restarts. */
#include "base/check.h"
#include "model/script.h"

/* ---- labels: static, for the model borrows them for good ---- */

#define LABEL_LONGEST "0123456789012345678901234567890123456789012345678901234567890123"

#define SETS_MAX 10

static const char *const words[SETS_MAX][LABELS_MAX] = {
    {"a"},
    {"a", "b"},
    {"b"},
    {"gpu", "a"},
    {"gpu"},
    {"na\xc3\xafve"},
    {LABEL_LONGEST, "b"},
    {"1", "2", "3", "4", "5", "6", "7", "8"},
    {"user 7"},
    {"user 7", "gpu", "b"},
};

static struct labels label_set(uint64_t number)
{
    static struct bytes sets[SETS_MAX][LABELS_MAX];
    struct labels labels = {.items = sets[number]};
    for (size_t i = 0; i < LABELS_MAX && words[number][i] != NULL; i++) {
        sets[number][i] = bytes_of_string(words[number][i]);
        labels.count++;
    }
    return labels;
}

/* Two labels that are one, one that is empty, one that is no text, and one too many. */
struct labels script_bad_labels(struct script *script)
{
    static struct bytes sets[4][LABELS_MAX + 1];
    uint64_t number = script_below(script, 4);
    for (size_t i = 0; i <= LABELS_MAX; i++) {
        sets[3][i] = bytes_of(&"abcdefghi"[i], 1);
    }
    sets[0][0] = sets[0][1] = bytes_of_string("twice");
    sets[1][0] = bytes_of("", 0);
    sets[2][0] = bytes_of_string("\xff");
    static const size_t counts[] = {2, 1, 1, LABELS_MAX + 1};
    return (struct labels){.items = sets[number], .count = counts[number]};
}

struct labels script_labels(struct script *script)
{
    bool none = !script->mode->groups || script_percent(script, 40);
    return none ? (struct labels){0} : label_set(script_below(script, SETS_MAX));
}

struct labels script_selection(struct script *script)
{
    bool none = !script->mode->groups || script_percent(script, 60);
    return none ? (struct labels){0} : label_set(script_below(script, 5));
}

struct bytes script_label(struct script *script)
{
    struct labels labels = label_set(script_below(script, SETS_MAX));
    return labels.items[script_below(script, labels.count)];
}

/* ---- trees ---- */

static const struct model_op *any_op(struct script *script)
{
    size_t count = script->model->ops.count;
    return count == 0 ? NULL : model_op_at(script->model, script_below(script, count));
}

uint64_t script_parent(struct script *script, struct op *op)
{
    const struct model_op *found = any_op(script);
    uint64_t chance = script_below(script, 100);
    uint64_t newest = script->model->gen_newest;
    if (!script->mode->trees || script_percent(script, 35)) {
        return 0;
    }
    for (int i = 0; i < 3 && found != NULL && !model_op_is_live(found); i++) {
        found = any_op(script);
    }
    if (chance < 3) {
        return newest + 1 + script_below(script, 3);
    }
    if (chance < 6 || found == NULL) {
        return newest - script_below(script, 30);
    }
    if (chance < 9) {
        return 1 + script_below(script, 1000);
    }
    op->space = chance < 12 ? op->space : found->space;
    return found->gen;
}

/* ---- many at once ---- */

void script_make_bulk(struct script *script, const struct script_client *client, struct op *op)
{
    uint64_t chance = script_below(script, 100);
    chance = script->mode->plain_percent > 0 ? 60 + chance * 2 / 5 : chance; /* few have labels */
    op->gen = 0;
    op->key = (struct bytes){0};
    op->as.cancel.level %= LEVEL_DELIVERED;
    op->as.cancel.deadline_ms = 0;
    op->as.cancel.arm_ttl_ms = 0;
    op->as.cancel.after_gen = 0;
    if (chance < 60) {
        op->as.cancel.label = script_label(script);
    } else if (chance < 90) {
        const struct model_op *found = any_op(script);
        op->as.cancel.owner = client != NULL && chance < 75        ? client->number
                              : found != NULL && found->owner != 0 ? found->owner
                                                                   : 1 + script_below(script, 9);
        op->space = found == NULL ? op->space : found->space;
    } else {
        op->as.cancel.whole_namespace = true;
    }
}

static uint32_t park_ms(struct script *script, uint32_t place)
{
    return script_is_aligned(script) && script_percent(script, 75)
               ? (uint32_t) (script_below(script, 30) * SCRIPT_GRAIN_MS + place)
               : 0;
}

void script_make_drain(struct script *script, const struct script_client *client, struct op *op)
{
    uint64_t chance = script_below(script, 100);
    (void) client;
    if (chance < 50 && script->model->sessions.count > 0) {
        const struct model_session *session =
            list_at(&script->model->sessions, script_below(script, script->model->sessions.count));
        op->as.drain.owner = session->number + (chance < 3);
        op->space = chance < 45 ? session->space : op->space;
    } else if (chance > 85) {
        op->as.drain.daemon = true;
        op->space = (struct bytes){0};
    }
    op->as.drain.deadline_ms = op->kind == OP_DRAIN ? park_ms(script, 1) : 0;
    if (op->kind == OP_DRAIN && script_percent(script, 70)) {
        op->as.drain.cause.text = bytes_of("going down for a while", 5 + script_below(script, 17));
        op->as.drain.cause.actor = bytes_of_string("operator");
    }
    if (op->kind == OP_UNDRAIN && script->model->drains.count > 0 && chance < 90) {
        const struct model_drain *drain =
            list_at(&script->model->drains, script_below(script, script->model->drains.count));
        const struct model_session *session = model_find_session(script->model, drain->owner);
        op->space = session != NULL ? session->space : drain->space;
        op->as.drain.owner = drain->owner;
        op->as.drain.daemon = drain->scope == BULK_DAEMON;
    }
}

/* ---- watchers ---- */

void script_make_watch(struct script *script, const struct script_client *client, struct op *op)
{
    uint64_t newest = model_revision(script->model);
    uint64_t back = script_below(script, script_percent(script, 80) ? 12 : 400);
    uint64_t chance = script_below(script, 100);
    (void) client;
    op->as.watch.epoch = script->model->config.epoch + (chance == 0);
    op->as.watch.revision = newest > back ? newest - back : 0;
    if (chance < 8) {
        op->as.watch.revision = chance < 4 ? 0 : newest + 1 + script_below(script, 5);
    } else if (chance < 45) {
        op->as.watch.revision = newest;
    }
    if (chance > 80 && script->snapshot_cursor != 0) {
        op->as.watch.revision = script->snapshot_revision;
        op->as.watch.cursor = script->snapshot_cursor;
        op->space = script->snapshot_space;
    }
    op->as.watch.wait_ms = park_ms(script, 3);
}

/* ---- restarts ---- */

/* An operation of the run before, as its owner knows it; or any gen at all. */
void script_make_adopt(struct script *script, const struct script_client *client, struct op *op)
{
    const struct model_op *found = any_op(script);
    uint64_t chance = script_below(script, 100);
    (void) client;
    for (int i = 0; i < 6 && found != NULL && !(model_op_is_live(found) && found->owner == 0);
         i++) {
        found = any_op(script);
    }
    if (script->survivors.count > 0 && chance < 75) {
        found = list_at(&script->survivors, script_below(script, script->survivors.count));
        op->as.store.labels = (struct labels){.items = found->labels, .count = found->labels_count};
    }
    op->gen = 1 + script_below(script, script->model->gen_newest);
    if (found != NULL) {
        op->space = found->space;
        op->gen = found->gen;
        op->key = chance % 20 == 0 ? op->key : found->key;
        op->as.store.policy = found->policy;
        op->as.store.parent = found->parent;
        op->as.store.previous_session = found->owner != 0 ? found->owner : found->last_owner;
        if (found->state == STATE_CANCELLING && script_percent(script, 40)) {
            op->as.store.cause = found->cause;
            op->as.store.cause_code = found->cause.code;
            op->as.store.cause.code = CAUSE_UNSET;
        }
    }
    if (chance >= 96) {
        op->gen = script->model->gen_newest + 1 + script_below(script, 2);
    }
    if (op->as.store.cause_code == CAUSE_UNSET && script_percent(script, 8)) {
        op->as.store.cause_code = 1 + (uint32_t) script_below(script, CAUSE_END - 1);
        op->as.store.cause.text = bytes_of_string("as its owner knows");
    }
    /* Nobody adopts again what he ended himself: a gen has one end. */
    if (model_was_adopted(script->model, op->gen)) {
        op->gen = script->model->gen_newest;
    }
    if (op->as.store.parent >= op->gen) {
        op->as.store.parent = 0;
    }
    /* A parent is older than its child. */
    if (script_percent(script, 2)) {
        op->as.store.parent = op->gen + script_below(script, 2);
    }
}

void script_make_history(struct script *script, const struct script_client *client, struct op *op)
{
    static const uint32_t sizes[] = {0, 1, 7, HISTORY_ITEMS_MAX};
    (void) client;
    op->as.list.page_size = sizes[script_below(script, 4)];
    op->as.list.cursor = script_percent(script, 50) ? 0 : script_below(script, 1000);
    op->key = script_percent(script, 50) ? (struct bytes){0} : op->key;
}
