/* SPDX-License-Identifier: MIT */
#include "answer_group.h"

#include "line.h"

#include <inttypes.h>

static const char *name_space_of(const struct arguments *arguments)
{
    return arguments->name_space != NULL ? arguments->name_space : "default";
}

void answer_target_put(struct line *line, const struct arguments *arguments)
{
    if (arguments->labels_count > 0) {
        line_bytes(line, "label", arguments->labels[0]);
    }
    if (arguments->session != 0) {
        line_gen(line, "session", arguments->session);
    }
    if (arguments->daemon) {
        line_flag(line, "daemon", true);
    } else {
        line_text(line, "namespace", name_space_of(arguments));
    }
}

static void gen_put(struct line *line, const struct canceld_gen_result *gen)
{
    if (gen->answer != CANCELD_ANSWER_UNSET) {
        line_word(line, "answer", canceld_answer_name(gen->answer));
    } else {
        line_word(line, "state", canceld_state_name(gen->state));
    }
    /* The daemon may have forgotten the key by now. */
    if (gen->key.size > 0) {
        line_key(line, gen->key);
    }
    line_gen(line, "gen", gen->gen);
    if (gen->level != CANCELD_LEVEL_NONE) {
        line_named(line, "level", canceld_level_name(gen->level));
    }
    if (gen->outcome != CANCELD_OUTCOME_UNSET) {
        line_named(line, "outcome", canceld_outcome_name(gen->outcome));
    }
}

static void gens_put_json(struct line *line, const struct canceld_result *result)
{
    line_open(line, "gens", '[');
    for (size_t i = 0; i < result->gens_count; i++) {
        line_open(line, NULL, '{');
        gen_put(line, &result->gens[i]);
        line_close(line, '}');
    }
    line_close(line, ']');
}

/* A line for each that is named, and one for the rest of `total`. */
static void gens_tell(FILE *out, const struct canceld_result *result, uint64_t total)
{
    struct line line;

    for (size_t i = 0; i < result->gens_count; i++) {
        line_begin(&line, out, false);
        gen_put(&line, &result->gens[i]);
        line_end(&line);
    }
    if (total > result->gens_count) {
        line_begin(&line, out, false);
        (void) fprintf(line.text, "(and %" PRIu64 " more)", total - result->gens_count);
        line_end(&line);
    }
}

void answer_bulk_tell(FILE *out, const struct arguments *arguments,
                      const struct canceld_result *result)
{
    bool is_cancel = result->answer == CANCELD_ANSWER_REQUESTED ||
                     result->answer == CANCELD_ANSWER_ALREADY_REQUESTED;
    struct line line;

    line_begin(&line, out, arguments->json);
    line_word(&line, "answer", canceld_answer_name(result->answer));
    answer_target_put(&line, arguments);
    if (is_cancel) {
        line_number(&line, "requested", result->requested);
        line_number(&line, "already_requested", result->already_requested);
        line_flag(&line, "journaled", result->journaled);
    }
    line_text(&line, "limit", result->limit);
    if (is_cancel && arguments->json) {
        gens_put_json(&line, result);
    }
    line_end(&line);
    if (is_cancel && !arguments->json) {
        gens_tell(out, result, result->requested + result->already_requested);
    }
}

void answer_drain_tell(FILE *out, const struct arguments *arguments, uint64_t after_ms,
                       const struct canceld_result *result)
{
    bool is_late = result->answer == CANCELD_ANSWER_TIMED_OUT;
    struct line line;

    line_begin(&line, out, arguments->json);
    line_word(&line, "answer", canceld_answer_name(result->answer));
    answer_target_put(&line, arguments);
    if (result->answer == CANCELD_ANSWER_DRAINED) {
        line_number(&line, "requested", result->requested);
        line_number(&line, "already_requested", result->already_requested);
    } else if (is_late) {
        line_number(&line, "count", result->count);
    }
    line_text(&line, "limit", result->limit);
    line_duration(&line, "after", after_ms);
    if (is_late && arguments->json) {
        gens_put_json(&line, result);
    }
    line_end(&line);
    if (is_late && !arguments->json) {
        gens_tell(out, result, result->count);
    }
}
