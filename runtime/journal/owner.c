/* SPDX-License-Identifier: MIT */
/* The owner's side of the journal. */
#include "journal/journal_state.h"

#include <stdlib.h>

/* ---- records ---- */

uint64_t journal_pending(const struct journal *journal)
{
    return journal->filling->size + (journal->under_way == NULL ? 0 : journal->under_way->size);
}

/* Without it a cancel is held for longer than it has to be, and that is all. */
static bool is_dispensable(enum journal_kind kind)
{
    return kind == JOURNAL_END || kind == JOURNAL_BULK_DONE || kind == JOURNAL_BULK_SETTLED;
}

static bool has_room(struct journal *journal, enum journal_kind kind)
{
    const uint64_t wanted = journal_pending(journal) + BATCH_RECORD_BYTES_MAX;
    const uint64_t bytes_max = journal->options.bytes_max;
    if (is_dispensable(kind) && wanted > bytes_max * JOURNAL_OVER_ENDS_FACTOR) {
        journal->ends_dropped++;
        return false;
    }
    if (wanted > bytes_max * JOURNAL_OVER_FACTOR) {
        journal->overrun = true;
        return false;
    }
    return true;
}

void journal_append(struct journal *journal, const struct journal_record *record)
{
    journal->last_number++;
    if (!has_room(journal, record->kind)) {
        return;
    }
    const struct stamped_record stamped = {.record = *record,
                                           .at_unix_ms = journal->options.wall_ms(),
                                           .age_ms = journal_file_age_ms(journal->file)};
    batch_append(journal->filling, &stamped);
    actor_sweep_soon(journal->self); /* it may come out of the registry's sweep, behind ours */
}

void journal_flush(struct journal *journal)
{
    struct batch *batch = journal->filling;
    if (journal->under_way != NULL || batch->size == 0) {
        return;
    }
    batch->last_number = journal->last_number;
    batch->message.kind = JOURNAL_WRITE;
    journal->under_way = batch;
    journal->filling = batch == &journal->batches[0] ? &journal->batches[1] : &journal->batches[0];
    const enum status status =
        actor_tell(journal->system, actor_self(journal->writer.self), &batch->message);
    ASSERT(status == STATUS_OK); /* a control message, and that loop ends after this one */
}

/* ---- what comes back ---- */

/* Four steps an octave: 0, 1, 2, 3, 4, 5, 6, 7, 8-9, 10-11, ... */
static size_t bucket_of(uint64_t us)
{
    uint64_t octave = 0;
    if (us < 4) {
        return (size_t) us;
    }
    while (us >> octave >= 8) {
        octave++;
    }
    const size_t bucket = (size_t) (octave * 4 + (us >> octave));
    return bucket < COMMIT_BUCKETS ? bucket : COMMIT_BUCKETS - 1;
}

/* The longest time that falls into it. */
static uint64_t bucket_end_us(size_t bucket)
{
    if (bucket < 8) {
        return bucket;
    }
    const uint64_t octave = bucket / 4 - 1;
    return ((bucket % 4 + 5) << octave) - 1;
}

static uint64_t commit_us(const struct journal *journal, uint64_t per_mille)
{
    uint64_t sum = 0;
    const uint64_t wanted = (journal->batches_kept * per_mille + 999) / 1000;
    for (size_t i = 0; i < COMMIT_BUCKETS; i++) {
        sum += journal->commits[i];
        if (sum >= wanted && sum > 0) {
            return bucket_end_us(i);
        }
    }
    return 0;
}

static void on_kept(struct journal *journal, struct batch *batch)
{
    ASSERT(batch == journal->under_way);
    journal->under_way = NULL;
    journal->failing = false;
    journal->figures = batch->figures;
    journal->records += batch->count;
    journal->batches_kept++;
    journal->commits[bucket_of(batch->figures.commit_us)]++;
    batch_clear(batch);
    if (!journal->overrun) {
        journal->handler.kept(journal->handler.context, batch->last_number);
    }
}

static void on_failed(struct journal *journal, const struct writer_failed *failed)
{
    journal->failing = true;
    journal->figures = failed->figures;
    journal->handler.failed(journal->handler.context);
}

static void history_free(struct history_ask *ask)
{
    free(ask->page.entries);
    free(ask->page.texts);
    ask->page = (struct history_page){0};
    ask->busy = false;
}

static void on_history(struct journal *journal, struct history_ask *ask)
{
    const struct history_page *page = &ask->page;
    journal->handler.history(journal->handler.context, ask->ticket, page->entries,
                             ask->failed ? 0 : page->entries_count,
                             ask->failed ? 0 : page->next_cursor, ask->failed);
    history_free(ask);
}

