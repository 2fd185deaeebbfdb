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
#define PRINTED_MAX 10
#define FINISHES (FINISH_OTHER + 1)

/* ---- what the daemon says ---- */

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

static void judge(struct audit *audit, const struct record *record, enum canceld_outcome outcome,
                  bool has_cause)
{
    const bool was_heard = record->answer == SEEN_ACCEPTED || record->told > 0;
    audit->cause_missing += was_heard && !has_cause;
    audit->cause_invented += has_cause && record->claimed == 0;
    if (outcome == CANCELD_OUTCOME_OWNER_LOST) {
        audit->lost++;
        audit->lost_cancelled += was_heard && has_cause;
    } else if (record->finishing) {
        audit->ended_before++;
    } else {
        audit->wrong++;
    }
}

int crowd_audit(struct crowd *crowd)
{
    struct shared *shared = &crowd->shared;
    const struct canceld_options options = {
        .url = shared->cancel_url[0] != '\0' ? shared->cancel_url : shared->url,
        .await_daemon = true};
    struct canceld_client *client;
    if (canceld_connect(&options, CALL_MS, &client) != CANCELD_OK) {
        (void) fprintf(stderr, "chaos_crowd: the auditor cannot connect\n");
        return EXIT_FAILURE;
    }
    for (uint64_t i = 0; i < crowd->orphans_count; i++) {
        const struct orphan orphan = crowd->orphans[i];
        const struct record *record = &shared->owners[orphan.owner].records[orphan.at];
        char key[KILL_LOOP_KEY_BYTES];
        kill_loop_key(key, shared, orphan.owner, orphan.at);
        const struct canceld_get_request request = {.key = canceld_string(key), .gen = record->gen};
        enum canceld_outcome outcome = CANCELD_OUTCOME_UNSET;
        bool has_cause = false;
        if (!await_end(client, &request, &outcome, &has_cause)) {
            crowd->audit.wrong++;
            (void) fprintf(stderr, "chaos_crowd: gen %" PRIu64 " of a killed owner does not end\n",
                           request.gen);
            continue;
        }
        judge(&crowd->audit, record, outcome, has_cause);
    }
    canceld_close(client, CALL_MS);
    return EXIT_SUCCESS;
}

/* ---- what the owners and the cancellers say ---- */

/* What an owner's last word has to say of a cancel. */
enum word { SAYS_NO, SAYS_YES, SAYS_NOTHING };

static const struct {
    enum word word;
    bool is_lost;
} words[FINISHES] = {
    [FINISH_NONE] = {SAYS_NOTHING, false},      [FINISH_PLAIN] = {SAYS_NO, false},
    [FINISH_CANCELLED] = {SAYS_YES, false},     [FINISH_LOST] = {SAYS_NO, true},
    [FINISH_LOST_CANCELLED] = {SAYS_YES, true}, [FINISH_OTHER] = {SAYS_NOTHING, false},
};

static void add_living(struct crowd_account *account, const struct record *record, bool may_lose)
{
    const enum word word = words[record->finish].word;
    const bool is_lost = record->lost != 0 || words[record->finish].is_lost;
    const bool was_heard = record->answer == SEEN_ACCEPTED || record->told > 0;
    const bool is_wrong = word == SAYS_NOTHING || record->answer == SEEN_OTHER ||
                          (record->answer == SEEN_LOST && !is_lost) ||
                          (word == SAYS_YES && record->claimed == 0);
    const bool loses = was_heard && word == SAYS_NO;
    const bool strays = is_lost && !may_lose;
    account->lost_cancels += loses;
    account->wrong += is_wrong;
    account->strayed += is_lost;
    account->strayed_heard += is_lost && record->answer == SEEN_ACCEPTED && word == SAYS_YES;
    account->printed += loses || is_wrong || strays;
    if ((loses || is_wrong || strays) && account->printed <= PRINTED_MAX) {
        (void) fprintf(stderr,
                       "chaos_crowd: gen %" PRIu64 ": answer %u, told %u, lost %u, finish %u\n",
                       record->gen, record->answer, record->told, record->lost, record->finish);
    }
}

static void add_record(struct crowd_account *account, const struct record *record, bool is_orphan,
                       bool may_lose)
{
    if (record->gen == 0) {
        return;
    }
    account->operations++;
    account->accepted += record->answer == SEEN_ACCEPTED;
    account->too_late += record->answer == SEEN_TOO_LATE || record->answer == SEEN_LOST;
    account->unanswered +=
        record->claimed != 0 && (record->answer == SEEN_UNKNOWN || record->answer == SEEN_NOTHING);
    account->double_effects += record->told > 1;
    if (!is_orphan) {
        add_living(account, record, may_lose);
    }
}

struct crowd_account crowd_account(const struct crowd *crowd)
{
    struct crowd_account account = {0};
    uint64_t next = 0; /* orphans stand in the order of their owner's records */
    for (unsigned i = 0; i < OWNERS; i++) {
        const struct owner *owner = &crowd->shared.owners[i];
        for (uint64_t at = 0; at < owner->stored; at++) {
            const bool is_orphan = next < crowd->orphans_count && crowd->orphans[next].owner == i &&
                                   crowd->orphans[next].at == at;
            next += is_orphan;
            add_record(&account, &owner->records[at], is_orphan, crowd->may_lose);
        }
    }
    account.lost_cancels += crowd->audit.cause_missing;
    account.wrong += crowd->audit.wrong + crowd->audit.cause_invented;
    return account;
}
