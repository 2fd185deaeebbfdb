/* SPDX-License-Identifier: MIT */
#include "crowd.h"
#include "testing.h"

#include <canceld/client.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define CALL_MS 20000
#define END_MS 20000 /* far above any grace */
#define BEFORE_MS 1000
#define FINISHES (FINISH_OTHER + 1)

/* ---- what the daemon says ---- */

void crowd_tell(const struct crowd *crowd, unsigned owner, uint64_t at)
{
    const struct story *story = &crowd->shared.owners[owner].records[at].story;
    const uint64_t end = crowd->acts_count;
    kill_loop_tell(&crowd->shared, owner, at);
    for (uint64_t i = end > ACTS_MAX ? end - ACTS_MAX : 0; i < end; i++) {
        const struct act *act = &crowd->acts[i % ACTS_MAX];
        if (act->number == owner && act->at_ms + BEFORE_MS >= story->stored_ms &&
            (story->finished_ms == 0 || act->at_ms <= story->finished_ms)) {
            (void) fprintf(stderr, "  %" PRIu64 ": its owner: %s\n", act->at_ms, act->what);
        }
    }
}

/* Its end: false where it has not come in time, or the daemon knows nothing of it. */
static bool await_end(struct canceld_client *client, const struct canceld_get_request *request,
                      enum canceld_outcome *outcome_out, bool *has_cause_out)
{
    const uint64_t deadline_ms = test_now_ms() + END_MS;
    while (test_now_ms() < deadline_ms) {
        struct canceld_result result;
        const enum canceld_status status = canceld_get(client, request, CALL_MS, &result);
        const bool found = status == CANCELD_OK && result.answer == CANCELD_ANSWER_FOUND;
        const bool ended = found && result.operations[0].state == CANCELD_STATE_ENDED;
        if (ended) {
            *outcome_out = result.operations[0].outcome;
            *has_cause_out = result.operations[0].cause.code != 0;
        }
        canceld_result_clear(&result);
        if (ended || !found) {
            return ended;
        }
        (void) poll(NULL, 0, 5);
    }
    return false;
}

/* Whether it holds. */
static bool judge(struct audit *audit, const struct record *record, enum canceld_outcome outcome,
                  bool has_cause)
{
    const bool was_heard = record->answer == SEEN_ACCEPTED || record->told > 0;
    const bool is_lost = outcome == CANCELD_OUTCOME_OWNER_LOST;
    const bool is_missing = was_heard && !has_cause;
    const bool is_invented = has_cause && record->claimed == 0;
    const bool is_wrong = !is_lost && !record->finishing;
    audit->cause_missing += is_missing;
    audit->cause_invented += is_invented;
    audit->wrong += is_wrong;
    audit->lost += is_lost;
    audit->lost_cancelled += is_lost && was_heard && has_cause;
    audit->ended_before += !is_lost && record->finishing;
    return !is_missing && !is_invented && !is_wrong;
}

/* Asks what became of one, and tells where that does not hold. */
static void audit_one(struct crowd *crowd, struct canceld_client *client, struct orphan orphan)
{
    const struct shared *shared = &crowd->shared;
    const struct record *record = &shared->owners[orphan.owner].records[orphan.at];
    char key[KILL_LOOP_KEY_BYTES];
    kill_loop_key(key, shared, orphan.owner, orphan.at);
    const struct canceld_get_request request = {.key = canceld_string(key), .gen = record->gen};
    enum canceld_outcome outcome = CANCELD_OUTCOME_UNSET;
    bool has_cause = false;
    const bool has_ended = await_end(client, &request, &outcome, &has_cause);
    const bool holds = has_ended && judge(&crowd->audit, record, outcome, has_cause);
    crowd->audit.wrong += !has_ended;
    if (!holds && crowd->audit.printed++ < TOLD_MAX) {
        crowd_tell(crowd, orphan.owner, orphan.at);
        (void) fprintf(stderr, "  its owner was killed; the daemon says: %s, %s cause\n",
                       has_ended ? canceld_outcome_name(outcome) : "nothing, or it lives on",
                       has_cause ? "with a" : "no");
    }
}

