/* SPDX-License-Identifier: MIT */
/* Fields that are out of their range. */
#include "model/script.h"

#include <string.h>

/* Long enough for every bound, and one more. */
static const uint8_t *pool(void)
{
    static uint8_t bytes[2048];
    memset(bytes, 'x', sizeof bytes);
    return bytes;
}

static const char letters[] =
    "a sentence of the sort that people write beside a cancel, long enough to be cut anywhere: "
    "a sentence of the sort that people write beside a cancel, long enough to be cut anywhere: "
    "a sentence of the sort that people write beside a cancel, long enough to be cut anywhere: ";

/* ---- nonsense ---- */

static struct bytes bad_text(struct script *script, size_t size_max)
{
    static const char *const texts[] = {"a\nline",      "\xff",     "cut \xc3",
                                        "\xed\xa0\x80", "\xc0\x80", "\x7f"};
    uint64_t number = script_below(script, 7);
    return number < 6 ? bytes_of_string(texts[number]) : bytes_of(letters, size_max + 1);
}

static void spoil_cause(struct script *script, struct op *op)
{
    switch (script_below(script, 4)) {
    case 0:
        op->as.cancel.cause_code = CAUSE_SUPERSEDED + (uint32_t) script_below(script, 5);
        break;
    case 1:
        op->as.cancel.cause.text = bad_text(script, CAUSE_TEXT_BYTES_MAX);
        break;
    case 2:
        op->as.cancel.cause.actor = bad_text(script, CAUSE_ACTOR_BYTES_MAX);
        break;
    default:
        op->as.cancel.cause.peer = bytes_of_string("uid 0");
        break;
    }
}

/* A gen, and what must not stand beside one. */
static void spoil_gen(struct script *script, struct op *op)
{
    bool arms = script_percent(script, 50);
    op->gen = op->gen != 0 ? op->gen : script->model->gen_newest;
    op->as.cancel.after_gen = arms ? 0 : 1;
    op->as.cancel.arm_ttl_ms = arms ? 100 : 0;
}

/* Two targets, none, one that is no text, or what does not go with many. */
static void spoil_target(struct script *script, struct op *op)
{
    bool is_bulk = op->key.size == 0;
    switch (script_below(script, 5)) {
    case 0:
        op->key = (struct bytes){0};
        op->as.cancel.label = (struct bytes){0};
        op->as.cancel.owner = 0;
        op->as.cancel.whole_namespace = false;
        break;
    case 1:
        op->as.cancel.label = bad_text(script, LABEL_BYTES_MAX);
        break;
    case 2:
        op->as.cancel.owner = 7;
        op->as.cancel.whole_namespace = true;
        break;
    case 3:
        op->as.cancel.label = script_label(script);
        break;
    default:
        op->gen = is_bulk ? 1 : op->gen;
        break;
    }
}

static void spoil_cancel(struct script *script, struct op *op)
{
    if (op->key.size == 0 || script_percent(script, 10)) {
        spoil_target(script, op);
        return;
    }
    if (op->as.cancel.level > LEVEL_RECORDED && script_percent(script, 20)) {
        op->as.cancel.level = LEVEL_END;
        return;
    }
    switch (script_below(script, 4)) {
    case 0:
        op->as.cancel.deadline_ms = DEADLINE_MS_MAX + 1;
        break;
    case 1:
        op->as.cancel.arm_ttl_ms = (uint32_t) script->limits.finished_ms + 1;
        break;
    case 2:
        spoil_gen(script, op);
        break;
    default:
        spoil_cause(script, op);
        break;
    }
}

static void spoil_store(struct script *script, struct op *op)
{
    switch (script_below(script, 9)) {
    case 7:
    case 8:
        op->as.store.labels = script_bad_labels(script);
        break;
    case 0:
        op->as.store.policy = POLICY_END + (uint32_t) script_below(script, 99);
        break;
    case 1:
        op->as.store.ttl_ms = script_percent(script, 50) ? 1 : UINT32_MAX;
        break;
    case 2:
        op->as.store.on_expiry = ON_EXPIRY_END;
        break;
    case 3:
        op->as.store.stop_grace_ms = TTL_MS_MAX + 1;
        break;
    case 4:
        op->as.store.on_owner_loss = ON_OWNER_LOSS_END;
        break;
    case 5:
        op->as.store.ttl_ms = 0;
        op->as.store.on_owner_loss = ON_OWNER_LOSS_KEEP;
        break;
    default:
        op->as.store.meta = bytes_of(pool(), META_BYTES_MAX + 1);
        break;
    }
}

