/* SPDX-License-Identifier: MIT */
/* Which values a field may have, op by op. */
#include "base/check.h"
#include "model/model_parts.h"

#include <string.h>

static bool is_space(struct bytes space)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    for (size_t i = 0; i < space.size; i++) {
        if (space.data[i] == 0 || strchr(allowed, space.data[i]) == NULL) {
            return false;
        }
    }
    return space.size <= NAMESPACE_BYTES_MAX;
}

/* Bytes of the UTF-8 character at `text`, 0 where there is none. */
static size_t character_bytes(const uint8_t *text, size_t size)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = text[0] < 0x80   ? 1
                   : text[0] < 0xc0 ? 0
                   : text[0] < 0xe0 ? 2
                   : text[0] < 0xf0 ? 3
                   : text[0] < 0xf8 ? 4
                                    : 0;
    if (bytes == 0 || bytes > size) {
        return 0;
    }
    uint32_t point = bytes == 1 ? text[0] : text[0] & (0x7fU >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (text[i] & 0x3fU);
    }
    bool good = point >= lowest[bytes] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    return good && !control ? bytes : 0;
}

bool model_is_text(struct bytes text, size_t size_max)
{
    for (size_t at = 0; at < text.size;) {
        size_t bytes = character_bytes(text.data + at, text.size - at);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
    }
    return text.size <= size_max;
}

static const char *bad_open(const struct model *model, const struct op *op)
{
    (void) model;
    uint32_t heartbeat = op->as.open.heartbeat_ms;
    if (!model_is_text(op->as.open.client_name, CLIENT_NAME_BYTES_MAX)) {
        return "client_name";
    }
    if (heartbeat != 0 && (heartbeat < HEARTBEAT_MS_MIN || heartbeat > HEARTBEAT_MS_MAX)) {
        return "heartbeat_ms";
    }
    if (op->as.open.resume_session != 0 && op->as.open.resume_secret.size != SECRET_BYTES) {
        return "resume_secret";
    }
    return op->as.open.token.size > TOKEN_BYTES_MAX ? "token" : NULL;
}

static bool are_labels(const struct labels *labels)
{
    for (size_t i = 0; i < labels->count; i++) {
        if (labels->items[i].size == 0 || !model_is_text(labels->items[i], LABEL_BYTES_MAX)) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (bytes_equal(labels->items[i], labels->items[j])) {
                return false;
            }
        }
    }
    return labels->count <= LABELS_MAX;
}

static const char *bad_store(const struct model *model, const struct op *op)
{
    (void) model;
    uint32_t ttl = op->as.store.ttl_ms;
    if (op->as.store.policy >= POLICY_END) {
        return "policy";
    }
    if (ttl != 0 && (ttl < TTL_MS_MIN || ttl > TTL_MS_MAX)) {
        return "ttl_ms";
    }
    if (op->as.store.on_expiry >= ON_EXPIRY_END) {
        return "on_expiry";
    }
    if (op->as.store.stop_grace_ms > TTL_MS_MAX) {
        return "stop_grace_ms";
    }
    if (op->as.store.on_owner_loss >= ON_OWNER_LOSS_END) {
        return "on_owner_loss";
    }
    if (op->as.store.on_owner_loss == ON_OWNER_LOSS_KEEP && ttl == 0) {
        return "on_owner_loss";
    }
    if (op->as.store.meta.size > META_BYTES_MAX) {
        return "meta";
    }
    return are_labels(&op->as.store.labels) ? NULL : "labels";
}

static const char *bad_adopt(const struct model *model, const struct op *op)
{
    const struct cause *cause = &op->as.store.cause;
    const char *field = bad_store(model, op);
    if (field != NULL) {
        return field;
    }
    if (op->gen < UINT64_C(1) << 40) { /* of no epoch: there is none below 1 */
        return "gen";
    }
    if (op->as.store.cause_code >= CAUSE_END) {
        return "cause.code";
    }
    if (!model_is_text(cause->text, CAUSE_TEXT_BYTES_MAX)) {
        return "cause.text";
    }
    if (!model_is_text(cause->actor, CAUSE_ACTOR_BYTES_MAX)) {
        return "cause.actor";
    }
    if (!model_is_text(cause->peer, CAUSE_PEER_BYTES_MAX)) {
        return "cause.peer";
    }
    return op->as.store.parent >= op->gen ? "parent" : NULL;
}

