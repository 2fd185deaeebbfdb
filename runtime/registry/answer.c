/* SPDX-License-Identifier: MIT */
#include "registry/answer.h"

const char *answer_name(enum answer answer)
{
    switch (answer) {
#define ANSWER_CASE(name, number)                                                                  \
    case ANSWER_##name:                                                                            \
        return #name;
        ANSWER_TABLE(ANSWER_CASE)
#undef ANSWER_CASE
    case ANSWER_UNSET:
    case ANSWER_END:
        break;
    }
    return "?";
}
