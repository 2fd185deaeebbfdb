/* SPDX-License-Identifier: MIT */
/* Requests that are right: every field comes through. */
#include "codec_rig.h"

/* ---- requests that are right ---- */

static void the_numbers_of_a_frame(void)
{
    struct codec *codec = codec_of_case();
    uint64_t answered[] = {3, UINT64_MAX, 9};
    Canceld__V1__Frame from;
    canceld__v1__frame__init(&from);
    from.version = 1;
    from.session = UINT64_MAX;
    from.request_id = UINT64_C(1) << 63;
    from.answered_below = 77;
    from.answered = answered;
    from.n_answered = 3;
    struct frame frame;
    CHECK_EQ(codec_decode(codec, pack_frame(&from), &frame), ERROR_UNSET);
    CHECK_EQ(frame.version, 1);
    CHECK(frame.session == UINT64_MAX);
    CHECK(frame.request_id == UINT64_C(1) << 63);
    CHECK_EQ(frame.answered_below, 77);
    CHECK_EQ(frame.answered_count, 3);
    CHECK(memcmp(frame.answered, answered, sizeof answered) == 0);
    CHECK_EQ(frame.ops_count, 0);
    codec_free(codec);
}

static void a_whole_open(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Open open;
    canceld__v1__open__init(&open);
    open.namespace_ = DATA("space");
    open.client_name = DATA("na\0me");
    open.heartbeat_ms = 1500;
    open.resume_session = UINT64_C(0xfedcba9876543210);
    open.resume_secret = DATA("0123456789abcde\0");
    open.token = DATA("to\0ken");
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_OPEN;
    op.open = &open;
    struct frame frame;
    CHECK_EQ(codec_decode(codec, pack_ops(&op, 1), &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops_count, 1);
    const struct op *got = &frame.ops[0];
    CHECK_EQ(got->kind, OP_OPEN);
    CHECK_TEXT(got->space, "space");
    CHECK_TEXT(got->as.open.client_name, "na\0me");
    CHECK_EQ(got->as.open.heartbeat_ms, 1500);
    CHECK(got->as.open.resume_session == UINT64_C(0xfedcba9876543210));
    CHECK_TEXT(got->as.open.resume_secret, "0123456789abcde\0");
    CHECK_TEXT(got->as.open.token, "to\0ken");
    codec_free(codec);
}

static void a_whole_store(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Store store;
    canceld__v1__store__init(&store);
    store.namespace_ = DATA("space");
    store.key = DATA("\0key\xff");
    store.policy = CANCELD__V1__POLICY__POLICY_JOIN;
    store.ttl_ms = 60000;
    store.on_expiry = CANCELD__V1__ON_EXPIRY__ON_EXPIRY_REAP;
    store.stop_grace_ms = 250;
    store.on_owner_loss = CANCELD__V1__ON_OWNER_LOSS__ON_OWNER_LOSS_KEEP;
    store.meta = DATA("{\0}");
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_STORE;
    op.store = &store;
    struct frame frame;
    CHECK_EQ(codec_decode(codec, pack_ops(&op, 1), &frame), ERROR_UNSET);
    const struct op *got = &frame.ops[0];
    CHECK_EQ(got->kind, OP_STORE);
    CHECK_TEXT(got->space, "space");
    CHECK_TEXT(got->key, "\0key\xff");
    CHECK_EQ(got->as.store.policy, POLICY_JOIN);
    CHECK_EQ(got->as.store.ttl_ms, 60000);
    CHECK_EQ(got->as.store.on_expiry, ON_EXPIRY_REAP);
    CHECK_EQ(got->as.store.stop_grace_ms, 250);
    CHECK_EQ(got->as.store.on_owner_loss, ON_OWNER_LOSS_KEEP);
    CHECK_TEXT(got->as.store.meta, "{\0}");
    codec_free(codec);
}

static void a_whole_cancel(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Cause cause;
    canceld__v1__cause__init(&cause);
    cause.code = CANCELD__V1__CAUSE_CODE__CAUSE_POLICY;
    cause.text = DATA("too slow");
    cause.actor = DATA("alice");
    cause.peer = DATA("forged");
    Canceld__V1__Cancel cancel;
    canceld__v1__cancel__init(&cancel);
    cancel.namespace_ = DATA("space");
    cancel.key = DATA("key");
    cancel.gen = 41;
    cancel.cause = &cause;
    cancel.level = CANCELD__V1__LEVEL__LEVEL_STOPPED;
    cancel.deadline_ms = 42;
    cancel.arm_ttl_ms = 43;
    cancel.after_gen = 44;
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_CANCEL;
    op.cancel = &cancel;
    struct frame frame;
    CHECK_EQ(codec_decode(codec, pack_ops(&op, 1), &frame), ERROR_UNSET);
    const struct op *got = &frame.ops[0];
    CHECK_EQ(got->kind, OP_CANCEL);
    CHECK_TEXT(got->space, "space");
    CHECK_TEXT(got->key, "key");
    CHECK_EQ(got->gen, 41);
    CHECK_EQ(got->as.cancel.cause_code, CAUSE_POLICY);
    CHECK_EQ(got->as.cancel.cause.code, CAUSE_UNSET);
    CHECK_TEXT(got->as.cancel.cause.text, "too slow");
    CHECK_TEXT(got->as.cancel.cause.actor, "alice");
    CHECK_TEXT(got->as.cancel.cause.peer, "forged");
    CHECK_EQ(got->as.cancel.level, LEVEL_STOPPED);
    CHECK_EQ(got->as.cancel.deadline_ms, 42);
    CHECK_EQ(got->as.cancel.arm_ttl_ms, 43);
    CHECK_EQ(got->as.cancel.after_gen, 44);
    codec_free(codec);
}

static void a_whole_delete_and_touch(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Delete delete;
    canceld__v1__delete__init(&delete);
    delete.namespace_ = DATA("d-space");
    delete.key = DATA("d-key");
    delete.gen = 1;
    delete.outcome = CANCELD__V1__OUTCOME__OUTCOME_FAILED;
    Canceld__V1__Touch touch;
    canceld__v1__touch__init(&touch);
    touch.namespace_ = DATA("t-space");
    touch.key = DATA("t-key");
    touch.gen = 2;
    touch.ttl_ms = 1000;
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_DELETE;
    op.delete_ = &delete;
    struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_DELETE);
    CHECK_TEXT(got.space, "d-space");
    CHECK_TEXT(got.key, "d-key");
    CHECK_EQ(got.gen, 1);
    CHECK_EQ(got.as.delete.outcome, OUTCOME_FAILED);
    op.op_case = CANCELD__V1__OP__OP_TOUCH;
    op.touch = &touch;
    got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_TOUCH);
    CHECK_TEXT(got.space, "t-space");
    CHECK_TEXT(got.key, "t-key");
    CHECK_EQ(got.gen, 2);
    CHECK_EQ(got.as.touch.ttl_ms, 1000);
    codec_free(codec);
}

