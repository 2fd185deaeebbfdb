/* SPDX-License-Identifier: MIT */
/* The queue is D. Vyukov's intrusive many-to-one one (1024cores.net, "Intrusive MPSC node-based
 * queue"): a sender swaps itself in as the newest and then links itself behind the one it found
 * there. Between the two steps the chain has a gap, and the receiver sees nothing behind it: it
 * comes back later.
 *
 * One word, `state`, holds what the queue cannot say:
 *   bits  0-31  ordinary messages in the mailbox, pushes under way included
 *   bits 32-61  control messages, likewise
 *   bit  62     the receiver sleeps, or is about to
 *   bit  63     closed
 * A sender counts itself in before it touches the queue, and the receiver counts out only what it
 * has taken. So a count of zero proves the queue empty without a gap, and the three questions that
 * race (is there room, is it closed, must I wake) are answered by one read-modify-write each. All
 * of them are relaxed: every answer hangs on the order of changes of this one word, which all
 * threads agree on, and what a message holds is handed over by the queue's own links. */
#include "actor/mailbox.h"

#include <errno.h>
#include <unistd.h>

#define ORDINARY_ONE UINT64_C(1)
#define ORDINARY_MASK UINT64_C(0xffffffff)
#define CONTROL_ONE (UINT64_C(1) << 32)
#define ASLEEP (UINT64_C(1) << 62)
#define CLOSED (UINT64_C(1) << 63)
#define COUNTS_MASK (ASLEEP - 1)

bool mailbox_init(struct mailbox *mailbox, uint32_t messages_max)
{
    ASSERT(messages_max > 0);
    *mailbox =
        (struct mailbox){.messages_max = messages_max, .oldest = &mailbox->stub, .alarm_fd = -1};
    atomic_init(&mailbox->newest, &mailbox->stub);
    return wake_init(&mailbox->wake);
}

void mailbox_fini(struct mailbox *mailbox)
{
    ASSERT(mailbox_is_empty(mailbox));
    wake_fini(&mailbox->wake);
}

static void link_newest(struct mailbox *mailbox, struct message *message)
{
    /* Relaxed: nobody else can reach the message yet. */
    atomic_store_explicit(&message->next, NULL, memory_order_relaxed);
    /* Acquire and release, against the other senders: the one before has cleared its `next` before
     * we link ourselves there, and ours is cleared before the one after us does. */
    struct message *before =
        atomic_exchange_explicit(&mailbox->newest, message, memory_order_acq_rel);
    /* Release, against the receiver's acquire of `next`: it sees all that was written into the
     * message. */
    atomic_store_explicit(&before->next, message, memory_order_release);
}

static void ring(int alarm_fd)
{
    const uint64_t once = 1;
    /* Never full: 2^64 - 2 rings fit. */
    ssize_t written = write(alarm_fd, &once, sizeof once);
    ASSERT(written == (ssize_t) sizeof once);
}

static void wake_receiver(struct mailbox *mailbox)
{
    /* Of the senders that saw it asleep, the one that clears the bit wakes it. That the message is
     * linked before the signal is the doing of the mutex in it. */
    /* Acquire, against the release in mailbox_doze(): alarm_fd is there. */
    uint64_t before = atomic_fetch_and_explicit(&mailbox->state, ~ASLEEP, memory_order_acquire);
    if ((before & ASLEEP) == 0) {
        return;
    }
    if (mailbox->alarm_fd >= 0) {
        ring(mailbox->alarm_fd);
    } else {
        wake_signal(&mailbox->wake);
    }
}

