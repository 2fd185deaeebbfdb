/* SPDX-License-Identifier: MIT */
/* The names of the words in the public headers. The embedded registry has them too. */
#include <canceld/words.h>

static const char *name_of(const char *const *names, size_t count, uint32_t number)
{
    return number < count && names[number] != NULL ? names[number] : "?";
}

#define NAME_OF(names, number)                                                                     \
    name_of((names), sizeof(names) / sizeof((names)[0]), (uint32_t) (number))

const char *canceld_status_name(enum canceld_status status)
{
#define STATUS_NAME(name, text) [CANCELD_##name] = #name,
    static const char *const names[] = {CANCELD_STATUS_TABLE(STATUS_NAME)};

    return NAME_OF(names, status);
}

const char *canceld_status_text(enum canceld_status status)
{
#define STATUS_TEXT(name, text) [CANCELD_##name] = text,
    static const char *const texts[] = {CANCELD_STATUS_TABLE(STATUS_TEXT)};

    return NAME_OF(texts, status);
}

const char *canceld_answer_name(enum canceld_answer answer)
{
#define ANSWER_NAME(name, number) [number] = #name,
    static const char *const names[] = {CANCELD_ANSWER_TABLE(ANSWER_NAME)};

    return NAME_OF(names, answer);
}

const char *canceld_state_name(enum canceld_state state)
{
    static const char *const names[] = {"UNSET", "LIVE", "CANCELLING", "ENDED"};

    return NAME_OF(names, state);
}

const char *canceld_outcome_name(enum canceld_outcome outcome)
{
    static const char *const names[] = {"UNSET",     "COMPLETED", "FAILED",
                                        "CANCELLED", "EXPIRED",   "OWNER_LOST"};

    return NAME_OF(names, outcome);
}

const char *canceld_level_name(enum canceld_level level)
{
    static const char *const names[] = {"NONE", "RECORDED", "DELIVERED", "STOPPED"};

    return NAME_OF(names, level);
}

const char *canceld_cause_code_name(enum canceld_cause_code code)
{
    static const char *const names[] = {"UNSET",    "USER",       "POLICY", "SHUTDOWN",
                                        "DEADLINE", "SUPERSEDED", "PARENT"};

    return NAME_OF(names, code);
}

const char *canceld_error_code_name(enum canceld_error_code code)
{
#define ERROR_NAME(name, number) [number] = #name,
    static const char *const names[] = {CANCELD_ERROR_TABLE(ERROR_NAME)};

    return NAME_OF(names, code);
}

const char *canceld_history_kind_name(enum canceld_history_kind kind)
{
    static const char *const names[] = {"UNSET", "CANCEL", "BULK", "ARM"};

    return NAME_OF(names, kind);
}
