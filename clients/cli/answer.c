/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <inttypes.h>

static void gens_put_json(struct line *line, const struct canceld_result *result)
{
    line_open(line, "gens", '[');
    for (size_t i = 0; i < result->gens_count; i++) {
        const struct canceld_gen_result *gen = &result->gens[i];

        line_open(line, NULL, '{');
        line_gen(line, "gen", gen->gen);
        line_named(line, "answer", canceld_answer_name(gen->answer));
        line_named(line, "level", canceld_level_name(gen->level));
        if (gen->outcome != CANCELD_OUTCOME_UNSET) {
            line_named(line, "outcome", canceld_outcome_name(gen->outcome));
        }
        line_close(line, '}');
    }
    line_close(line, ']');
}

/* Several gens of one key: GEN:LEVEL or GEN:LEVEL:OUTCOME each. */
static void gens_put(struct line *line, const struct canceld_result *result)
{
    for (size_t i = 0; i < result->gens_count; i++) {
        const struct canceld_gen_result *gen = &result->gens[i];

        (void) fprintf(line->text, "%s%" PRIu64 ":%s", i == 0 ? " gens=" : ",", gen->gen,
                       canceld_level_name(gen->level));
        if (gen->outcome != CANCELD_OUTCOME_UNSET) {
            (void) fprintf(line->text, ":%s", canceld_outcome_name(gen->outcome));
        }
    }
}

static void words_put(struct line *line, enum canceld_state state, enum canceld_level level,
                      enum canceld_outcome outcome)
{
    if (state != CANCELD_STATE_UNSET) {
        line_named(line, "state", canceld_state_name(state));
    }
    if (level != CANCELD_LEVEL_NONE) {
        line_named(line, "level", canceld_level_name(level));
    }
    if (outcome != CANCELD_OUTCOME_UNSET) {
        line_named(line, "outcome", canceld_outcome_name(outcome));
    }
}

static void flags_put(struct line *line, const struct canceld_result *result)
{
    switch ((int) result->answer) {
    case CANCELD_ANSWER_REQUESTED:
    case CANCELD_ANSWER_ALREADY_REQUESTED:
        line_flag(line, "no_owner", result->no_owner);
        line_flag(line, "journaled", result->journaled);
        break;
    case CANCELD_ANSWER_ARMED:
        line_flag(line, "journaled", result->journaled);
        line_flag(line, "memory_incomplete", result->memory_incomplete);
        break;
    case CANCELD_ANSWER_DELETED:
        line_flag(line, "cancelled", result->cancelled);
        line_flag(line, "by_owner", result->by_owner);
        break;
    case CANCELD_ANSWER_TOUCHED:
        line_flag(line, "by_owner", result->by_owner);
        break;
    default:
        break;
    }
}

void answer_put(struct line *line, struct canceld_bytes key, const struct canceld_result *result)
{
    const struct canceld_gen_result *only = result->gens_count == 1 ? result->gens : NULL;
    uint64_t gen = only != NULL ? only->gen : result->gen;

    line_word(line, "answer", canceld_answer_name(result->answer));
    if (key.size > 0) {
        line_key(line, key);
    }
    if (gen != 0) {
        line_gen(line, "gen", gen);
    }
    words_put(line, result->state, result->level,
              only != NULL && result->outcome == CANCELD_OUTCOME_UNSET ? only->outcome
                                                                       : result->outcome);
    flags_put(line, result);
    if (line->is_json && result->gens_count > 0) {
        gens_put_json(line, result);
    } else if (result->gens_count > 1) {
        gens_put(line, result);
    }
    if (result->answer == CANCELD_ANSWER_COUNTED) {
        line_number(line, "count", result->count);
    }
    line_text(line, "limit", result->limit);
    if (result->answer == CANCELD_ANSWER_ERROR) {
        line_text(line, "field", result->error.field);
        line_text(line, "text", result->error.text);
    }
    line_cause(line, &result->cause);
}

/* label=L for each; in JSON an array. */
static void labels_put(struct line *line, const struct canceld_operation_info *info)
{
    if (info->labels_count == 0) {
        return;
    }
    if (!line->is_json) {
        for (size_t i = 0; i < info->labels_count; i++) {
            line_bytes(line, "label", info->labels[i]);
        }
        return;
    }
    line_open(line, "labels", '[');
    for (size_t i = 0; i < info->labels_count; i++) {
        line_element(line, info->labels[i]);
    }
    line_close(line, ']');
}