static void a_whole_wait(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Wait wait;
    canceld__v1__wait__init(&wait);
    wait.namespace_ = DATA("w-space");
    wait.key = DATA("w-key");
    wait.gen = 3;
    wait.until = CANCELD__V1__UNTIL__UNTIL_ENDED;
    wait.deadline_ms = 2000;
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_WAIT;
    op.wait = &wait;
    const struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_WAIT);
    CHECK_TEXT(got.space, "w-space");
    CHECK_TEXT(got.key, "w-key");
    CHECK_EQ(got.gen, 3);
    CHECK_EQ(got.as.wait.until, UNTIL_ENDED);
    CHECK_EQ(got.as.wait.deadline_ms, 2000);
    codec_free(codec);
}

static void a_whole_get_and_disarm(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Get get;
    canceld__v1__get__init(&get);
    get.namespace_ = DATA("g-space");
    get.key = DATA("g-key");
    get.gen = 4;
    Canceld__V1__Disarm disarm;
    canceld__v1__disarm__init(&disarm);
    disarm.namespace_ = DATA("x-space");
    disarm.key = DATA("x-key");
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_GET;
    op.get = &get;
    struct op got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_GET);
    CHECK_TEXT(got.space, "g-space");
    CHECK_TEXT(got.key, "g-key");
    CHECK_EQ(got.gen, 4);
    op.op_case = CANCELD__V1__OP__OP_DISARM;
    op.disarm = &disarm;
    got = decode_one(codec, &op);
    CHECK_EQ(got.kind, OP_DISARM);
    CHECK_TEXT(got.space, "x-space");
    CHECK_TEXT(got.key, "x-key");
    codec_free(codec);
}

