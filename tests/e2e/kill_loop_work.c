/* SPDX-License-Identifier: MIT */
/* The kill loop's owners and cancellers: plain users of the client library, that know nothing of any
 * restart but what the library tells them. */
#include "kill_loop.h"
#include "testing.h"

#include <canceld/client.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 24       /* operations that an owner has at a time */
#define WINDOW 12      /* cancels that a canceller has on their way */
#define CALL_MS 60000  /* far above any restart: a call that ends by it is a failure */
#define CANCEL_MS 2000 /* but for a cancel: while owners come back again and again, so long */
#define CALLBACK_MS 3  /* an owner's callback takes up to so long: it has something to stop */

__attribute__((noreturn)) static void fail(const char *what, enum canceld_status status)
{
    (void) fprintf(stderr, "kill_loop: %s: %s\n", what, canceld_status_text(status));
    exit(EXIT_FAILURE);
}

void kill_loop_key(char text[KILL_LOOP_KEY_BYTES], const struct shared *shared, unsigned owner,
                   uint64_t at)
{
    (void) snprintf(text, KILL_LOOP_KEY_BYTES, "%u-%" PRIu64, owner, at % shared->keys_count);
}

/* ---- an owner ---- */

struct slot {
    struct canceld_operation *operation;
    struct record *record;
};

struct working {
    struct shared *shared;
    struct owner *owner;
    struct canceld_client *client;
    unsigned number;
    uint64_t random;
    uint64_t callbacks_random; /* the callback thread's, as is the next */
    uint64_t degraded_ms;
    struct slot slots[SLOTS];
};

static struct working working;

static void note_event(enum canceld_event event, uint64_t now_ms)
{
    struct owner *owner = working.owner;
    const uint64_t at = atomic_load(&owner->events_count);
    owner->events[at % EVENTS_MAX] =
        (struct owner_event){.at_ms = now_ms, .event = (uint8_t) event};
    atomic_store(&owner->events_count, at + 1);
    if (event == CANCELD_EVENT_DEGRADED) {
        working.degraded_ms = now_ms;
    } else if (event == CANCELD_EVENT_RESUMED &&
               now_ms - working.degraded_ms > atomic_load(&owner->away_most_ms)) {
        atomic_store(&owner->away_most_ms, now_ms - working.degraded_ms);
    }
}

static void on_event(struct canceld_client *client, enum canceld_event event, void *arg)
{
    (void) client;
    (void) arg;
    note_event(event, test_now_ms());
    if (event == CANCELD_EVENT_ADOPTED) {
        const uint64_t count = atomic_load(&working.owner->resumes_count);
        working.owner->resumes_ms[count % RESUMES_MAX] = test_now_ms();
        atomic_store(&working.owner->resumes_count, count + 1);
    }
}

static void on_notice(struct canceld_operation *operation, void *arg)
{
    struct record *record = arg;
    struct canceld_notice notice;
    const enum canceld_status status = canceld_operation_notice(operation, &notice);
    if (status != CANCELD_OK) {
        fail("notice", status);
    }
    record->lost = notice.lost || notice.ended ? 1 : record->lost;
    if (!notice.cancelled || notice.lost || notice.ended || notice.lost_possible) {
        return; /* told of something else than its cancel alone */
    }
    atomic_fetch_add(&record->told, 1);
    record->story.told_ms = test_now_ms();
    (void) poll(NULL, 0, (int) (test_random(&working.callbacks_random) % CALLBACK_MS));
    atomic_store(&record->delivered, 1);
}

static void store(struct slot *slot)
{
    const uint64_t at = atomic_load(&working.owner->stored);
    if (at == RECORDS_MAX) {
        fail("the records are used up", CANCELD_FULL);
    }
    struct record *record = &working.owner->records[at];
    char key[KILL_LOOP_KEY_BYTES];
    kill_loop_key(key, working.shared, working.number, at);
    const struct canceld_store_request request = {.key = canceld_string(key),
                                                  .policy = CANCELD_POLICY_JOIN,
                                                  .on_notice = on_notice,
                                                  .on_notice_arg = record};
    struct canceld_result result;
    const enum canceld_status status =
        canceld_store(working.client, &request, CALL_MS, &slot->operation, &result);
    if (status == CANCELD_OK && slot->operation == NULL) {
        (void) fprintf(stderr, "kill_loop: store answered %s\n",
                       canceld_answer_name(result.answer));
        exit(EXIT_FAILURE);
    }
    if (status == CANCELD_OK) {
        record->story.stored_ms = test_now_ms();
        atomic_store(&record->gen, result.gen);
        slot->record = record;
    } else if (status != CANCELD_UNKNOWN) {
        fail("store", status);
    }
    canceld_result_clear(&result);
    atomic_store(&working.owner->stored, at + 1); /* also one that nobody knows of: it is skipped */
}