static void spoil_open(struct script *script, struct op *op)
{
    switch (script_below(script, 4)) {
    case 3:
        op->as.open.token = bytes_of(pool(), TOKEN_BYTES_MAX + 1);
        break;
    case 0:
        op->as.open.client_name = bad_text(script, CLIENT_NAME_BYTES_MAX);
        break;
    case 1:
        op->as.open.heartbeat_ms = script_percent(script, 50) ? 99 : HEARTBEAT_MS_MAX + 1;
        break;
    default:
        op->as.open.resume_session = 77;
        op->as.open.resume_secret = bytes_of(letters, 15);
        break;
    }
}

static void spoil_adopt(struct script *script, struct op *op)
{
    switch (script_below(script, 5)) {
    case 0:
        op->as.store.cause_code = CAUSE_END;
        break;
    case 1:
        op->as.store.cause.text = bad_text(script, CAUSE_TEXT_BYTES_MAX);
        break;
    case 2:
        op->as.store.cause.actor = bad_text(script, CAUSE_ACTOR_BYTES_MAX);
        break;
    case 3:
        op->gen = 0;
        break;
    default:
        spoil_store(script, op);
        break;
    }
}

static void spoil_drain(struct script *script, struct op *op)
{
    switch (script_below(script, 5)) {
    case 0:
        op->as.drain.deadline_ms = DEADLINE_MS_MAX + 1;
        break;
    case 1:
        op->as.drain.cause.text = bad_text(script, CAUSE_TEXT_BYTES_MAX);
        break;
    case 2:
        op->as.drain.cause.actor = bad_text(script, CAUSE_ACTOR_BYTES_MAX);
        break;
    case 3:
        op->as.drain.daemon = true;
        op->space = bytes_of_string("a");
        op->as.drain.owner = 0;
        break;
    default:
        op->as.drain.daemon = true;
        op->space = (struct bytes){0};
        op->as.drain.owner = 5;
        break;
    }
}

static void spoil_own(struct script *script, struct op *op)
{
    switch (op->kind) {
    case OP_OPEN:
        spoil_open(script, op);
        break;
    case OP_STORE:
        spoil_store(script, op);
        break;
    case OP_CANCEL:
        spoil_cancel(script, op);
        break;
    case OP_DELETE:
        op->as.delete.outcome = script_percent(script, 50) ? 0 : OUTCOME_EXPIRED;
        break;
    case OP_TOUCH:
        op->as.touch.ttl_ms = script_percent(script, 50) ? 0 : TTL_MS_MAX + 1;
        break;
    case OP_WAIT:
        op->as.wait.until = script_percent(script, 50) ? 0 : UNTIL_END;
        break;
    case OP_LIST:
    case OP_HISTORY:
        if (op->kind == OP_LIST && script_percent(script, 50)) {
            op->as.list.order = LIST_ORDER_END;
        } else {
            op->as.list.page_size = 1001;
        }
        break;
    case OP_COUNT:
        op->as.list.state = script_percent(script, 50) ? STATE_END : op->as.list.state;
        op->as.list.labels = script_bad_labels(script);
        break;
    case OP_ADOPT:
        spoil_adopt(script, op);
        break;
    case OP_DRAIN:
        spoil_drain(script, op);
        break;
    default:
        op->space = bytes_of_string("no spaces");
        break;
    }
}

void script_spoil(struct script *script, struct op *op)
{
    bool has_key = op->key.size > 0;
    bool has_gen = op->kind == OP_DELETE || op->kind == OP_TOUCH || op->kind == OP_DETACH;
    switch (script_below(script, 8)) {
    case 0:
        op->space = bytes_of_string(script_percent(script, 50) ? "no spaces" : "sl/ash");
        break;
    case 1:
        op->space = bytes_of(letters, 0);
        op->key = has_key ? bytes_of(pool(), 0) : op->key;
        break;
    case 2:
        op->key = has_key ? bytes_of(pool(), KEY_BYTES_MAX + 1) : op->key;
        break;
    case 3:
        op->gen = has_gen ? 0 : op->gen;
        break;
    default:
        spoil_own(script, op);
        break;
    }
}
