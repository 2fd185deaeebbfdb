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
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

static bool is_ttl(uint32_t ttl_ms)
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
    return fine;
}

static struct error check_store(const struct registry *r, const struct op *op)
{
    (void) r;
    if (op->as.store.policy >= POLICY_END) {
        return bad("policy", "policy must be REJECT, SUPERSEDE or JOIN");
    }
    if (op->as.store.ttl_ms != 0 && !is_ttl(op->as.store.ttl_ms)) {
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
    return fine;
}

static struct error check_cause(const struct op *op)
{
    const struct cause *cause = &op->as.cancel.cause;
    if (op->as.cancel.cause_code > CAUSE_DEADLINE) {
        return bad("cause.code", "cause.code must be USER, POLICY, SHUTDOWN or DEADLINE");
    }
    if (!is_text(cause->text, CAUSE_TEXT_BYTES_MAX)) {
        return bad("cause.text", "cause.text " TEXT_RULE " of 256 bytes");
    }
    if (!is_text(cause->actor, CAUSE_ACTOR_BYTES_MAX)) {
        return bad("cause.actor", "cause.actor " TEXT_RULE " of 64 bytes");
    }
    if (cause->peer.size > 0) {
        return bad("cause.peer", "cause.peer is the daemon's to fill in: it must be empty");
    }
    return fine;
}

static struct error check_cancel(const struct registry *r, const struct op *op)
{
    struct error error = check_cause(op);
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
    return is_ttl(op->as.touch.ttl_ms) ? fine : bad("ttl_ms", "ttl_ms must be 100 to 86400000");
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
    [OP_CANCEL] = {.space = true, .key = true, .check = check_cancel},
    [OP_DELETE] = {.space = true, .key = true, .gen = true, .check = check_delete},
    [OP_TOUCH] = {.space = true, .key = true, .gen = true, .check = check_touch},
    [OP_POLL] = {.check = check_poll},
    [OP_WAIT] = {.space = true, .key = true, .check = check_wait},
    [OP_GET] = {.space = true, .key = true},
    [OP_LIST] = {.space = true, .check = check_list},
    [OP_COUNT] = {.space = true, .check = check_list},
    [OP_ARMED] = {.space = true},
    [OP_DISARM] = {.space = true, .key = true},
};

struct error op_check(const struct registry *r, const struct op *op)
{
    if (rules[op->kind].space && !is_space(op->space)) {
        return bad("namespace", "namespace must be 1 to 64 bytes of [A-Za-z0-9._-]");
    }
    if (rules[op->kind].key && (op->key.size == 0 || op->key.size > KEY_BYTES_MAX)) {
        return bad("key", "key must be 1 to 256 bytes");
    }
    if (rules[op->kind].gen && op->gen == 0) {
        return bad("gen", "gen must be named");
    }
    return rules[op->kind].check == NULL ? fine : rules[op->kind].check(r, op);
}