static void the_ops_that_ask(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__List list;
    canceld__v1__list__init(&list);
    list.namespace_ = DATA("l-space");
    list.state = CANCELD__V1__STATE__STATE_CANCELLING;
    list.owner = 91;
    list.cursor = 92;
    list.page_size = 93;
    Canceld__V1__Count count;
    canceld__v1__count__init(&count);
    count.namespace_ = DATA("c-space");
    count.state = CANCELD__V1__STATE__STATE_LIVE;
    count.owner = 94;
    Canceld__V1__Armed armed;
    canceld__v1__armed__init(&armed);
    armed.namespace_ = DATA("a-space");
    armed.cursor = 95;
    Canceld__V1__Op ops[3];
    Canceld__V1__Op *rows[3];
    for (size_t i = 0; i < 3; i++) {
        canceld__v1__op__init(&ops[i]);
        rows[i] = &ops[i];
    }
    ops[0].op_case = CANCELD__V1__OP__OP_LIST;
    ops[0].list = &list;
    ops[1].op_case = CANCELD__V1__OP__OP_COUNT;
    ops[1].count = &count;
    ops[2].op_case = CANCELD__V1__OP__OP_ARMED;
    ops[2].armed = &armed;
    Canceld__V1__Frame from;
    canceld__v1__frame__init(&from);
    from.version = 1;
    from.n_ops = 3;
    from.ops = rows;
    struct frame frame;
    CHECK_EQ(codec_decode(codec, pack_frame(&from), &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops[0].kind, OP_LIST);
    CHECK_TEXT(frame.ops[0].space, "l-space");
    CHECK_EQ(frame.ops[0].as.list.state, STATE_CANCELLING);
    CHECK_EQ(frame.ops[0].as.list.owner, 91);
    CHECK_EQ(frame.ops[0].as.list.cursor, 92);
    CHECK_EQ(frame.ops[0].as.list.page_size, 93);
    CHECK_EQ(frame.ops[1].kind, OP_COUNT);
    CHECK_TEXT(frame.ops[1].space, "c-space");
    CHECK_EQ(frame.ops[1].as.list.state, STATE_LIVE);
    CHECK_EQ(frame.ops[1].as.list.owner, 94);
    CHECK_EQ(frame.ops[2].kind, OP_ARMED);
    CHECK_TEXT(frame.ops[2].space, "a-space");
    CHECK_EQ(frame.ops[2].as.list.cursor, 95);
    codec_free(codec);
}

static Canceld__V1__NoticeAck ack_room[8192];
static Canceld__V1__NoticeAck *ack_list[8192];

/* A poll with `count` acks: of gens as they are, or of gen 0 and no kind, which are two bytes each.
 */
static struct bytes pack_poll(size_t count, bool bare)
{
    for (size_t i = 0; i < count; i++) {
        canceld__v1__notice_ack__init(&ack_room[i]);
        ack_room[i].gen = bare ? 0 : (UINT64_C(1) << 40) + i;
        ack_room[i].kind = bare ? 0 : CANCELD__V1__NOTICE_KIND__NOTICE_ENDED;
        ack_list[i] = &ack_room[i];
    }
    Canceld__V1__Poll poll;
    canceld__v1__poll__init(&poll);
    poll.acks = ack_list;
    poll.n_acks = count;
    poll.after = 12;
    poll.wait_ms = 13;
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_POLL;
    op.poll = &poll;
    return pack_ops(&op, 1);
}

static void a_poll_with_all_its_acks(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    for (size_t bare = 0; bare < 2; bare++) {
        CHECK_EQ(codec_decode(codec, pack_poll(POLL_ACKS_MAX, bare != 0), &frame), ERROR_UNSET);
        CHECK_EQ(frame.ops[0].kind, OP_POLL);
        CHECK_EQ(frame.ops[0].as.poll.acks_count, POLL_ACKS_MAX);
        CHECK_EQ(frame.ops[0].as.poll.after, 12);
        CHECK_EQ(frame.ops[0].as.poll.wait_ms, 13);
    }
    CHECK_EQ(codec_decode(codec, pack_poll(POLL_ACKS_MAX, false), &frame), ERROR_UNSET);
    for (size_t i = 0; i < POLL_ACKS_MAX; i++) {
        CHECK_EQ(frame.ops[0].as.poll.acks[i].gen, (UINT64_C(1) << 40) + i);
        CHECK_EQ(frame.ops[0].as.poll.acks[i].kind, NOTICE_ENDED);
    }
    codec_free(codec);
}

static void too_many_acks_are_cut_to_one_too_many(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    const size_t counts[] = {POLL_ACKS_MAX + 1, 2000, 4000, 5400};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const struct bytes body = pack_poll(counts[i], false);
        CHECK_LE(body.size, FRAME_BYTES_MAX);
        CHECK_EQ(codec_decode(codec, body, &frame), ERROR_UNSET);
        CHECK_EQ(frame.ops[0].as.poll.acks_count, POLL_ACKS_MAX + 1);
        CHECK_EQ(frame.ops[0].as.poll.acks[POLL_ACKS_MAX].gen, (UINT64_C(1) << 40) + POLL_ACKS_MAX);
    }
    codec_free(codec);
}

