/* SPDX-License-Identifier: MIT */
/* The kill loop's records in words: a count of what did not hold tells nobody why. */
#include "kill_loop.h"

#include <canceld/client.h>

#include <inttypes.h>
#include <stdio.h>

#define BEFORE_MS 1000 /* what an owner's link did so long before is told too */

static const char *const event_names[] = {
    [CANCELD_EVENT_CONNECTED] = "CONNECTED",       [CANCELD_EVENT_DEGRADED] = "DEGRADED",
    [CANCELD_EVENT_RESUMED] = "RESUMED",           [CANCELD_EVENT_LOST_POSSIBLE] = "LOST_POSSIBLE",
    [CANCELD_EVENT_SESSION_LOST] = "SESSION_LOST", [CANCELD_EVENT_NEW_EPOCH] = "NEW_EPOCH",
    [CANCELD_EVENT_ADOPTED] = "ADOPTED",
};

static void tell_cancel(const struct record *record)
{
    const struct story *story = &record->story;
    if (record->claimed == 0) {
        (void) fprintf(stderr, "  nobody cancelled it\n");
    } else if (story->answered_ms == 0) {
        (void) fprintf(stderr, "  %" PRIu64 ": a cancel, never answered\n", story->sent_ms);
    } else {
        (void) fprintf(stderr, "  %" PRIu64 ": a cancel, answered at %" PRIu64 ": %s, %s\n",
                       story->sent_ms, story->answered_ms,
                       canceld_status_name((enum canceld_status) story->cancel_status),
                       canceld_answer_name((enum canceld_answer) story->cancel_answer));
    }
}

static void tell_finish(const struct record *record)
{
    const struct story *story = &record->story;
    if (record->finish == FINISH_NONE) {
        (void) fprintf(stderr, "  its owner %s\n",
                       record->finishing ? "began to end it, and had no answer" : "did not end it");
        return;
    }
    (void) fprintf(stderr,
                   "  %" PRIu64 ": its owner ended it as %s in session %" PRIu64
                   ", answered at %" PRIu64 " in session %" PRIu64 ": %s, %s, cause %s\n",
                   story->finishing_ms, canceld_outcome_name((enum canceld_outcome) story->asked),
                   story->sessions[0], story->finished_ms, story->sessions[1],
                   canceld_answer_name((enum canceld_answer) story->answered),
                   canceld_outcome_name((enum canceld_outcome) story->outcome),
                   canceld_cause_code_name((enum canceld_cause_code) story->cause));
}

static void tell_events(const struct owner *owner, const struct story *story)
{
    const uint64_t end = owner->events_count;
    const uint64_t begin = end > EVENTS_MAX ? end - EVENTS_MAX : 0;
    const uint64_t last_ms = story->finished_ms == 0 ? UINT64_MAX : story->finished_ms + BEFORE_MS;
    for (uint64_t at = begin; at < end; at++) {
        const struct owner_event *event = &owner->events[at % EVENTS_MAX];
        if (event->at_ms + BEFORE_MS >= story->stored_ms && event->at_ms <= last_ms) {
            (void) fprintf(stderr, "  %" PRIu64 ": its owner's client: %s\n", event->at_ms,
                           event_names[event->event]);
        }
    }
}

void kill_loop_tell(const struct shared *shared, unsigned owner, uint64_t at)
{
    const struct record *record = &shared->owners[owner].records[at];
    char key[KILL_LOOP_KEY_BYTES];
    kill_loop_key(key, shared, owner, at);
    (void) fprintf(stderr,
                   "does not hold: key %s, gen %" PRIu64 " of owner %u: answer %u, told %u, lost "
                   "%u, finish %u\n  %" PRIu64 ": stored\n",
                   key, record->gen, owner, record->answer, record->told, record->lost,
                   record->finish, record->story.stored_ms);
    tell_cancel(record);
    if (record->told > 0) {
        (void) fprintf(stderr, "  %" PRIu64 ": its owner was told of a cancel\n",
                       record->story.told_ms);
    }
    tell_finish(record);
    tell_events(&shared->owners[owner], &record->story);
}
