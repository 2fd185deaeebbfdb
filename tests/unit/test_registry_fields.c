/* SPDX-License-Identifier: MIT */
/* The fields of ops about groups, restarts and the audit trail: what is out of its range is told by
 * its name. */
#include "registry_rig.h"
#include "testing.h"

#include <string.h>

static struct rig rig;
static uint64_t ids;

#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *) (text), sizeof(text) - 1                                                 \
    }

static uint64_t ids; /* request ids rise over all sessions: that is allowed */

#define LABELS(...)                                                                                \
    ((struct labels){(const struct bytes[]){__VA_ARGS__},                                          \
                     sizeof((const struct bytes[]){__VA_ARGS__}) / sizeof(struct bytes)})
#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *) (text), sizeof(text) - 1                                                 \
    }

static struct bytes text(const char *string)
{
    return bytes_of_string(string);
}

static struct seen ask(uint64_t session, struct op op)
{
    return rig_ask(&rig, 1, session, session == 0 ? 0 : ++ids, op);
}

static struct op cancel_label(const char *label)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.label = text(label)};
}

static struct op cancel_owner(uint64_t session)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.owner = session};
}

static struct op cancel_space(void)
{
    return (struct op){.kind = OP_CANCEL, .as.cancel.whole_namespace = true};
}

static const struct bytes nine[] = {B("1"), B("2"), B("3"), B("4"), B("5"),
                                    B("6"), B("7"), B("8"), B("9")};
static const struct bytes twice[] = {B("same"), B("other"), B("same")};
static const struct bytes empty[] = {{NULL, 0}};
static const struct bytes control[] = {B("a\nb")};
static const struct bytes broken[] = {B("\xff")};
static uint8_t longest[KEY_BYTES_MAX + 1];
static const struct bytes too_long[] = {{longest, LABEL_BYTES_MAX + 1}};

static struct op labelled(const struct bytes *labels, size_t labels_count)
{
    struct op op = rig_store("k", POLICY_REJECT);
    op.as.store.labels = (struct labels){labels, labels_count};
    return op;
}

static struct op both(struct op op, const char *key, const char *label, uint64_t owner)
{
    op.key = text(key);
    op.as.cancel.label = text(label);
    op.as.cancel.owner = owner;
    return op;
}

static void a_bad_label_is_told(void)
{
    memset(longest, 'x', sizeof longest);
    rig_init(&rig, NULL, 1);
    uint64_t session = rig_open(&rig, 1, 0);
    const struct op bad[] = {labelled(nine, 9),    labelled(twice, 3),  labelled(empty, 1),
                             labelled(control, 1), labelled(broken, 1), labelled(too_long, 1)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_STR_EQ(ask(session, bad[i]).field, "labels");
        struct op list = {.kind = OP_LIST, .as.list.labels = bad[i].as.store.labels};
        CHECK_STR_EQ(ask(0, list).field, "labels");
        list.kind = OP_COUNT;
        CHECK_STR_EQ(ask(0, list).field, "labels");
        list = bad[i];
        list.kind = OP_ADOPT;
        list.gen = 1;
        CHECK_STR_EQ(ask(session, list).field, "labels");
    }
    struct op eight = labelled(nine, 8);
    CHECK_EQ(ask(session, eight).answer, ANSWER_STORED);
    rig_fini(&rig);
}

static void check_field(struct op op, const char *field)
{
    struct seen seen = ask(0, op);
    CHECK_EQ(seen.answer, ANSWER_ERROR);
    CHECK_EQ(seen.error, ERROR_FIELD);
    CHECK_STR_EQ(seen.field, field);
}

static void a_cancel_has_just_one_target(void)
{
    memset(longest, 'x', sizeof longest);
    rig_init(&rig, NULL, 1);
    struct op none = {.kind = OP_CANCEL};
    check_field(none, "key");
    check_field(both(none, "k", "l", 0), "label");
    check_field(both(none, "k", "", 1), "owner");
    check_field(both(none, "", "l", 1), "owner");
    check_field(both(cancel_space(), "k", "", 0), "whole_namespace");
    check_field(both(cancel_space(), "", "l", 0), "whole_namespace");
    check_field(both(cancel_space(), "", "", 1), "whole_namespace");
    check_field(cancel_label("a\x01"), "label");
    struct op op = cancel_label("l");
    op.as.cancel.label = too_long[0];
    check_field(op, "label");
    op = cancel_label("l");
    op.gen = 1;
    check_field(op, "gen");
    op = cancel_label("l");
    op.as.cancel.level = LEVEL_DELIVERED;
    check_field(op, "level");
    op = cancel_label("l");
    op.as.cancel.deadline_ms = 1;
    check_field(op, "deadline_ms");
    op = cancel_owner(5);
    op.as.cancel.arm_ttl_ms = 1;
    check_field(op, "arm_ttl_ms");
    op = cancel_space();
    op.as.cancel.after_gen = 1;
    check_field(op, "after_gen");
    op = cancel_space();
    op.as.cancel.cause_code = CAUSE_PARENT;
    check_field(op, "cause.code");
    rig_fini(&rig);
}

static void other_fields_have_their_ranges(void)
{
    memset(longest, 'x', sizeof longest);
    rig_init(&rig, NULL, 1);
    struct op op = {.kind = OP_OPEN, .as.open.token = {longest, TOKEN_BYTES_MAX + 1}};
    check_field(op, "token");
    op = (struct op){.kind = OP_LIST, .as.list.order = LIST_ORDER_END};
    check_field(op, "order");
    op.as.list = (__typeof__(op.as.list)){.order = LIST_ORDER_OLDEST, .cursor = 1};
    check_field(op, "cursor");
    op.as.list = (__typeof__(op.as.list)){.order = LIST_ORDER_OLDEST, .state = STATE_ENDED};
    check_field(op, "state");
    op = (struct op){.kind = OP_HISTORY, .key = bytes_of(longest, KEY_BYTES_MAX + 1)};
    check_field(op, "key");
    op = (struct op){.kind = OP_HISTORY, .as.list.page_size = HISTORY_ITEMS_MAX + 1};
    check_field(op, "page_size");
    uint64_t session = rig_open(&rig, 1, 0);
    op = (struct op){.kind = OP_ADOPT, .key = text("k")};
    CHECK_STR_EQ(ask(session, op).field, "gen");
    op.gen = 1; /* of no epoch */
    CHECK_STR_EQ(ask(session, op).field, "gen");
    op.gen = RIG_EARLIER(1);
    op.as.store.cause_code = CAUSE_END;
    CHECK_STR_EQ(ask(session, op).field, "cause.code");
    op.as.store.cause_code = CAUSE_PARENT;
    op.as.store.cause.peer = bytes_of(longest, CAUSE_PEER_BYTES_MAX + 1);
    CHECK_STR_EQ(ask(session, op).field, "cause.peer");
    op.as.store.cause.peer = (struct bytes){0};
    op.as.store.cause.text = control[0];
    CHECK_STR_EQ(ask(session, op).field, "cause.text");
    op = (struct op){.kind = OP_DETACH, .key = text("k")};
    CHECK_STR_EQ(ask(session, op).field, "gen");
    CHECK_STR_EQ(ask(session, (struct op){.kind = OP_OPEN}).field, "session");
    rig_fini(&rig);
}

static const struct test_case cases[] = {
    {"a bad label is told by the field's name, wherever it comes", a_bad_label_is_told},
    {"a cancel has just one target, and what goes with it", a_cancel_has_just_one_target},
    {"other fields have their ranges", other_fields_have_their_ranges},
};

TEST_MAIN(cases)