enum status mailbox_push(struct mailbox *mailbox, struct message *message)
{
    ASSERT(!message->queued);
    uint64_t one = message->control ? CONTROL_ONE : ORDINARY_ONE;
    uint64_t before = atomic_fetch_add_explicit(&mailbox->state, one, memory_order_relaxed);
    if ((before & CLOSED) != 0) {
        (void) atomic_fetch_sub_explicit(&mailbox->state, one, memory_order_relaxed);
        return STATUS_DEAD;
    }
    if (!message->control && (before & ORDINARY_MASK) >= mailbox->messages_max) {
        (void) atomic_fetch_sub_explicit(&mailbox->state, one, memory_order_relaxed);
        /* Relaxed: a figure for people, it orders nothing. */
        (void) atomic_fetch_add_explicit(&mailbox->refused, 1, memory_order_relaxed);
        return STATUS_FULL;
    }
    message->queued = true;
    link_newest(mailbox, message);
    if ((before & ASLEEP) != 0) {
        wake_receiver(mailbox);
    }
    return STATUS_OK;
}

/* Acquire, against the release in link_newest(). */
static struct message *next_of(struct message *message)
{
    return atomic_load_explicit(&message->next, memory_order_acquire);
}

static struct message *pop_one(struct mailbox *mailbox)
{
    struct message *oldest = mailbox->oldest;
    struct message *next = next_of(oldest);
    if (oldest == &mailbox->stub) {
        if (next == NULL) {
            return NULL;
        }
        mailbox->oldest = next;
        oldest = next;
        next = next_of(oldest);
    }
    if (next == NULL) {
        /* The last one: it can leave only when something stands behind it. Acquire, against a
         * sender's exchange: where it is the newest no sender is linking itself behind it. */
        if (atomic_load_explicit(&mailbox->newest, memory_order_acquire) != oldest) {
            return NULL;
        }
        link_newest(mailbox, &mailbox->stub);
        next = next_of(oldest);
        if (next == NULL) {
            return NULL;
        }
    }
    mailbox->oldest = next;
    return oldest;
}

uint32_t mailbox_pop(struct mailbox *mailbox, struct message **messages, uint32_t count_max)
{
    uint32_t count = 0;
    uint64_t taken = 0;
    while (count < count_max) {
        struct message *message = pop_one(mailbox);
        if (message == NULL) {
            break;
        }
        message->queued = false;
        taken += message->control ? CONTROL_ONE : ORDINARY_ONE;
        messages[count++] = message;
    }
    if (taken != 0) {
        (void) atomic_fetch_sub_explicit(&mailbox->state, taken, memory_order_relaxed);
    }
    return count;
}

void mailbox_set_alarm(struct mailbox *mailbox, int alarm_fd)
{
    mailbox->alarm_fd = alarm_fd;
}

bool mailbox_doze(struct mailbox *mailbox)
{
    /* From zero alone: a sender that counted itself in before makes this fail, one that comes after
     * sees the bit and wakes us. So no message is slept through. */
    uint64_t idle = 0;
    /* Release, against the acquire in wake_receiver(). */
    return atomic_compare_exchange_strong_explicit(&mailbox->state, &idle, ASLEEP,
                                                   memory_order_release, memory_order_relaxed);
}

/* A sender that cleared the bit just before still signals, and the next sleep ends at once for
 * nothing. */
void mailbox_rouse(struct mailbox *mailbox)
{
    (void) atomic_fetch_and_explicit(&mailbox->state, ~ASLEEP, memory_order_relaxed);
}

enum mailbox_sleep mailbox_sleep(struct mailbox *mailbox, uint64_t timeout_ns)
{
    if (!mailbox_doze(mailbox)) {
        return MAILBOX_NOT_EMPTY;
    }
    bool woken = wake_wait(&mailbox->wake, timeout_ns);
    mailbox_rouse(mailbox);
    return woken ? MAILBOX_WOKEN : MAILBOX_TIMED_OUT;
}

void mailbox_close(struct mailbox *mailbox)
{
    (void) atomic_fetch_or_explicit(&mailbox->state, CLOSED, memory_order_relaxed);
}

bool mailbox_is_empty(const struct mailbox *mailbox)
{
    return (atomic_load_explicit(&mailbox->state, memory_order_relaxed) & COUNTS_MASK) == 0;
}

uint64_t mailbox_refused(const struct mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->refused, memory_order_relaxed);
}