static void ops_without_fields(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Ping ping;
    canceld__v1__ping__init(&ping);
    Canceld__V1__Stats stats;
    canceld__v1__stats__init(&stats);
    Canceld__V1__Close close;
    canceld__v1__close__init(&close);
    Canceld__V1__Op op;
    struct frame frame;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_PING;
    op.ping = &ping;
    CHECK_EQ(codec_decode(codec, pack_ops(&op, 1), &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops[0].kind, OP_PING);
    op.op_case = CANCELD__V1__OP__OP_STATS;
    op.stats = &stats;
    CHECK_EQ(codec_decode(codec, pack_ops(&op, 1), &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops[0].kind, OP_STATS);
    op.op_case = CANCELD__V1__OP__OP_CLOSE;
    op.close = &close;
    CHECK_EQ(codec_decode(codec, pack_ops(&op, 1), &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops[0].kind, OP_CLOSE);
    codec_free(codec);
}

static void the_most_ops_however_small(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    for (uint64_t number = 1; number < OP_END; number++) {
        put_bare_ops(FRAME_OPS_MAX, number, false);
        CHECK_EQ(decode(codec, &frame), ERROR_UNSET);
        CHECK_EQ(frame.ops_count, FRAME_OPS_MAX);
        for (size_t i = 0; i < FRAME_OPS_MAX; i++) {
            CHECK_EQ(frame.ops[i].kind, number);
        }
    }
    put_bare_ops(FRAME_OPS_MAX, 3, true);
    for (uint64_t id = 0; id < FRAME_ANSWERED_MAX; id++) {
        put_varint(5 << 3); /* not packed */
        put_varint(id);
    }
    CHECK_EQ(decode(codec, &frame), ERROR_UNSET);
    CHECK_EQ(frame.answered_count, FRAME_ANSWERED_MAX);
    codec_free(codec);
}

/* The quick way copies nothing: what it gives stands in the body. */
static void bytes_stand_in_the_body(void)
{
    struct codec *codec = codec_of_case();
    Canceld__V1__Get get;
    canceld__v1__get__init(&get);
    get.key = DATA("the key");
    Canceld__V1__Op op;
    canceld__v1__op__init(&op);
    op.op_case = CANCELD__V1__OP__OP_GET;
    op.get = &get;
    const struct bytes body = pack_ops(&op, 1);
    struct frame frame;
    CHECK_EQ(codec_decode(codec, body, &frame), ERROR_UNSET);
    CHECK_TEXT(frame.ops[0].key, "the key");
    CHECK(frame.ops[0].key.data == body.data + body.size - frame.ops[0].key.size);
    codec_free(codec);
}

static void the_last_of_two_kinds_counts(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    begin_request();
    /* store{key "a"}, get{key "b", gen 1}, get{gen 2} in one op: the last, whole. */
    static const uint8_t twice[] = {0x32, 16, 0x12, 3,    0x12, 1,    'a', 0x42, 5,
                                    0x12, 1,  'b',  0x18, 1,    0x42, 2,   0x18, 2};
    put(twice, sizeof twice);
    CHECK_EQ(decode(codec, &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops_count, 1);
    CHECK_EQ(frame.ops[0].kind, OP_GET);
    CHECK_EQ(frame.ops[0].gen, 2);
    CHECK_EQ(frame.ops[0].key.size, 0);
    codec_free(codec);
}

static void what_a_newer_client_says(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    begin_request();
    /* An op of field 99; a get with an unknown field 9; a frame field 50. */
    static const uint8_t newer[] = {0x32, 3,   0x9a, 0x06, 0,    0x32, 7, 0x42, 5,  0x12,
                                    1,    'k', 0x48, 1,    0x92, 0x03, 2, 'h',  'i'};
    put(newer, sizeof newer);
    CHECK_EQ(decode(codec, &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops_count, 2);
    CHECK_EQ(frame.ops[0].kind, OP_UNKNOWN);
    CHECK_EQ(frame.ops[1].kind, OP_GET);
    CHECK_TEXT(frame.ops[1].key, "k");
    codec_free(codec);
}

static void numbers_out_of_range_stay_so(void)
{
    struct codec *codec = codec_of_case();
    struct frame frame;
    begin_request();
    /* store{policy 99, ttl_ms 2^64-1, on_expiry -1} */
    static const uint8_t wild[] = {0x32, 26,   0x12, 24,   0x18, 99,   0x20, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x28, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    put(wild, sizeof wild);
    CHECK_EQ(decode(codec, &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops[0].as.store.policy, 99);
    CHECK_EQ(frame.ops[0].as.store.ttl_ms, UINT32_MAX);
    CHECK_EQ(frame.ops[0].as.store.on_expiry, UINT32_MAX);
    codec_free(codec);
}

/* ---- the digest ---- */

struct digest_input {
    uint64_t answered_below;
    uint64_t answered;
    const char *first_key;
    const char *second_key;
};

static uint64_t digest_of(struct codec *codec, struct digest_input input)
{
    const char *keys[] = {input.first_key, input.second_key};
    begin_request();
    put_varint(4 << 3);
    put_varint(input.answered_below);
    for (size_t i = 0; i < 2; i++) {
        put_varint(6 << 3 | 2);
        put_varint(strlen(keys[i]) + 4);
        put_varint(8 << 3 | 2);
        put_varint(strlen(keys[i]) + 2);
        put_varint(2 << 3 | 2);
        put_varint(strlen(keys[i]));
        put(keys[i], strlen(keys[i]));
        if (i == 0 && input.answered != 0) {
            put_varint(5 << 3);
            put_varint(input.answered);
        }
    }
    struct frame frame;
    CHECK_EQ(decode(codec, &frame), ERROR_UNSET);
    CHECK_EQ(frame.ops_count, 2);
    CHECK_EQ(frame.answered_below, input.answered_below);
    return frame.ops_digest;
}

static void the_digest_is_of_the_ops_alone(void)
{
    struct codec *codec = codec_of_case();
    const uint64_t base = digest_of(codec, (struct digest_input){1, 0, "a", "b"});
    CHECK(base == digest_of(codec, (struct digest_input){9, 0, "a", "b"}));
    CHECK(base == digest_of(codec, (struct digest_input){1, 7, "a", "b"}));
    CHECK(base != digest_of(codec, (struct digest_input){1, 0, "b", "a"}));
    CHECK(base != digest_of(codec, (struct digest_input){1, 0, "a", "c"}));
    CHECK(base != digest_of(codec, (struct digest_input){1, 0, "", "ab"}));
    struct codec *other = codec_new(&(struct siphash_key){.k0 = 1});
    CHECK(other != NULL);
    CHECK(base != digest_of(other, (struct digest_input){1, 0, "a", "b"}));
    codec_free(other);
    codec_free(codec);
}

static const struct test_case cases[] = {
    {"the numbers of a frame come through", the_numbers_of_a_frame, 0},
    {"every field of an open comes through", a_whole_open, 0},
    {"every field of a store comes through, NULs too", a_whole_store, 0},
    {"every field of a cancel comes through", a_whole_cancel, 0},
    {"every field of a delete and of a touch comes through", a_whole_delete_and_touch, 0},
    {"every field of a wait comes through", a_whole_wait, 0},
    {"every field of a get and of a disarm comes through", a_whole_get_and_disarm, 0},
    {"every field of list, count and armed comes through", the_ops_that_ask, 0},
    {"a poll brings 1024 acks, however small they are", a_poll_with_all_its_acks, 0},
    {"of too many acks one too many come through", too_many_acks_are_cut_to_one_too_many, 0},
    {"ping, stats and close are told apart", ops_without_fields, 0},
    {"1024 ops are decoded, however small they are", the_most_ops_however_small, 0},
    {"the bytes of a decoded frame stand in its body", bytes_stand_in_the_body, 0},
    {"of two kinds in one op the last counts, whole", the_last_of_two_kinds_counts, 0},
    {"unknown ops and fields of a newer client do no harm", what_a_newer_client_says, 0},
    {"numbers out of range come through as such", numbers_out_of_range_stay_so, 0},
    {"the digest is of the ops alone, in their order, with the key", the_digest_is_of_the_ops_alone,
     0},
};
TEST_MAIN(cases)
