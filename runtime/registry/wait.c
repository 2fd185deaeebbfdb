/* SPDX-License-Identifier: MIT */
#include "registry/state.h"

void wait_describe(const struct registry *r, uint32_t index, enum until until,
                   struct result *result)
{
    const struct operation *operation = operation_at(r, index);
    *result = (struct result){
        .answer = ANSWER_TIMED_OUT,
        .gen = operation->gen,
        .cause = cause_get(r, operation->cause),
    };
    if (operation->state == STATE_ENDED) {
        result->answer = ANSWER_ENDED;
        result->outcome = (enum outcome) operation->outcome;
    } else if (operation->state == STATE_CANCELLING && until == UNTIL_CANCELLING) {
        result->answer = ANSWER_CANCELLING;
    } else {
        result->state = (enum state) operation->state;
    }
}

void serve_wait(struct request *q, const struct op *op)
{
    struct registry *r = q->r;
    struct found found = find_newest(q, op);
    if (found.operation == 0) {
        request_tell_found(q, &found);
        return;
    }
    struct result result;
    wait_describe(r, found.operation, (enum until) op->as.wait.until, &result);
    request_told(q, operation_at(r, found.operation)->cause);
    if (result.answer != ANSWER_TIMED_OUT || op->as.wait.deadline_ms == 0) {
        request_tell(q, &result);
        return;
    }
    if (!park_has_room(q, 1, 0)) {
        return;
    }
    uint32_t parked = park(q, OP_WAIT, op->as.wait.deadline_ms, 0);
    parked_at(r, parked)->until = (uint8_t) op->as.wait.until;
    park_tie(r, parked, found.operation, ANSWER_UNSET);
}
