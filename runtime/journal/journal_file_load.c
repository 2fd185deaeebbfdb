/* SPDX-License-Identifier: MIT */
/* What is unsettled, for the registry: a row that its seal proves is still looked at as if somebody
 * had made it on purpose, for what is wrong here would be an ASSERT, or a lie, much later. */
#include "journal/journal_file_state.h"

#include <inttypes.h>
#include <sqlite3.h>

#define GEN_EPOCH_SHIFT 40 /* as in registry.h */

static bool is_space(struct bytes space)
{
    for (size_t i = 0; i < space.size; i++) {
        const uint8_t c = space.data[i];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-') {
            return false;
        }
    }
    return space.size > 0;
}

static bool is_bulk(const struct journal_record *record)
{
    switch (record->scope) {
    case BULK_DAEMON:
        return record->space.size == 0;
    case BULK_LABEL:
        return is_space(record->space) && record->label.size > 0;
    case BULK_OWNER:
        return is_space(record->space) && record->owner != 0;
    case BULK_KEY:
        return is_space(record->space) && record->key.size > 0;
    default:
        return is_space(record->space);
    }
}

/* What is wrong about it; NULL: nothing. */
static const char *fault_of(const struct journal_file *file, const struct row *row)
{
    const struct journal_record *record = &row->record;
    if (row->end.open == ROW_SETTLED || row->id == 0 ||
        row->id >= file->state.numbers[FILE_NEXT_ID]) {
        return "an entry is in an index that it does not belong to";
    }
    if (record->cause.code == CAUSE_UNSET) {
        return "an entry has no cause";
    }
    if (record->kind == JOURNAL_BULK) {
        return record->bulk != 0 && is_bulk(record) ? NULL
                                                    : "an entry's bulk cancel covers nothing";
    }
    if (!is_space(record->space) || record->key.size == 0) {
        return "an entry has no key";
    }
    if (record->kind == JOURNAL_ARM) {
        return record->ttl_ms > 0 ? NULL : "an entry's arm has no time";
    }
    return record->gen >> GEN_EPOCH_SHIFT != 0 ? NULL : "an entry's generation has no epoch";
}

/* A state directory whose epoch file was replaced would give the journal's generations out again. */
static bool is_later(const struct journal_file *file, const struct row *row)
{
    return row->epoch >= file->options.epoch ||
           row->record.gen >> GEN_EPOCH_SHIFT >= file->options.epoch;
}

static enum status load_row(struct journal_file *file, enum file_statement which, struct row *row,
                            char error[JOURNAL_ERROR_BYTES])
{
    if (!row_read(file->statements[which], row)) {
        return file_damaged(file, "an entry is not what was written", error);
    }
    const char *fault = fault_of(file, row);
    if (fault != NULL) {
        return file_damaged(file, fault, error);
    }
    if (is_later(file, row)) {
        return file_refuse(error, STATUS_INVALID,
                           "%s knows of epoch %" PRIu64 ", and this start has epoch %" PRIu64
                           ": the file epoch beside it was replaced. Bring it back, or move "
                           "%s/journal.* away",
                           file->path, row->epoch, file->options.epoch, file->options.directory);
    }
    return STATUS_OK;
}

/* Who takes what, and what came of it. */
struct load {
    bool (*take)(void *context, const struct journal_record *record);
    void *context;
    bool is_refused;
    uint64_t open_count;
    uint64_t open_digest;
};

/* A bulk cancel of a run that is long past: nobody comes back to it. */
static bool is_past(const struct journal_file *file, const struct row *row)
{
    return row->record.kind == JOURNAL_BULK && row->end.settled_age_ms != 0 &&
           row->end.settled_age_ms < file_lost_since_ms(file);
}

static enum status load(struct journal_file *file, enum file_statement which, struct load *load,
                        char error[JOURNAL_ERROR_BYTES])
{
    enum status status = STATUS_OK;
    struct row row;
    int more = file_next(file, which);
    while (more > 0 && !load->is_refused) {
        status = load_row(file, which, &row, error);
        if (status != STATUS_OK) {
            break;
        }
        load->open_count += row.end.open == ROW_OPEN;
        load->open_digest += row.end.open == ROW_OPEN ? row.seal : 0;
        row.record.by_owner = row.end.open == ROW_FINISHED;
        load->is_refused = !is_past(file, &row) && !load->take(load->context, &row.record);
        more = load->is_refused ? 0 : file_next(file, which);
    }
    if (more < 0) {
        status = file_failed(file, "read", error);
    }
    file_reset(file, which);
    return status;
}

static enum status no_room(const struct journal_file *file, char error[JOURNAL_ERROR_BYTES])
{
    return file_refuse(error, STATUS_FULL,
                       "%s holds more unsettled cancels than there is room for: raise "
                       "--limit-recovered, --limit-bulks or --limit-armed, or lower --history-age",
                       file->path);
}

/* Those that ended, the last one first: here a bound is no reason not to start, for nobody was told that
 * they go on. */
static enum status load_ended(struct journal_file *file, struct load *take,
                              char error[JOURNAL_ERROR_BYTES])
{
    (void) sqlite3_bind_int64(file->statements[FILE_LOST_CANCELS], 1,
                              (sqlite3_int64) file_lost_since_ms(file));
    (void) sqlite3_bind_int64(file->statements[FILE_FINISHED_CANCELS], 1,
                              (sqlite3_int64) file_finished_since_ms(file));
    const enum status status = load(file, FILE_LOST_CANCELS, take, error);
    return status == STATUS_OK && !take->is_refused ? load(file, FILE_FINISHED_CANCELS, take, error)
                                                    : status;
}

enum status journal_file_load(struct journal_file *file,
                              bool (*take)(void *context, const struct journal_record *record),
                              void *context, char error[JOURNAL_ERROR_BYTES])
{
    static const enum file_statement kinds[] = {FILE_OPEN_CANCELS, FILE_OPEN_BULKS, FILE_OPEN_ARMS};
    struct load all = {.take = take, .context = context};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const enum status status = load(file, kinds[i], &all, error);
        if (status != STATUS_OK || all.is_refused) {
            return all.is_refused ? no_room(file, error) : status;
        }
    }
    if (all.open_count != file->state.numbers[FILE_OPEN_COUNT] ||
        all.open_digest != file->state.numbers[FILE_OPEN_DIGEST]) {
        return file_damaged(file, "an unsettled cancel is missing", error);
    }
    enum status status = load_ended(file, &all, error);
    if (status == STATUS_OK) {
        status = file_proof_read(file, error);
    }
    return status == STATUS_OK ? file_begin_run(file, error) : status;
}
