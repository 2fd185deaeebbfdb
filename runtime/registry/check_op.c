/* SPDX-License-Identifier: MIT */
/* The fields of an op, each against its range: what is wrong is told by the field's name in the
 * wire contract. Nothing after this looks at a range again. */
#include "base/utf8.h"
#include "registry/state.h"

#define TEXT_RULE "must be UTF-8 without control characters, and not longer than its bound"

static const struct error fine = {.code = ERROR_UNSET};

static struct error bad(const char *field, const char *text)
{
    return (struct error){.code = ERROR_FIELD, .field = field, .text = text};
}

static bool is_text(struct bytes text, size_t bytes_max)
{
    return text.size <= bytes_max && utf8_is_text(text);
}

static bool is_space(struct bytes name)
{
    if (name.size > NAMESPACE_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

bool op_ttl_is_good(uint32_t ttl_ms)
{
    return ttl_ms >= TTL_MS_MIN && ttl_ms <= TTL_MS_MAX;
}

static struct error check_open(const struct registry *r, const struct op *op)
{
    (void) r;
    uint32_t heartbeat_ms = op->as.open.heartbeat_ms;
    if (!is_text(op->as.open.client_name, CLIENT_NAME_BYTES_MAX)) {
        return bad("client_name", "client_name " TEXT_RULE " of 64 bytes");
    }
    if (heartbeat_ms != 0 && (heartbeat_ms < HEARTBEAT_MS_MIN || heartbeat_ms > HEARTBEAT_MS_MAX)) {
        return bad("heartbeat_ms", "heartbeat_ms must be 0 or 100 to 86400000");
    }
    if (op->as.open.resume_session != 0 && op->as.open.resume_secret.size != SECRET_BYTES) {
        return bad("resume_secret", "resume_secret must be the 16 bytes that open gave");
    }
    if (op->as.open.token.size > TOKEN_BYTES_MAX) {
        return bad("token", "token must be at most 256 bytes");
    }
    return fine;
}

static bool is_label(struct bytes label)
{
    return label.size > 0 && is_text(label, LABEL_BYTES_MAX);
}

struct error labels_check(struct labels labels)
{
    if (labels.count > LABELS_MAX) {
        return bad("labels", "labels must be at most 8");
    }
    for (size_t i = 0; i < labels.count; i++) {
        if (!is_label(labels.items[i])) {
            return bad("labels",
                       "labels must be 1 to 64 bytes of UTF-8 without control characters");
        }
        for (size_t other = 0; other < i; other++) {
            if (bytes_equal(labels.items[i], labels.items[other])) {
                return bad("labels", "labels must differ from each other");
            }
        }
    }
    return fine;
}

static struct error check_store(const struct registry *r, const struct op *op)
{
    (void) r;
    if (op->as.store.policy >= POLICY_END) {
        return bad("policy", "policy must be REJECT, SUPERSEDE or JOIN");
    }
    if (op->as.store.ttl_ms != 0 && !op_ttl_is_good(op->as.store.ttl_ms)) {
        return bad("ttl_ms", "ttl_ms must be 0 or 100 to 86400000");
    }
    if (op->as.store.on_expiry >= ON_EXPIRY_END) {
        return bad("on_expiry", "on_expiry must be CANCEL or REAP");
    }
    if (op->as.store.stop_grace_ms > DEADLINE_MS_MAX) {
        return bad("stop_grace_ms", "stop_grace_ms must be at most 86400000");
    }
    if (op->as.store.on_owner_loss >= ON_OWNER_LOSS_END) {
        return bad("on_owner_loss", "on_owner_loss must be REAP or KEEP");
    }
    if (op->as.store.on_owner_loss == ON_OWNER_LOSS_KEEP && op->as.store.ttl_ms == 0) {
        return bad("on_owner_loss", "on_owner_loss KEEP needs a ttl_ms above 0");
    }
    if (op->as.store.meta.size > META_BYTES_MAX) {
        return bad("meta", "meta must be at most 1024 bytes");
    }
    return labels_check(op->as.store.labels);
}

static struct error check_cause_texts(const struct cause *cause)
{
    if (!is_text(cause->text, CAUSE_TEXT_BYTES_MAX)) {
        return bad("cause.text", "cause.text " TEXT_RULE " of 256 bytes");
    }
    if (!is_text(cause->actor, CAUSE_ACTOR_BYTES_MAX)) {
        return bad("cause.actor", "cause.actor " TEXT_RULE " of 64 bytes");
    }
    return fine;
}

static struct error check_adopt(const struct registry *r, const struct op *op)
{
    struct error error = check_store(r, op);
    if (error.code != ERROR_UNSET) {
        return error;
    }
    if (op->gen >> GEN_COUNTER_BITS == 0) {
        return bad("gen", "gen must be one that store gave: it is below the first epoch");
    }
    if (op->as.store.cause_code >= CAUSE_END) {
        return bad("cause.code", "cause.code is none that there is");
    }
    if (!is_text(op->as.store.cause.peer, CAUSE_PEER_BYTES_MAX)) {
        return bad("cause.peer", "cause.peer " TEXT_RULE " of 64 bytes");
    }
    return check_cause_texts(&op->as.store.cause);
}

static struct error check_cause(const struct op *op)
{
    const struct cause *cause = &op->as.cancel.cause;
    if (op->as.cancel.cause_code > CAUSE_DEADLINE) {
        return bad("cause.code", "cause.code must be USER, POLICY, SHUTDOWN or DEADLINE");
    }
    struct error error = check_cause_texts(cause);
    if (error.code != ERROR_UNSET) {
        return error;
    }
    if (cause->peer.size > 0) {
        return bad("cause.peer", "cause.peer is the daemon's to fill in: it must be empty");
    }
    return fine;
}

static bool is_key(struct bytes key)
{
    return key.size > 0 && key.size <= KEY_BYTES_MAX;
}

/* Just one target. The first that is given is it; whatever else is given is out of place. */
static struct error check_target(const struct op *op)
{
    bool key = op->key.size > 0;
    bool label = op->as.cancel.label.size > 0;
    bool owner = op->as.cancel.owner != 0;
    if (key ? !is_key(op->key) : !bulk_is(op)) {
        return bad("key",
                   "key must be 1 to 256 bytes, or label, owner or whole_namespace be given");
    }
    if (label && (key || !is_label(op->as.cancel.label))) {
        return bad("label", "label must be 1 to 64 bytes of UTF-8 without control characters, and "
                            "the only target");
    }
    if (owner && (key || label)) {
        return bad("owner", "owner must be the only target");
    }
    if (op->as.cancel.whole_namespace && (key || label || owner)) {
        return bad("whole_namespace", "whole_namespace must be the only target");
    }
    return fine;
}

/* What goes with a key alone. */
static struct error check_bulk(const struct op *op)
{
    if (op->gen != 0) {
        return bad("gen", "gen goes with a key alone");
    }
    if (op->as.cancel.level > LEVEL_RECORDED) {
        return bad("level", "level must be RECORDED where the target is no key");
    }
    if (op->as.cancel.deadline_ms != 0) {
        return bad("deadline_ms", "deadline_ms goes with a key alone");
    }
    if (op->as.cancel.arm_ttl_ms != 0) {
        return bad("arm_ttl_ms", "arm_ttl_ms goes with a key alone");
    }
    if (op->as.cancel.after_gen != 0) {
        return bad("after_gen", "after_gen goes with a key alone");
    }
    return fine;
}

static struct error check_cancel(const struct registry *r, const struct op *op)
{
    struct error error = check_target(op);
    error = error.code != ERROR_UNSET ? error : check_cause(op);
    if (error.code == ERROR_UNSET && bulk_is(op)) {
        error = check_bulk(op);
    }
    if (error.code != ERROR_UNSET) {
        return error;
    }
    if (op->as.cancel.level >= LEVEL_END) {
        return bad("level", "level must be RECORDED, DELIVERED or STOPPED");
    }
    if (op->as.cancel.deadline_ms > DEADLINE_MS_MAX) {
        return bad("deadline_ms", "deadline_ms must be at most 86400000");
    }
    if (op->as.cancel.arm_ttl_ms > r->limits.finished_ms) {
        return bad("arm_ttl_ms", "arm_ttl_ms must not be longer than the finished memory");
    }
    if (op->gen != 0 && op->as.cancel.arm_ttl_ms != 0) {
        return bad("arm_ttl_ms", "arm_ttl_ms goes with a key alone, not with a gen");
    }
    if (op->gen != 0 && op->as.cancel.after_gen != 0) {
        return bad("after_gen", "after_gen goes with a key alone, not with a gen");
    }
    return fine;
}

static struct error check_delete(const struct registry *r, const struct op *op)
{
    (void) r;
    if (op->as.delete.outcome < OUTCOME_COMPLETED || op->as.delete.outcome > OUTCOME_CANCELLED) {
        return bad("outcome", "outcome must be COMPLETED, FAILED or CANCELLED");
    }
    return fine;
}

static struct error check_touch(const struct registry *r, const struct op *op)
{
    (void) r;
    return op_ttl_is_good(op->as.touch.ttl_ms) ? fine
                                               : bad("ttl_ms", "ttl_ms must be 100 to 86400000");
}

static struct error check_poll(const struct registry *r, const struct op *op)
{
    (void) r;
    return op->as.poll.acks_count <= POLL_ACKS_MAX ? fine
                                                   : bad("acks", "acks must be at most 1024");
}

static struct error check_wait(const struct registry *r, const struct op *op)
{
    (void) r;
    if (op->as.wait.until == UNTIL_UNSET || op->as.wait.until >= UNTIL_END) {
        return bad("until", "until must be CANCELLING or ENDED");
    }
    if (op->as.wait.deadline_ms > DEADLINE_MS_MAX) {
        return bad("deadline_ms", "deadline_ms must be at most 86400000");
    }
    return fine;
}

static struct error check_list(const struct registry *r, const struct op *op)
{
    (void) r;
    if (op->as.list.state >= STATE_END) {
        return bad("state", "state must be LIVE, CANCELLING or ENDED");
    }
    if (op->as.list.page_size > PAGE_ITEMS_MAX) {
        return bad("page_size", "page_size must be at most 1000");
    }
    if (op->as.list.order >= LIST_ORDER_END) {
        return bad("order", "order must be OLDEST or UNACKNOWLEDGED");
    }
    if (op->as.list.order != LIST_ORDER_NONE && op->as.list.cursor != 0) {
        return bad("cursor", "cursor must be 0 with an order: its first page is all there is");
    }
    if (op->as.list.order != LIST_ORDER_NONE && op->as.list.state == STATE_ENDED) {
        return bad("state", "state must be LIVE or CANCELLING with an order");
    }
    return labels_check(op->as.list.labels);
}

static struct error check_drain(const struct registry *r, const struct op *op)
{
    (void) r;
    if (op->as.drain.daemon && op->space.size > 0) {
        return bad("namespace", "namespace must not be given with daemon");
    }
    if (op->as.drain.daemon && op->as.drain.owner != 0) {
        return bad("owner", "owner must not be given with daemon");
    }
    if (op->as.drain.deadline_ms > DEADLINE_MS_MAX) {
        return bad("deadline_ms", "deadline_ms must be at most 86400000");
    }
    if (!is_text(op->as.drain.cause.text, CAUSE_TEXT_BYTES_MAX)) {
        return bad("text", "text " TEXT_RULE " of 256 bytes");
    }
    if (!is_text(op->as.drain.cause.actor, CAUSE_ACTOR_BYTES_MAX)) {
        return bad("actor", "actor " TEXT_RULE " of 64 bytes");
    }
    return fine;
}

static struct error check_history(const struct registry *r, const struct op *op)
{
    (void) r;
    if (op->key.size > KEY_BYTES_MAX) {
        return bad("key", "key must be at most 256 bytes, or empty for any");
    }
    if (op->as.list.page_size > HISTORY_ITEMS_MAX) {
        return bad("page_size", "page_size must be at most 1000");
    }
    return fine;
}

/* What each kind names, and its own check. */
static const struct {
    bool space;
    bool key;
    bool gen; /* required */
    struct error (*check)(const struct registry *r, const struct op *op);
} rules[OP_END] = {
    [OP_OPEN] = {.space = true, .check = check_open},
    [OP_STORE] = {.space = true, .key = true, .check = check_store},
    [OP_CANCEL] = {.space = true, .check = check_cancel},
    [OP_DELETE] = {.space = true, .key = true, .gen = true, .check = check_delete},
    [OP_TOUCH] = {.space = true, .key = true, .gen = true, .check = check_touch},
    [OP_POLL] = {.check = check_poll},
    [OP_WAIT] = {.space = true, .key = true, .check = check_wait},
    [OP_GET] = {.space = true, .key = true},
    [OP_LIST] = {.space = true, .check = check_list},
    [OP_COUNT] = {.space = true, .check = check_list},
    [OP_ARMED] = {.space = true},
    [OP_DISARM] = {.space = true, .key = true},
    [OP_ADOPT] = {.space = true, .key = true, .gen = true, .check = check_adopt},
    [OP_DETACH] = {.space = true, .key = true, .gen = true},
    [OP_WATCH] = {.space = true},
    [OP_DRAIN] = {.space = true, .check = check_drain},
    [OP_UNDRAIN] = {.space = true, .check = check_drain},
    [OP_HISTORY] = {.space = true, .check = check_history},
};

struct error op_check(const struct registry *r, const struct op *op)
{
    if (rules[op->kind].space && !is_space(op->space)) {
        return bad("namespace", "namespace must be 1 to 64 bytes of [A-Za-z0-9._-]");
    }
    if (rules[op->kind].key && !is_key(op->key)) {
        return bad("key", "key must be 1 to 256 bytes");
    }
    if (rules[op->kind].gen && op->gen == 0) {
        return bad("gen", "gen must be named");
    }
    return rules[op->kind].check == NULL ? fine : rules[op->kind].check(r, op);
}
