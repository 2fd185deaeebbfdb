/* SPDX-License-Identifier: MIT */
#include "exit_code.h"

enum exit_code exit_code_of_status(enum canceld_status status)
{
    switch (status) {
    case CANCELD_OK:
        return EXIT_CODE_DONE;
    case CANCELD_UNAVAILABLE:
        return EXIT_CODE_NO_DAEMON;
    case CANCELD_TIMED_OUT:
        return EXIT_CODE_DEADLINE;
    case CANCELD_INVALID:
        return EXIT_CODE_USAGE;
    case CANCELD_FULL:
        return EXIT_CODE_TAKEN;
    case CANCELD_UNKNOWN:
    case CANCELD_REFUSED:
    case CANCELD_CLOSED:
    case CANCELD_FORKED:
    case CANCELD_NO_MEMORY:
    case CANCELD_SYSTEM:
        break;
    }
    return EXIT_CODE_OTHER;
}

/* A cancel below the level that was asked for: either its time was over, or no time would have
 * helped, for the operation has no owner or ended by another way. */
static enum exit_code of_cancel(const struct canceld_result *result, enum canceld_level asked)
{
    if (result->level >= asked) {
        return EXIT_CODE_DONE;
    }
    if (result->no_owner) {
        return EXIT_CODE_OTHER;
    }
    for (size_t i = 0; i < result->gens_count; i++) {
        const struct canceld_gen_result *gen = &result->gens[i];

        if (gen->level < asked && gen->outcome == CANCELD_OUTCOME_UNSET) {
            return EXIT_CODE_DEADLINE;
        }
    }
    return result->gens_count == 0 ? EXIT_CODE_DEADLINE : EXIT_CODE_OTHER;
}

enum exit_code exit_code_of_result(const struct canceld_result *result, struct exit_code_wish wish)
{
    /* The others, also those of a newer daemon, are OTHER. */
    static const struct {
        enum canceld_answer answer;
        enum exit_code code;
    } rows[] = {
        {CANCELD_ANSWER_STORED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_ARMED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_DELETED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_TOUCHED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_CANCELLING, EXIT_CODE_DONE},
        {CANCELD_ANSWER_ENDED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_FOUND, EXIT_CODE_DONE},
        {CANCELD_ANSWER_PAGE, EXIT_CODE_DONE},
        {CANCELD_ANSWER_COUNTED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_ARMED_KEYS, EXIT_CODE_DONE},
        {CANCELD_ANSWER_DISARMED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_STATS, EXIT_CODE_DONE},
        {CANCELD_ANSWER_DETACHED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_DRAINED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_UNDRAINED, EXIT_CODE_DONE},
        {CANCELD_ANSWER_EVENTS, EXIT_CODE_DONE},
        {CANCELD_ANSWER_SNAPSHOT, EXIT_CODE_DONE},
        {CANCELD_ANSWER_HISTORY, EXIT_CODE_DONE},
        {CANCELD_ANSWER_PONG, EXIT_CODE_DONE},
        {CANCELD_ANSWER_NOT_FOUND, EXIT_CODE_ABSENT},
        {CANCELD_ANSWER_FINISHED, EXIT_CODE_ABSENT},
        {CANCELD_ANSWER_STALE_GEN, EXIT_CODE_STALE},
        {CANCELD_ANSWER_TIMED_OUT, EXIT_CODE_DEADLINE},
        {CANCELD_ANSWER_RECOVERING, EXIT_CODE_DEADLINE},
        {CANCELD_ANSWER_EXISTS, EXIT_CODE_TAKEN},
        {CANCELD_ANSWER_FULL, EXIT_CODE_TAKEN},
        {CANCELD_ANSWER_DRAINING, EXIT_CODE_TAKEN},
        {CANCELD_ANSWER_PARENT_ENDED, EXIT_CODE_TAKEN},
        {CANCELD_ANSWER_PARENT_NOT_FOUND, EXIT_CODE_TAKEN},
        {CANCELD_ANSWER_DENIED, EXIT_CODE_DENIED},
    };

    if (result->answer == CANCELD_ANSWER_ERROR) {
        return result->error.code == CANCELD_ERROR_FIELD ? EXIT_CODE_USAGE : EXIT_CODE_OTHER;
    }
    if (result->answer == CANCELD_ANSWER_REQUESTED ||
        result->answer == CANCELD_ANSWER_ALREADY_REQUESTED) {
        return of_cancel(result, wish.level);
    }
    if (result->answer == CANCELD_ANSWER_ENDED && wish.no_end) {
        return EXIT_CODE_ABSENT;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].answer == result->answer) {
            return rows[i].code;
        }
    }
    return EXIT_CODE_OTHER;
}
