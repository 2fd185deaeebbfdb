/* SPDX-License-Identifier: MIT */
/* Adoption: a daemon that was restarted knows no operation. In the first session with it each one that is held here
 * and has not ended is adopted, under its old gen.
 *
 *   operations ----> to_adopt ----> adopts, then frames ----> operations
 *              new epoch      request                answer: ADOPTED, or LOST
 *                   ^                  |
 *                   +------------------+  the session was lost, or the daemon restarted, before the answer
 *
 * All of it is harmless to do twice: the daemon answers ADOPTED again for what its session has already. The queue
 * stands still until each adopt is answered, for a request that names a gen must not come before it. But not for
 * those that were applied and only the journal does not have: its disk may be full for long. */
#include "engine_parts.h"

bool engine_is_adopting(const struct engine *engine)
{
    return !link_is_alone(&engine->to_adopt) || engine->adopts_count > engine->adopts_unjournaled;
}

void operation_stray_to_adopt(struct engine *engine, struct canceld_operation *operation)
{
    link_remove(&operation->all_link);
    list_append(&engine->to_adopt, &operation->all_link);
}

static bool operation_adopt(struct engine *engine, struct canceld_operation *operation,
                            uint64_t now_ns)
{
    struct adoption adoption = {.stored = &operation->stored,
                                .gen = operation->gen,
                                .previous_session = operation->session};
    struct request *request = NULL;

    if ((operation->given & TOLD_CANCEL) != 0)
        adoption.cause = &operation->cause;
    if (request_new_adopt(&adoption, &request) != CANCELD_OK)
        return false;
    request->submitted_ns = now_ns;
    request->operation = operation;
    operation->ours = request;
    engine->adopts_count++;
    list_append(&engine->adopts, &request->link);
    return true;
}

void operations_adopt(struct engine *engine, uint64_t now_ns)
{
    while (engine->adopts_count - engine->adopts_unjournaled < ENGINE_ADOPTS_MAX &&
           !link_is_alone(&engine->to_adopt)) {
        struct link *link = engine->to_adopt.next;

        if (!operation_adopt(engine, LINK_OWNER(link, struct canceld_operation, all_link),
                             now_ns)) {
            engine->starved = true;
            return;
        }
        link_remove(link);
        list_append(&engine->operations, link);
    }
}

void operation_not_adopted(struct engine *engine, struct canceld_operation *operation)
{
    /* Its owner's delete may have overtaken an adopt that the journal does not have. */
    if (!operation->gone)
        operation_stray_to_adopt(engine, operation);
}

void operation_adopted(struct engine *engine, struct canceld_operation *operation,
                       const struct canceld_result *result)
{
    struct canceld_notice notice = {.outcome = result->outcome, .cause = result->cause};
    bool cancelled =
        result->state == CANCELD_STATE_CANCELLING || result->cause.code != CANCELD_CAUSE_UNSET;

    if (result->answer == CANCELD_ANSWER_ADOPTED) {
        operation->session = engine->session;
        operation->given &= (uint8_t) ~TOLD_LOST_POSSIBLE;
        operation->delivered &= (uint8_t) ~TOLD_LOST_POSSIBLE;
        if (cancelled)
            operation_tell(engine, operation, TOLD_CANCEL, &notice);
        return;
    }
    operation->astray = true;
    operation_tell(engine, operation, cancelled ? TOLD_LOST | TOLD_CANCEL : TOLD_LOST, &notice);
}

void adoption_check(struct engine *engine)
{
    if (!engine->adopting || engine->phase != ENGINE_READY || engine->adopts_count > 0 ||
        !link_is_alone(&engine->to_adopt))
        return;
    engine->adopting = false;
    event_push(engine, CANCELD_EVENT_ADOPTED);
}

void operation_ended(struct canceld_operation *operation)
{
    operation->end = NULL;
    if (!operation->orphan)
        return;
    if (operation->ours != NULL)
        operation->ours->operation = NULL;
    operation->ours = NULL;
    link_remove(&operation->all_link);
    operation_free(operation);
}