static uint64_t session_now(void)
{
    struct canceld_info info;
    const enum canceld_status status = canceld_info(working.client, &info);
    if (status != CANCELD_OK) {
        fail("info", status);
    }
    return info.session;
}

/* An operation that its owner ended may have ended already in one case that holds: the finish was done, its answer and
 * then the session were lost, and in the next session the library has asked again, by gen. Then it ended just as
 * its owner wanted. Within one session the answer is kept, so there it is never told so. */
static enum finish_seen finish_seen_of(const struct canceld_result *result,
                                       const struct story *story)
{
    const bool has_cause = result->cause.code != CANCELD_CAUSE_UNSET;
    if (result->answer == CANCELD_ANSWER_DELETED) {
        return result->cancelled ? FINISH_CANCELLED : FINISH_PLAIN;
    }
    if (result->answer != CANCELD_ANSWER_ENDED) {
        return FINISH_OTHER;
    }
    if (result->outcome == CANCELD_OUTCOME_OWNER_LOST) {
        return has_cause ? FINISH_LOST_CANCELLED : FINISH_LOST;
    }
    if (story->sessions[0] != story->sessions[1] && result->outcome == story->asked) {
        return has_cause ? FINISH_AGAIN_CANCELLED : FINISH_AGAIN;
    }
    return FINISH_OTHER;
}

static void finish(struct slot *slot, enum canceld_outcome outcome)
{
    struct canceld_result result;
    struct story *story = &slot->record->story;
    story->asked = (uint8_t) outcome;
    story->finishing_ms = test_now_ms();
    story->sessions[0] = session_now();
    atomic_store(&slot->record->finishing, 1);
    const enum canceld_status status =
        canceld_operation_finish(slot->operation, outcome, CALL_MS, &result);
    if (status != CANCELD_OK) {
        fail("finish", status);
    }
    story->sessions[1] = session_now();
    story->finished_ms = test_now_ms();
    story->answered = (uint8_t) result.answer;
    story->outcome = (uint8_t) result.outcome;
    story->cause = (uint8_t) result.cause.code;
    atomic_store(&slot->record->finish, finish_seen_of(&result, story));
    canceld_result_clear(&result);
    *slot = (struct slot){0};
}

/* One look at one operation: most wait to be cancelled, some are finished on their own. */
static void look(struct slot *slot)
{
    if (slot->operation == NULL) {
        if (!atomic_load(&working.shared->stop)) {
            store(slot);
        }
    } else if (canceld_operation_should_stop(slot->operation)) {
        finish(slot, CANCELD_OUTCOME_CANCELLED);
    } else if (test_random(&working.random) % 512 == 0 || atomic_load(&working.shared->stop)) {
        finish(slot, CANCELD_OUTCOME_COMPLETED);
    }
}

static bool has_any(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (working.slots[i].operation != NULL) {
            return true;
        }
    }
    return false;
}

int kill_loop_own(struct shared *shared, unsigned number)
{
    working = (struct working){.shared = shared,
                               .owner = &shared->owners[number],
                               .number = number,
                               .random = shared->seed + number,
                               .callbacks_random = shared->seed + 100 + number};
    const struct canceld_options options = {.url = shared->url,
                                            .heartbeat_ms = shared->heartbeat_ms,
                                            .await_daemon = true,
                                            .on_event = on_event};
    const enum canceld_status status = canceld_connect(&options, CALL_MS, &working.client);
    if (status != CANCELD_OK) {
        fail("connect", status);
    }
    while (!atomic_load(&shared->stop) || has_any()) {
        for (size_t i = 0; i < SLOTS; i++) {
            look(&working.slots[i]);
        }
        (void) poll(NULL, 0, 1); /* the work itself */
    }
    canceld_close(working.client, CALL_MS);
    return EXIT_SUCCESS;
}

