/* SPDX-License-Identifier: MIT */
/* Who asks, and whether it may: before anything is looked up, so that a refusal tells nothing of what
 * there is. */
#include "registry/state.h"

/* For what is the session's own and for what tells no key: no role is asked for. */
#define NO_ROLE 0U

static const unsigned roles_needed[OP_END] = {
    [OP_OPEN] = ROLE_OWNER | ROLE_CANCELLER | ROLE_READER,
    [OP_STORE] = ROLE_OWNER,
    [OP_ADOPT] = ROLE_OWNER,
    [OP_DELETE] = ROLE_OWNER,
    [OP_TOUCH] = ROLE_OWNER,
    [OP_DETACH] = ROLE_OWNER,
    [OP_CANCEL] = ROLE_CANCELLER,
    [OP_DISARM] = ROLE_CANCELLER,
    [OP_GET] = ROLE_OWNER | ROLE_CANCELLER | ROLE_READER,
    [OP_WAIT] = ROLE_OWNER | ROLE_CANCELLER | ROLE_READER,
    [OP_LIST] = ROLE_READER,
    [OP_COUNT] = ROLE_READER,
    [OP_WATCH] = ROLE_READER,
    [OP_ARMED] = ROLE_READER,
    [OP_HISTORY] = ROLE_READER,
    [OP_DRAIN] = ROLE_ADMIN,
    [OP_UNDRAIN] = ROLE_ADMIN,
    [OP_POLL] = NO_ROLE,
    [OP_PING] = NO_ROLE,
    [OP_STATS] = NO_ROLE,
    [OP_CLOSE] = NO_ROLE,
};

void principal_set(struct principal *principal, struct bytes name)
{
    ASSERT(name.size <= sizeof principal->name);
    principal->rights_version = 0;
    principal->name_size = (uint32_t) name.size;
    if (name.size > 0) {
        memcpy(principal->name, name.data, name.size);
    }
}

struct bytes principal_name(const struct principal *principal)
{
    return bytes_of(principal->name, principal->name_size);
}

static uint32_t number_of(const struct registry *r, struct principal *principal)
{
    if (principal->rights_version != r->rights_version) {
        principal->rights_version = r->rights_version;
        principal->number = r->port.principal(r->port.context, principal_name(principal));
    }
    return principal->number;
}

static struct principal *principal_of(const struct request *q)
{
    return q->session != 0 ? &session_at(q->r, q->session)->principal
                           : &link_at(q->r, q->link)->peer;
}

struct bytes request_peer(const struct request *q)
{
    return principal_name(principal_of(q));
}

/* Whose session it is to be: the token's, where there is one, else the peer's. */
static bool introduce(struct request *q, const struct op *op)
{
    const struct registry *r = q->r;
    q->principal = *principal_of(q);
    if (op->as.open.token.size == 0 || r->port.token == NULL) {
        return true;
    }
    uint8_t name[CAUSE_PEER_BYTES_MAX];
    size_t size = r->port.token(r->port.context, op->as.open.token, name);
    principal_set(&q->principal, bytes_of(name, size));
    return size > 0;
}

bool request_may(struct request *q, const struct op *op)
{
    const struct registry *r = q->r;
    struct principal *principal = principal_of(q);
    struct bytes space = q->space_name;
    if (op->kind == OP_OPEN) {
        if (op->as.open.resume_session != 0) {
            return true; /* its secret says enough */
        }
        if (!introduce(q, op)) {
            return false;
        }
        principal = &q->principal;
    }
    if ((op->kind == OP_DRAIN || op->kind == OP_UNDRAIN) && op->as.drain.daemon) {
        space = bytes_of_string("*");
    }
    if (r->port.roles == NULL || roles_needed[op->kind] == NO_ROLE) {
        return true;
    }
    unsigned roles = r->port.roles(r->port.context, number_of(r, principal), space);
    return (roles & (roles_needed[op->kind] | ROLE_ADMIN)) != 0;
}

void registry_rights_changed(struct registry *r)
{
    r->rights_version++;
    uint32_t end = slab_end(&r->spaces);
    for (uint32_t i = 1; i < end; i++) {
        if (slab_is_live(&r->spaces, i)) {
            space_at(r, i)->limits = space_limits_of(r, 0, space_name(r, i));
        }
    }
}