void answer_operation_put(struct line *line, const struct canceld_operation_info *info)
{
    if (line->is_json) {
        line_bytes(line, "namespace", info->name_space);
        line_key(line, info->key);
    } else {
        line_word(line, "state", canceld_state_name(info->state));
        line_key(line, info->key);
    }
    line_gen(line, "gen", info->gen);
    words_put(line, line->is_json ? info->state : CANCELD_STATE_UNSET, info->level, info->outcome);
    line_duration(line, "age", info->age_ms);
    if (info->ttl_left_ms > 0) {
        line_duration(line, "ttl_left", info->ttl_left_ms);
    }
    if (info->owner != 0) {
        line_gen(line, "owner", info->owner);
    }
    line_bytes(line, "owner_name", info->owner_name);
    labels_put(line, info);
    if (info->parent != 0) {
        line_gen(line, "parent", info->parent);
    }
    line_bytes(line, "meta", info->meta);
    if (info->state == CANCELD_STATE_CANCELLING) {
        line_duration(line, "cancelling", info->cancelling_ms);
    }
    line_cause(line, &info->cause);
}

void answer_armed_put(struct line *line, const struct canceld_armed_key *armed)
{
    if (line->is_json) {
        line_bytes(line, "namespace", armed->name_space);
    } else {
        line_word(line, "answer", "ARMED");
    }
    line_key(line, armed->key);
    line_duration(line, "ttl_left", armed->ttl_left_ms);
    line_cause(line, &armed->cause);
}

/* ---- the audit trail ---- */

static void history_target_put(struct line *line, const struct canceld_history_entry *entry)
{
    if (entry->kind != CANCELD_HISTORY_BULK) {
        line_key(line, entry->key);
    } else {
        line_bytes(line, "label", entry->label);
        if (entry->owner != 0) {
            line_gen(line, "session", entry->owner);
        }
    }
    if (line->is_json ||
        (entry->kind == CANCELD_HISTORY_BULK && entry->label.size == 0 && entry->owner == 0)) {
        line_bytes(line, "namespace", entry->name_space);
    }
    if (entry->gen != 0) {
        line_gen(line, entry->kind == CANCELD_HISTORY_BULK ? "up_to_gen" : "gen", entry->gen);
    }
}

void answer_history_put(struct line *line, const struct canceld_history_entry *entry)
{
    line_time(line, "at", entry->at_unix_ms);
    if (line->is_json) {
        line_number(line, "at_unix_ms", entry->at_unix_ms);
    }
    line_word(line, "kind", canceld_history_kind_name(entry->kind));
    history_target_put(line, entry);
    line_cause(line, &entry->cause);
    if (entry->kind == CANCELD_HISTORY_BULK) {
        line_number(line, "requested", entry->requested);
    }
    if (entry->delivered) {
        line_duration(line, "delivered_after", entry->delivered_after_ms);
    }
    if (entry->outcome != CANCELD_OUTCOME_UNSET) {
        line_duration(line, "ended_after", entry->ended_after_ms);
        line_named(line, "outcome", canceld_outcome_name(entry->outcome));
        line_flag(line, "by_owner", entry->by_owner);
    }
}

/* ---- watch ---- */

static void event_put(struct line *line, const struct canceld_watch_event *event)
{
    line_word(line, "state", canceld_state_name(event->state));
    line_key(line, event->key);
    line_gen(line, "gen", event->gen);
    if (event->outcome != CANCELD_OUTCOME_UNSET) {
        line_named(line, "outcome", canceld_outcome_name(event->outcome));
    }
    line_cause(line, &event->cause);
}

void answer_watch_put(struct line *line, const struct canceld_watch_item *item)
{
    static const char *const kinds[] = {
        [CANCELD_WATCH_SNAPSHOT] = "SNAPSHOT",
        [CANCELD_WATCH_CURRENT] = "CURRENT",
        [CANCELD_WATCH_EVENT] = "EVENT",
        [CANCELD_WATCH_GAP] = "GAP",
    };

    if (line->is_json || item->event == NULL) {
        line_word(line, "kind", kinds[item->kind]);
    }
    if (item->operation != NULL) {
        answer_operation_put(line, item->operation);
    }
    if (item->event != NULL) {
        event_put(line, item->event);
    }
    if (item->kind == CANCELD_WATCH_GAP) {
        line_remark(line, "events were missed: what follows is a new snapshot");
    } else if (line->is_json || item->kind == CANCELD_WATCH_CURRENT) {
        line_gen(line, "epoch", item->epoch);
        line_gen(line, "revision", item->revision);
    }
}