/* Just one target, and what goes with one of many. */
static const char *bad_target(const struct op *op)
{
    int targets = (op->key.size > 0) + (op->as.cancel.label.size > 0) + (op->as.cancel.owner != 0) +
                  op->as.cancel.whole_namespace;
    if (targets == 0 || op->key.size > KEY_BYTES_MAX) {
        return "key";
    }
    if (!model_is_text(op->as.cancel.label, LABEL_BYTES_MAX)) {
        return "label";
    }
    if (targets > 1) {
        return op->key.size > 0 ? "key" : op->as.cancel.label.size > 0 ? "label" : "owner";
    }
    if (op->key.size > 0) {
        return NULL;
    }
    return op->gen != 0                           ? "gen"
           : op->as.cancel.level > LEVEL_RECORDED ? "level"
           : op->as.cancel.deadline_ms > 0        ? "deadline_ms"
           : op->as.cancel.arm_ttl_ms > 0         ? "arm_ttl_ms"
           : op->as.cancel.after_gen > 0          ? "after_gen"
                                                  : NULL;
}

static const char *bad_cancel(const struct model *model, const struct op *op)
{
    const struct cause *cause = &op->as.cancel.cause;
    if (bad_target(op) != NULL) {
        return bad_target(op);
    }
    if (op->as.cancel.cause_code >= CAUSE_SUPERSEDED) {
        return "cause.code";
    }
    if (!model_is_text(cause->text, CAUSE_TEXT_BYTES_MAX)) {
        return "cause.text";
    }
    if (!model_is_text(cause->actor, CAUSE_ACTOR_BYTES_MAX)) {
        return "cause.actor";
    }
    if (cause->peer.size > 0) {
        return "cause.peer";
    }
    if (op->as.cancel.level >= LEVEL_END) {
        return "level";
    }
    if (op->as.cancel.deadline_ms > DEADLINE_MS_MAX) {
        return "deadline_ms";
    }
    uint32_t arm_ttl = op->as.cancel.arm_ttl_ms;
    if (arm_ttl > model->config.limits.finished_ms || (arm_ttl > 0 && op->gen != 0)) {
        return "arm_ttl_ms";
    }
    return op->as.cancel.after_gen != 0 && op->gen != 0 ? "after_gen" : NULL;
}

static const char *bad_delete(const struct model *model, const struct op *op)
{
    (void) model;
    uint32_t outcome = op->as.delete.outcome;
    if (op->gen == 0) {
        return "gen";
    }
    return outcome == OUTCOME_UNSET || outcome > OUTCOME_CANCELLED ? "outcome" : NULL;
}

static const char *bad_touch(const struct model *model, const struct op *op)
{
    (void) model;
    uint32_t ttl = op->as.touch.ttl_ms;
    if (op->gen == 0) {
        return "gen";
    }
    return ttl < TTL_MS_MIN || ttl > TTL_MS_MAX ? "ttl_ms" : NULL;
}

static const char *bad_poll(const struct model *model, const struct op *op)
{
    (void) model;
    return op->as.poll.acks_count > FRAME_OPS_MAX ? "acks" : NULL;
}

static const char *bad_wait(const struct model *model, const struct op *op)
{
    (void) model;
    if (op->as.wait.until == UNTIL_UNSET || op->as.wait.until >= UNTIL_END) {
        return "until";
    }
    return op->as.wait.deadline_ms > DEADLINE_MS_MAX ? "deadline_ms" : NULL;
}

static const char *bad_list(const struct model *model, const struct op *op)
{
    (void) model;
    if (op->as.list.state >= STATE_END) {
        return "state";
    }
    if (!are_labels(&op->as.list.labels)) {
        return "labels";
    }
    if (op->kind == OP_LIST && op->as.list.order >= LIST_ORDER_END) {
        return "order";
    }
    return op->kind == OP_LIST && op->as.list.page_size > 1000 ? "page_size" : NULL;
}

static const char *bad_detach(const struct model *model, const struct op *op)
{
    (void) model;
    return op->gen == 0 ? "gen" : NULL;
}

