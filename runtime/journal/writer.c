/* SPDX-License-Identifier: MIT */
#include "journal/writer.h"

static void tell(struct writer *writer, struct message *message)
{
    /* Refused only when the owner's loop has ended; then what it would have learned is looked at
     * where the batch stands. */
    const enum status status = actor_tell(actor_system_of(writer->self), writer->asker, message);
    ASSERT(status == STATUS_OK || status == STATUS_DEAD);
}

static void tidy_later(struct writer *writer, bool more)
{
    const uint64_t now_ns = actor_now_ns(writer->self);
    actor_timer_set(writer->self, &writer->tidy,
                    more ? now_ns : time_after(now_ns, JOURNAL_RETAIN_MS * NS_PER_MS));
}

static void tell_kept(struct writer *writer)
{
    struct batch *batch = writer->batch;
    writer->batch = NULL;
    writer->told_failed = false;
    journal_file_figures(writer->file, &batch->figures);
    batch->figures.commit_us = (clock_now_ns(writer->clock) - writer->batch_since_ns) / 1000;
    batch->message.kind = JOURNAL_KEPT;
    tell(writer, &batch->message);
}

static void tell_failed(struct writer *writer)
{
    if (writer->told_failed) {
        return;
    }
    writer->told_failed = true;
    writer->failed = (struct writer_failed){.message = {.kind = JOURNAL_FAILED, .control = true}};
    journal_file_figures(writer->file, &writer->failed.figures);
    tell(writer, &writer->failed.message);
}

static void try_batch(struct writer *writer)
{
    if (!journal_file_keep(writer->file, writer->batch)) {
        actor_timer_set(writer->self, &writer->retry,
                        time_after(actor_now_ns(writer->self), JOURNAL_RETRY_MS * NS_PER_MS));
        tell_failed(writer);
        return;
    }
    tell_kept(writer);
    tidy_later(writer, journal_file_tidy(writer->file));
}

static void on_retry(struct actor *self, struct actor_timer *timer)
{
    (void) timer;
    try_batch(actor_state(self));
}

static void on_tidy(struct actor *self, struct actor_timer *timer)
{
    struct writer *writer = actor_state(self);
    (void) timer;
    tidy_later(writer, journal_file_tidy(writer->file));
}

static void on_check(struct actor *self, struct actor_timer *timer)
{
    struct writer *writer = actor_state(self);
    const uint64_t wait_ms = journal_file_check(writer->file);
    actor_timer_set(self, timer, time_after(actor_now_ns(self), wait_ms * NS_PER_MS));
    if (journal_file_is_damaged(writer->file)) {
        tell_failed(writer); /* also where there is no batch: nothing will be kept again */
    }
}

static void write_batch(struct writer *writer, struct batch *batch)
{
    ASSERT(writer->batch == NULL);
    writer->batch = batch;
    writer->batch_since_ns = clock_now_ns(writer->clock);
    try_batch(writer);
}

static void read_page(struct writer *writer, struct history_ask *ask)
{
    ask->failed = !journal_file_history(writer->file, &ask->query, &ask->page);
    tell(writer, &ask->message);
}

static void on_message(struct actor *self, struct message *message)
{
    struct writer *writer = actor_state(self);
    switch (message->kind) {
    case JOURNAL_WRITE:
        write_batch(writer, (struct batch *) message);
        break;
    case JOURNAL_HISTORY:
        read_page(writer, (struct history_ask *) message);
        break;
    default:
        message_release(message);
        break;
    }
}

static const struct actor_class writer_class = {.name = "journal", .on_message = on_message};

enum status writer_init(struct writer *writer, struct actor_loop *loop, struct journal_file *file,
                        const struct clock *clock)
{
    *writer = (struct writer){.file = file,
                              .clock = clock,
                              .retry = {.on_fire = on_retry},
                              .tidy = {.on_fire = on_tidy},
                              .check = {.on_fire = on_check}};
    const enum status status = actor_spawn(loop, &writer_class, writer, &writer->self);
    if (status == STATUS_OK) {
        tidy_later(writer, true); /* the retention's first look is at the start */
        actor_timer_set(writer->self, &writer->check,
                        time_after(actor_now_ns(writer->self), JOURNAL_CHECK_FIRST_MS * NS_PER_MS));
    }
    return status;
}
