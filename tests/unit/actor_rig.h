/* SPDX-License-Identifier: MIT */
/* What the tests of the actor runtime share: a system on a clock that the test turns, notes
 * (messages that are counted, so that one released twice or never is found out), and probes (actors
 * that write down what they get). */
#ifndef CANCELD_TESTS_ACTOR_RIG_H
#define CANCELD_TESTS_ACTOR_RIG_H

#include "actor/actor.h"
#include "testing.h"

#include <stdlib.h>

#define NOTE_KIND MESSAGE_KIND_FIRST
#define PROBE_SEEN_MAX 64

/* Notes that were made and not released. */
static _Atomic(int) notes_alive;

struct note {
    struct message message;
    uint64_t number;
    uint32_t sender;
};

static inline struct note *note_of(struct message *message)
{
    return (struct note *) message;
}

static inline void note_release(struct message *message)
{
    CHECK(!message->queued);
    (void) atomic_fetch_sub(&notes_alive, 1);
    free(message);
}

static inline struct message *note_new(uint64_t number)
{
    struct note *note = calloc(1, sizeof *note);
    CHECK(note != NULL);
    note->message.kind = NOTE_KIND;
    note->message.release = note_release;
    note->number = number;
    (void) atomic_fetch_add(&notes_alive, 1);
    return &note->message;
}

/* ---- a system with one loop, on a clock of its own ---- */

struct rig {
    struct actor_system *system;
    struct actor_loop *loop;
    struct clock clock;
    uint64_t now_ns;
};

static inline uint64_t rig_now_ns(void *context)
{
    return ((struct rig *) context)->now_ns;
}

static inline void rig_init(struct rig *rig, uint32_t mailbox_max)
{
    *rig = (struct rig){.now_ns = 1000};
    rig->clock = (struct clock){.now_ns = rig_now_ns, .context = rig};
    const struct actor_options options = {
        .clock = &rig->clock, .actors_max = 100, .mailbox_max = mailbox_max};
    rig->system = actor_system_new(&options);
    CHECK(rig->system != NULL);
    rig->loop = actor_loop_new(rig->system, "rig");
    CHECK(rig->loop != NULL);
}

/* The same on the real clock, for loops with a thread. */
static inline void rig_init_real(struct rig *rig, uint32_t mailbox_max)
{
    *rig = (struct rig){0};
    const struct actor_options options = {.actors_max = 100, .mailbox_max = mailbox_max};
    rig->system = actor_system_new(&options);
    CHECK(rig->system != NULL);
    rig->loop = actor_loop_new(rig->system, "rig");
    CHECK(rig->loop != NULL);
}

/* By hand, until nothing is left to do. */
static inline void rig_run(struct rig *rig)
{
    while (actor_loop_step(rig->loop, 1)) {
    }
}

/* Nothing may be left behind. */
static inline void rig_fini(struct rig *rig)
{
    actor_system_free(rig->system);
    CHECK_EQ(notes_alive, 0);
}

static inline void rig_tell(struct rig *rig, uint64_t to, uint64_t number)
{
    CHECK_EQ(actor_tell(rig->system, to, note_new(number)), STATUS_OK);
}

/* ---- probes ---- */

struct probe {
    struct actor *actor;
    uint64_t address;
    /* What to do with a note; NULL: write its number down and release it. */
    void (*on_note)(struct probe *probe, struct message *message);
    void *extra;             /* the test's */
    struct probe *other;     /* the test's */
    struct promise *promise; /* the test's */
    uint64_t seen[PROBE_SEEN_MAX];
    uint32_t seen_count;
    uint32_t downs_count;
    uint64_t down_address;
    uint32_t stops_count;
};

static inline void probe_note(struct probe *probe, struct message *message)
{
    CHECK_LT(probe->seen_count, PROBE_SEEN_MAX);
    probe->seen[probe->seen_count++] = note_of(message)->number;
    message_release(message);
}

static inline void probe_on_message(struct actor *self, struct message *message)
{
    struct probe *probe = actor_state(self);
    CHECK(actor_self(self) == message->to);
    if (message->kind == MESSAGE_DOWN) {
        probe->downs_count++;
        probe->down_address = ((struct message_down *) message)->address;
        CHECK_LT(probe->seen_count, PROBE_SEEN_MAX);
        probe->seen[probe->seen_count++] = UINT64_MAX;
        message_release(message);
    } else if (probe->on_note != NULL) {
        probe->on_note(probe, message);
    } else {
        probe_note(probe, message);
    }
}

static inline void probe_on_stop(struct actor *self)
{
    struct probe *probe = actor_state(self);
    probe->stops_count++;
}

static const struct actor_class probe_class = {
    .name = "probe", .on_message = probe_on_message, .on_stop = probe_on_stop};

static inline void probe_spawn_on(struct actor_loop *loop, struct probe *probe)
{
    CHECK_EQ(actor_spawn(loop, &probe_class, probe, &probe->actor), STATUS_OK);
    probe->address = actor_self(probe->actor);
}

static inline void probe_spawn(struct rig *rig, struct probe *probe)
{
    probe_spawn_on(rig->loop, probe);
}

/* Ends its actor, from within. */
static inline void probe_exit_on_note(struct probe *probe, struct message *message)
{
    message_release(message);
    actor_exit(probe->actor);
}

#endif
