/* SPDX-License-Identifier: MIT */
/* The daemon is killed and starts again: what it had answered has to come back. */
#include "model/round.h"

#include "base/check.h"

#include <inttypes.h>

/* Each cancel that somebody was told of by a cancel has to be in what the journal kept. */
static void check_promises(struct round *round, struct model *recovered)
{
    for (size_t i = 0; i < round->model->ops.count; i++) {
        const struct model_op *op = model_op_at(round->model, i);
        struct model_op later = *op;
        later.previous_session = op->owner != 0 ? op->owner : op->last_owner;
        if (op->state == STATE_CANCELLING && op->is_told &&
            model_recovered_cause(recovered, &later) == NULL) {
            round_fail(round, "gen %" PRIu64 " was answered as cancelled, and that is not kept",
                       op->gen);
        }
    }
    for (size_t i = 0; i < round->model->armed.count; i++) {
        const struct model_armed *armed = list_at(&round->model->armed, i);
        if (model_find_armed(recovered, armed->space, armed->key) == NULL) {
            round_fail(round, "an armed key is not kept");
        }
    }
}

/* Of those that their owners ended the journal keeps the last ones, for a while. */
static void forget_finished(struct round *round)
{
    size_t left = (size_t) script_below(&round->script, 9);
    for (size_t i = round->journal.count; i > 0; i--) {
        const struct model_record *entry = list_at(&round->journal, i - 1);
        if (entry->record.kind != JOURNAL_CANCEL || !entry->record.by_owner) {
            continue;
        }
        if (left == 0) {
            list_remove(&round->journal, i - 1);
        }
        left -= left > 0 ? 1 : 0;
    }
}

static void recover_all(struct round *round)
{
    forget_finished(round);
    for (size_t i = 0; i < round->journal.count; i++) {
        struct model_record *entry = list_at(&round->journal, i);
        if (!registry_recover(round->registry, &entry->record)) {
            round_fail(round, "registry_recover() of a record of kind %d",
                       (int) entry->record.kind);
        }
        model_recover(round->model, &entry->record);
        round_trace_record(round, entry);
        entry->is_explained = true; /* of an earlier run: its bulk's number is not of this one */
    }
}

void round_restart(struct round *round)
{
    struct script *script = &round->script;
    struct model *before = round->model;
    if (!script_is_aligned(script)) {
        return;
    }
    registry_check(round->registry);
    registry_free(round->registry);
    round->epoch = before->epoch + 1 + script_below(script, 3);
    round->epoch_next = round->epoch + 1;
    uint64_t recovery_ms = script_percent(script, 15) ? 0 : 64 * (1 + script_below(script, 40)) + 5;
    struct registry_config config = round_registry_config(round, round->epoch, 1, recovery_ms);
    round->records_given = 0;
    round->records_kept = 0;
    round->journal_is_full = false;
    list_clear(&round->queries);
    list_clear(&round->observed);
    list_clear(&round->records);
    round_new_pair(round, &config);
    round->model->history_is_refused = round->history_is_refused;
    recover_all(round);
    round_trace(round,
                "killed and started again in epoch %" PRIu64 ", recovery %" PRIu64
                " ms, %zu records",
                round->epoch, recovery_ms, round->journal.count);
    struct model *after = round->model;
    round->model = before;
    check_promises(round, after);
    script_restart(script, after);
    round->model = after;
    model_free(before);
    outbox_clear(&round->theirs);
    outbox_clear(&round->ours);
    round->lister.is_walking = false;
    round_observer_up(round);
    registry_check(round->registry);
}