/* ---- a canceller ---- */

struct cancelling {
    struct shared *shared;
    struct canceller *canceller;
};

static struct cancelling cancelling;

static enum answer_seen seen_of(enum canceld_status status, const struct canceld_result *result)
{
    if (status == CANCELD_UNKNOWN || status == CANCELD_TIMED_OUT || status == CANCELD_UNAVAILABLE) {
        return SEEN_UNKNOWN;
    }
    if (status != CANCELD_OK) {
        return SEEN_OTHER;
    }
    switch (result->answer) {
    case CANCELD_ANSWER_REQUESTED:
    case CANCELD_ANSWER_ALREADY_REQUESTED:
        return SEEN_ACCEPTED;
    case CANCELD_ANSWER_RECOVERING:
        return SEEN_RECOVERING;
    case CANCELD_ANSWER_FINISHED:
    case CANCELD_ANSWER_STALE_GEN:
    case CANCELD_ANSWER_NOT_FOUND:
        return SEEN_TOO_LATE;
    case CANCELD_ANSWER_OWNER_LOST:
        return SEEN_LOST;
    default:
        return SEEN_OTHER;
    }
}

static void on_done(enum canceld_status status, const struct canceld_result *result,
                    struct canceld_operation *operation, void *arg)
{
    struct record *record = arg;
    (void) operation;
    const enum answer_seen seen = seen_of(status, result);
    record->story.answered_ms = test_now_ms();
    record->story.cancel_status = (uint8_t) status;
    record->story.cancel_answer = (uint8_t) result->answer;
    atomic_store(&record->answer, seen);
    if (seen == SEEN_ACCEPTED) {
        atomic_fetch_add(&cancelling.canceller->accepted, 1);
    }
    atomic_fetch_add(&cancelling.canceller->answered, 1);
}

static void cancel_one(struct canceld_client *client, uint64_t *random)
{
    const unsigned number = (unsigned) (test_random(random) % OWNERS);
    struct owner *owner = &cancelling.shared->owners[number];
    const uint64_t stored = atomic_load(&owner->stored);
    const uint64_t back = test_random(random) % RECENT;
    if (back >= stored) {
        return;
    }
    struct record *record = &owner->records[stored - 1 - back];
    const uint64_t gen = atomic_load(&record->gen);
    if (gen == 0 || atomic_load(&record->finish) != FINISH_NONE ||
        atomic_exchange(&record->claimed, 1) != 0) {
        return;
    }
    char key[KILL_LOOP_KEY_BYTES];
    kill_loop_key(key, cancelling.shared, number, stored - 1 - back);
    const struct canceld_request request = {.op = CANCELD_OP_CANCEL,
                                            .of.cancel = {.key = canceld_string(key), .gen = gen}};
    record->story.sent_ms = test_now_ms();
    atomic_fetch_add(&cancelling.canceller->sent, 1);
    const enum canceld_status status = canceld_submit(client, &request, CANCEL_MS, on_done, record);
    if (status != CANCELD_OK) {
        fail("submit", status);
    }
}

int kill_loop_cancel(struct shared *shared, unsigned number)
{
    cancelling = (struct cancelling){.shared = shared, .canceller = &shared->cancellers[number]};
    uint64_t random = shared->seed + 200 + number;
    struct canceld_client *client;
    /* Half of them are Stop handlers without a session. */
    const struct canceld_options options = {
        .url = shared->cancel_url[0] != '\0' ? shared->cancel_url : shared->url,
        .heartbeat_ms = shared->heartbeat_ms,
        .await_daemon = true,
        .sessionless = number % 2 == 1};
    const enum canceld_status status = canceld_connect(&options, CALL_MS, &client);
    if (status != CANCELD_OK) {
        fail("connect", status);
    }
    struct canceller *canceller = cancelling.canceller;
    while (!atomic_load(&shared->stop)) {
        while (atomic_load(&canceller->sent) - atomic_load(&canceller->answered) < WINDOW &&
               test_random(&random) % 8 != 0) {
            cancel_one(client, &random);
        }
        (void) poll(NULL, 0, 1);
    }
    while (atomic_load(&canceller->answered) < atomic_load(&canceller->sent)) {
        (void) poll(NULL, 0, 1);
    }
    canceld_close(client, CALL_MS);
    return EXIT_SUCCESS;
}