int crowd_audit(struct crowd *crowd)
{
    const struct shared *shared = &crowd->shared;
    const struct canceld_options options = {
        .url = shared->cancel_url[0] != '\0' ? shared->cancel_url : shared->url,
        .await_daemon = true};
    struct canceld_client *client;
    if (canceld_connect(&options, CALL_MS, &client) != CANCELD_OK) {
        (void) fprintf(stderr, "chaos_crowd: the auditor cannot connect\n");
        return EXIT_FAILURE;
    }
    for (uint64_t i = 0; i < crowd->orphans_count; i++) {
        audit_one(crowd, client, crowd->orphans[i]);
    }
    canceld_close(client, CALL_MS);
    return EXIT_SUCCESS;
}

/* ---- what the owners and the cancellers say ---- */

/* What an owner's last word has to say of a cancel. */
enum word { SAYS_NO, SAYS_YES, SAYS_NOTHING };

static const struct {
    enum word word;
    bool is_lost;  /* it ended with its owner's session */
    bool is_again; /* its owner's session was lost, but it had ended before */
} words[FINISHES] = {
    [FINISH_NONE] = {SAYS_NOTHING, false, false},
    [FINISH_PLAIN] = {SAYS_NO, false, false},
    [FINISH_CANCELLED] = {SAYS_YES, false, false},
    [FINISH_LOST] = {SAYS_NO, true, false},
    [FINISH_LOST_CANCELLED] = {SAYS_YES, true, false},
    [FINISH_AGAIN] = {SAYS_NO, false, true},
    [FINISH_AGAIN_CANCELLED] = {SAYS_YES, false, true},
    [FINISH_OTHER] = {SAYS_NOTHING, false, false},
};

/* Whether it holds. */
static bool add_living(struct crowd_account *account, const struct record *record, bool may_lose)
{
    const enum word word = words[record->finish].word;
    const bool is_again = words[record->finish].is_again;
    const bool is_lost = !is_again && (record->lost != 0 || words[record->finish].is_lost);
    const bool was_heard = record->answer == SEEN_ACCEPTED || record->told > 0;
    /* This daemon is never restarted: it is never recovering. */
    const bool is_wrong =
        word == SAYS_NOTHING || record->answer == SEEN_OTHER || record->answer == SEEN_RECOVERING ||
        (record->answer == SEEN_LOST && !is_lost) || (word == SAYS_YES && record->claimed == 0);
    const bool loses = was_heard && word == SAYS_NO;
    const bool strays = is_lost || is_again;
    account->lost_cancels += loses;
    account->wrong += is_wrong;
    account->strayed += is_lost || (is_again && !may_lose);
    account->again += is_again;
    account->strayed_heard += is_lost && record->answer == SEEN_ACCEPTED && word == SAYS_YES;
    return !loses && !is_wrong && (may_lose || !strays);
}

/* Whether it holds. */
static bool add_record(struct crowd_account *account, const struct record *record, bool is_orphan,
                       bool may_lose)
{
    if (record->gen == 0) {
        return true;
    }
    account->operations++;
    account->accepted += record->answer == SEEN_ACCEPTED;
    account->too_late += record->answer == SEEN_TOO_LATE || record->answer == SEEN_LOST;
    account->unanswered +=
        record->claimed != 0 && (record->answer == SEEN_UNKNOWN || record->answer == SEEN_NOTHING);
    account->double_effects += record->told > 1;
    return (is_orphan || add_living(account, record, may_lose)) && record->told <= 1;
}

struct crowd_account crowd_account(const struct crowd *crowd)
{
    struct crowd_account account = {0};
    uint64_t next = 0; /* orphans stand in the order of their owner's records */
    for (unsigned i = 0; i < OWNERS; i++) {
        const struct owner *owner = &crowd->shared.owners[i];
        account.away_most_ms =
            owner->away_most_ms > account.away_most_ms ? owner->away_most_ms : account.away_most_ms;
        for (uint64_t at = 0; at < owner->stored; at++) {
            const bool is_orphan = next < crowd->orphans_count && crowd->orphans[next].owner == i &&
                                   crowd->orphans[next].at == at;
            next += is_orphan;
            if (!add_record(&account, &owner->records[at], is_orphan, crowd->may_lose) &&
                account.printed++ < TOLD_MAX) {
                crowd_tell(crowd, i, at);
            }
        }
    }
    account.lost_cancels += crowd->audit.cause_missing;
    account.wrong += crowd->audit.wrong + crowd->audit.cause_invented;
    return account;
}
