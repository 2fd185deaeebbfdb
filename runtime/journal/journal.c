/* SPDX-License-Identifier: MIT */
#include "journal/journal_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static enum status out_of_memory(char error[JOURNAL_ERROR_BYTES])
{
    (void) snprintf(error, JOURNAL_ERROR_BYTES,
                    "there is no memory for the journal: lower --limit-journal-bytes");
    return STATUS_NO_MEMORY;
}

/* Address space for all that may come; memory is taken as it fills. */
static bool batches_init(struct journal *journal)
{
    const size_t bytes_max = (size_t) (journal->options.bytes_max * JOURNAL_OVER_FACTOR);
    journal->filling = &journal->batches[0];
    return batch_init(&journal->batches[0], bytes_max) &&
           batch_init(&journal->batches[1], bytes_max);
}

static enum status compose(struct journal *journal, char error[JOURNAL_ERROR_BYTES])
{
    if (!batches_init(journal)) {
        return out_of_memory(error);
    }
    const enum status status = journal_file_open(&journal->options.file, &journal->file, error);
    if (status != STATUS_OK) {
        return status;
    }
    journal_file_figures(journal->file, &journal->figures);
    journal->loop = actor_loop_new(journal->system, "journal");
    if (journal->loop == NULL || writer_init(&journal->writer, journal->loop, journal->file,
                                             journal->options.file.clock) != STATUS_OK) {
        return out_of_memory(error);
    }
    return STATUS_OK;
}

enum status journal_open(struct actor_system *system, const struct journal_options *options,
                         struct journal **journal_out, char error[JOURNAL_ERROR_BYTES])
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) {
        return out_of_memory(error);
    }
    journal->options = *options;
    journal->system = system;
    if (journal->options.file.clock == NULL) {
        journal->options.file.clock = &clock_system;
    }
    const enum status status = compose(journal, error);
    if (status != STATUS_OK) {
        journal_close(journal);
        return status;
    }
    *journal_out = journal;
    return STATUS_OK;
}

enum status journal_load(struct journal *journal,
                         bool (*take)(void *context, const struct journal_record *record),
                         void *context, char error[JOURNAL_ERROR_BYTES])
{
    return journal_file_load(journal->file, take, context, error);
}

enum status journal_attach(struct journal *journal, struct actor_loop *owner,
                           const struct journal_handler *handler)
{
    journal->handler = *handler;
    const enum status status = actor_spawn(owner, &journal_owner_class, journal, &journal->self);
    if (status == STATUS_OK) {
        journal->writer.asker = actor_self(journal->self);
    }
    return status;
}

enum status journal_start(struct journal *journal)
{
    return actor_loop_start(journal->loop);
}

struct actor_loop *journal_loop(const struct journal *journal)
{
    return journal->loop;
}

/* ---- the end ---- */

/* The calling thread in the writer's stead. A batch that the writer still kept came back to nobody: it
 * says so itself. */
static bool keep_rest(struct journal *journal)
{
    const struct batch *sent = journal->under_way;
    const struct batch *left = journal->filling;
    if (sent != NULL && sent->message.kind != JOURNAL_KEPT &&
        !journal_file_keep(journal->file, sent)) {
        return false;
    }
    return left->size == 0 || journal_file_keep(journal->file, left);
}

bool journal_stop(struct journal *journal, char error[JOURNAL_ERROR_BYTES])
{
    actor_loop_stop(journal->loop, true);
    if (!keep_rest(journal)) {
        (void) snprintf(error, JOURNAL_ERROR_BYTES,
                        "the journal could not keep its last %" PRIu64 " bytes: %s",
                        journal_pending(journal), journal_file_error(journal->file));
        return false;
    }
    if (journal->overrun) {
        (void) snprintf(error, JOURNAL_ERROR_BYTES,
                        "the journal lost records that it had no room for: raise "
                        "--limit-journal-bytes");
    }
    return !journal->overrun;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL) {
        return;
    }
    if (journal->loop != NULL) {
        actor_loop_stop(journal->loop, false);
    }
    for (size_t i = 0; i < JOURNAL_HISTORIES_MAX; i++) {
        free(journal->histories[i].page.entries);
        free(journal->histories[i].page.texts);
    }
    journal_file_close(journal->file);
    batch_fini(&journal->batches[0]);
    batch_fini(&journal->batches[1]);
    free(journal);
}
