/* SPDX-License-Identifier: MIT */
/* Who may do what: the table of the wire contract. */
#include "model/model_parts.h"

#define ROLE_ANY (ROLE_OWNER | ROLE_CANCELLER | ROLE_READER | ROLE_ADMIN)

/* Any of these will do; none: nobody is asked. */
static const uint8_t roles_of[OP_END] = {
    [OP_STORE] = ROLE_OWNER | ROLE_ADMIN,
    [OP_ADOPT] = ROLE_OWNER | ROLE_ADMIN,
    [OP_DELETE] = ROLE_OWNER | ROLE_ADMIN,
    [OP_TOUCH] = ROLE_OWNER | ROLE_ADMIN,
    [OP_DETACH] = ROLE_OWNER | ROLE_ADMIN,
    [OP_CANCEL] = ROLE_CANCELLER | ROLE_ADMIN,
    [OP_DISARM] = ROLE_CANCELLER | ROLE_ADMIN,
    [OP_GET] = ROLE_ANY,
    [OP_WAIT] = ROLE_ANY,
    [OP_LIST] = ROLE_READER | ROLE_ADMIN,
    [OP_COUNT] = ROLE_READER | ROLE_ADMIN,
    [OP_WATCH] = ROLE_READER | ROLE_ADMIN,
    [OP_ARMED] = ROLE_READER | ROLE_ADMIN,
    [OP_HISTORY] = ROLE_READER | ROLE_ADMIN,
    [OP_DRAIN] = ROLE_ADMIN,
    [OP_UNDRAIN] = ROLE_ADMIN,
};

bool model_is_allowed(const struct model *model, const struct model_request *request,
                      const struct op *op)
{
    struct bytes space = model_space(request, op);
    bool is_daemon = (op->kind == OP_DRAIN || op->kind == OP_UNDRAIN) && op->as.drain.daemon;
    if (model->port.roles == NULL || roles_of[op->kind] == 0) {
        return true;
    }
    space = is_daemon ? bytes_of_string("*") : space;
    return (model->port.roles(model->port.context, request->peer, space) & roles_of[op->kind]) != 0;
}
