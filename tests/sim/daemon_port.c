/* SPDX-License-Identifier: MIT */
#include "sim/daemon_state.h"

#include <stdlib.h>

/* Whether this output is made. */
static bool output(struct daemon *daemon, enum sometimes which)
{
    struct world *world = daemon->world;
    if (daemon->is_dying) {
        return false;
    }
    daemon->outputs_count++;
    world->figures->outputs++;
    if (world->plan.kill_output == daemon->outputs_count) {
        world->figures->fault[FAULT_DAEMON_KILLED]++;
        world->figures->faults++;
        daemon->is_dying = true;
    } else if (world_fault(world, FAULT_DAEMON_KILLED, 45)) {
        daemon->is_dying = true;
    }
    if (daemon->is_dying) {
        world_sometimes(world, which);
        /* Before it, or just after it. */
        return daemon->outputs_count % 2 == 0;
    }
    return true;
}

void *daemon_room(uint8_t **data, size_t *capacity, size_t size)
{
    if (size > *capacity) {
        *capacity = 2 * size + 1024;
        *data = realloc(*data, *capacity);
        ASSERT(*data != NULL);
    }
    return *data;
}

static void port_send(void *context, const struct reply_to *to, struct bytes reply)
{
    struct daemon *daemon = context;
    if (!output(daemon, SOMETIMES_DIED_AT_REPLY)) {
        return;
    }
    struct sp_route route = {.words_count = to->route_words};
    memcpy(route.words, to->route, sizeof route.words);
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        struct end *end = &daemon->ends[i];
        if (end->address != to->link) {
            continue;
        }
        daemon_room(&end->output, &end->output_capacity,
                    end->output_size + SP_HEAD_BYTES_MAX + reply.size);
        if (end->frames_count < LINK_FRAMES_MAX) {
            end->frames[end->frames_count++] = end->output_size;
        }
        end->output_size +=
            sp_write_head(SP_FRAMING_IPC, &route, reply.size, end->output + end->output_size);
        memcpy(end->output + end->output_size, reply.data, reply.size);
        end->output_size += reply.size;
        return;
    }
}

static const struct {
    enum error_code code;
    enum sometimes which;
} errors_seen[] = {{ERROR_NOT_BOUND, SOMETIMES_NOT_BOUND},
                   {ERROR_TOO_OLD, SOMETIMES_TOO_OLD},
                   {ERROR_JOURNAL, SOMETIMES_JOURNAL_REFUSED}};

static size_t port_head(void *context, const struct reply_head *head, uint8_t *out, size_t size)
{
    struct daemon *daemon = context;
    for (size_t i = 0; i < sizeof errors_seen / sizeof errors_seen[0]; i++) {
        if (head->error.code == errors_seen[i].code) {
            world_sometimes(daemon->world, errors_seen[i].which);
        }
    }
    return codec_head(NULL, head, out, size);
}

static size_t port_result(void *context, const struct result *result, uint8_t *out, size_t size)
{
    struct daemon *daemon = context;
    if (result->answer == ANSWER_RECOVERING) {
        world_sometimes(daemon->world, SOMETIMES_RECOVERING_WIRE);
    }
    return codec_result(NULL, result, out, size);
}

static bool port_next_epoch(void *context, uint64_t *epoch_out)
{
    struct daemon *daemon = context;
    *epoch_out = ++daemon->epoch;
    return true;
}

static void port_journal(void *context, const struct journal_record *record)
{
    struct daemon *daemon = context;
    if (output(daemon, SOMETIMES_DIED_AT_RECORD)) {
        disk_append(&daemon->disk, record);
    }
}

static bool port_history(void *context, uint64_t ticket, const struct history_query *query)
{
    (void) context;
    (void) ticket;
    (void) query;
    return false;
}

static uint64_t port_journal_pending(void *context)
{
    const struct daemon *daemon = context;
    return disk_pending(&daemon->disk);
}

static size_t port_token(void *context, struct bytes token, uint8_t name_out[CAUSE_PEER_BYTES_MAX])
{
    (void) context;
    (void) token;
    (void) name_out;
    return 0;
}

static uint32_t port_principal(void *context, struct bytes name)
{
    (void) context;
    return (uint32_t) name.size + 1;
}

/* Everything everywhere, but nothing in the namespace "x". */
static uint32_t port_roles(void *context, uint32_t principal, struct bytes space)
{
    (void) context;
    (void) principal;
    return bytes_equal(space, bytes_of_string("x")) ? 0 : ROLES_ALL;
}

static void port_space_limits(void *context, struct bytes space, struct space_limits *limits)
{
    (void) context;
    (void) space;
    (void) limits;
}
struct registry_port daemon_port(struct daemon *daemon)
{
    const struct flavour *flavour = &daemon->world->flavour;
    return (struct registry_port){.context = daemon,
                                  .send = port_send,
                                  .head = port_head,
                                  .result = port_result,
                                  .next_epoch = port_next_epoch,
                                  .journal = flavour->has_journal ? port_journal : NULL,
                                  .history = flavour->has_journal ? port_history : NULL,
                                  .journal_pending =
                                      flavour->has_journal ? port_journal_pending : NULL,
                                  .token = flavour->has_rights ? port_token : NULL,
                                  .principal = flavour->has_rights ? port_principal : NULL,
                                  .roles = flavour->has_rights ? port_roles : NULL,
                                  .space_limits = flavour->has_rights ? port_space_limits : NULL};
}