static const char *bad_drain(const struct model *model, const struct op *op)
{
    (void) model;
    if (op->as.drain.daemon && op->space.size > 0) {
        return "namespace";
    }
    if (op->as.drain.daemon && op->as.drain.owner != 0) {
        return "owner";
    }
    if (op->kind == OP_UNDRAIN) {
        return NULL;
    }
    if (op->as.drain.deadline_ms > DEADLINE_MS_MAX) {
        return "deadline_ms";
    }
    if (!model_is_text(op->as.drain.cause.text, CAUSE_TEXT_BYTES_MAX)) {
        return "text";
    }
    return model_is_text(op->as.drain.cause.actor, CAUSE_ACTOR_BYTES_MAX) ? NULL : "actor";
}

static const char *bad_history(const struct model *model, const struct op *op)
{
    (void) model;
    if (op->key.size > KEY_BYTES_MAX) {
        return "key";
    }
    return op->as.list.page_size > HISTORY_ITEMS_MAX ? "page_size" : NULL;
}

const char *model_field_as_seen(const struct model *model, const struct op *op,
                                const struct result *seen, const char *field)
{
    static const char *const targets[] = {"key", "label", "owner", "whole_namespace"};
    const char *theirs = seen == NULL ? NULL : seen->error.field;
    (void) model;
    /* A state that goes against the order: an error, or nothing. */
    if (field == NULL && theirs != NULL && op->kind == OP_LIST &&
        op->as.list.order != LIST_ORDER_NONE && op->as.list.state != STATE_UNSET &&
        strcmp(theirs, "state") == 0 &&
        (op->as.list.state == STATE_ENDED || op->as.list.order == LIST_ORDER_UNACKNOWLEDGED)) {
        return "state";
    }
    if (field == NULL || theirs == NULL || op->kind != OP_CANCEL) {
        return field;
    }
    bool ours_is_target = false;
    for (size_t i = 0; i < 4; i++) {
        ours_is_target = ours_is_target || strcmp(field, targets[i]) == 0;
    }
    for (size_t i = 0; i < 4 && ours_is_target; i++) {
        if (strcmp(theirs, targets[i]) == 0) {
            return targets[i];
        }
    }
    return field;
}

/* What each op has of the common fields, and who looks at its own. */
static const struct {
    bool has_space;
    bool has_key;
    const char *(*own)(const struct model *model, const struct op *op);
} fields[OP_END] = {
    [OP_OPEN] = {.has_space = true, .own = bad_open},
    [OP_STORE] = {.has_space = true, .has_key = true, .own = bad_store},
    [OP_CANCEL] = {.has_space = true, .own = bad_cancel},
    [OP_DELETE] = {.has_space = true, .has_key = true, .own = bad_delete},
    [OP_TOUCH] = {.has_space = true, .has_key = true, .own = bad_touch},
    [OP_POLL] = {.own = bad_poll},
    [OP_WAIT] = {.has_space = true, .has_key = true, .own = bad_wait},
    [OP_GET] = {.has_space = true, .has_key = true},
    [OP_LIST] = {.has_space = true, .own = bad_list},
    [OP_COUNT] = {.has_space = true, .own = bad_list},
    [OP_ARMED] = {.has_space = true},
    [OP_DISARM] = {.has_space = true, .has_key = true},
    [OP_ADOPT] = {.has_space = true, .has_key = true, .own = bad_adopt},
    [OP_DETACH] = {.has_space = true, .has_key = true, .own = bad_detach},
    [OP_WATCH] = {.has_space = true},
    [OP_DRAIN] = {.has_space = true, .own = bad_drain},
    [OP_UNDRAIN] = {.has_space = true, .own = bad_drain},
    [OP_HISTORY] = {.has_space = true, .own = bad_history},
};

const char *model_bad_field(const struct model *model, const struct op *op)
{
    ASSERT(op->kind < OP_END);
    if (fields[op->kind].has_space && !is_space(op->space)) {
        return "namespace";
    }
    if (fields[op->kind].has_key && (op->key.size < 1 || op->key.size > KEY_BYTES_MAX)) {
        return "key";
    }
    return fields[op->kind].own == NULL ? NULL : fields[op->kind].own(model, op);
}