static void on_message(struct actor *self, struct message *message)
{
    struct journal *journal = actor_state(self);
    switch (message->kind) {
    case JOURNAL_KEPT:
        on_kept(journal, (struct batch *) message);
        break;
    case JOURNAL_FAILED:
        on_failed(journal, (const struct writer_failed *) message);
        break;
    case JOURNAL_HISTORY:
        on_history(journal, (struct history_ask *) message);
        break;
    default:
        message_release(message);
        break;
    }
}

static uint64_t on_sweep(struct actor *self, uint64_t now_ns)
{
    struct journal *journal = actor_state(self);
    (void) now_ns;
    if (journal->overrun && !journal->overrun_told) {
        journal->overrun_told = true;
        journal->handler.failed(journal->handler.context);
    }
    journal_flush(journal);
    return TIME_NEVER; /* the next batch goes when this one is back, which is a message */
}

const struct actor_class journal_owner_class = {
    .name = "journal", .on_message = on_message, .on_sweep = on_sweep};

/* ---- history ---- */

static struct history_ask *history_find(struct journal *journal)
{
    for (size_t i = 0; i < JOURNAL_HISTORIES_MAX; i++) {
        if (!journal->histories[i].busy) {
            return &journal->histories[i];
        }
    }
    return NULL;
}

/* A query that fills its page has room for it: of items_max entries, and no texts beyond a frame's.
 */
static bool history_make(struct history_ask *ask, uint64_t ticket,
                         const struct history_query *query)
{
    *ask = (struct history_ask){.message = {.kind = JOURNAL_HISTORY, .control = true},
                                .busy = true,
                                .ticket = ticket,
                                .query = *query};
    ASSERT(query->space.size <= sizeof ask->space && query->key.size <= sizeof ask->key);
    ASSERT(query->items_max <= HISTORY_ITEMS_MAX && query->bytes_max <= FRAME_BYTES_MAX);
    if (query->space.size > 0) {
        memcpy(ask->space, query->space.data, query->space.size);
    }
    if (query->key.size > 0) {
        memcpy(ask->key, query->key.data, query->key.size);
    }
    ask->query.space = bytes_of(ask->space, query->space.size);
    ask->query.key = bytes_of(ask->key, query->key.size);
    ask->page.entries = calloc(query->items_max + 1, sizeof *ask->page.entries);
    ask->page.texts = malloc(query->bytes_max + 1);
    return ask->page.entries != NULL && ask->page.texts != NULL;
}

bool journal_history(struct journal *journal, uint64_t ticket, const struct history_query *query)
{
    struct history_ask *ask = history_find(journal);
    if (ask == NULL) {
        return false;
    }
    if (!history_make(ask, ticket, query)) {
        history_free(ask);
        return false;
    }
    const enum status status =
        actor_tell(journal->system, actor_self(journal->writer.self), &ask->message);
    ASSERT(status == STATUS_OK); /* as in journal_flush() */
    return true;
}

/* ---- figures ---- */

int journal_trouble(const struct journal *journal)
{
    if (journal->overrun) {
        return JOURNAL_OVERRUN;
    }
    return journal->failing ? (int) journal->figures.error : 0;
}

const char *journal_trouble_text(int trouble)
{
    return trouble == JOURNAL_OVERRUN
               ? "it lost records that it had no room for: raise --limit-journal-bytes"
               : journal_file_error_text(trouble);
}

size_t journal_stats(const struct journal *journal, struct stat_row out[JOURNAL_STATS_COUNT])
{
    const struct stat_row rows[] = {
        {"journal_records", journal->records},
        {"journal_batches", journal->batches_kept},
        {"journal_bytes_pending", journal_pending(journal)},
        {"journal_failing", journal->failing},
        {"journal_failures", journal->figures.failures},
        {"journal_error", journal->figures.error},
        {"journal_commit_us_p50", commit_us(journal, 500)},
        {"journal_commit_us_p99", commit_us(journal, 990)},
        {"journal_commit_us_max", commit_us(journal, 1000)},
        {"journal_file_bytes", journal->figures.file_bytes},
        {"journal_expired_unsettled", journal->figures.expired_unsettled},
        {"journal_ends_dropped", journal->ends_dropped},
        {"journal_overrun", journal->overrun},
    };
    _Static_assert(sizeof rows / sizeof rows[0] == JOURNAL_STATS_COUNT, "as the header says");
    memcpy(out, rows, sizeof rows);
    return JOURNAL_STATS_COUNT;
}
