/* SPDX-License-Identifier: MIT */
#include "journal/journal_file_state.h"

#include <sqlite3.h>

/* What an entry costs beside its texts, as history_query says. */
#define ENTRY_BYTES 128

/* Copies the text behind those that are there. */
static struct bytes copy(uint8_t *texts, size_t *used, struct bytes text)
{
    if (text.size == 0) {
        return bytes_of(NULL, 0);
    }
    uint8_t *at = texts + *used;
    memcpy(at, text.data, text.size);
    *used += text.size;
    return bytes_of(at, text.size);
}

static size_t texts_size(const struct journal_record *record)
{
    return record->space.size + record->key.size + record->label.size + record->cause.text.size +
           record->cause.actor.size + record->cause.peer.size;
}

static uint64_t gen_of(const struct row *row)
{
    switch (row->record.kind) {
    case JOURNAL_BULK:
        return row->record.fence;
    case JOURNAL_ARM:
        return row->end.used_gen;
    default:
        return row->record.gen;
    }
}

static enum history_kind kind_of(const struct row *row)
{
    switch (row->record.kind) {
    case JOURNAL_BULK:
        return HISTORY_BULK;
    case JOURNAL_ARM:
        return HISTORY_ARM;
    default:
        return HISTORY_CANCEL;
    }
}

static struct history_entry entry_of(const struct row *row, uint8_t *texts, size_t *used)
{
    const struct journal_record *record = &row->record;
    return (struct history_entry){
        .kind = kind_of(row),
        .at_unix_ms = row->at_unix_ms,
        .space = copy(texts, used, record->space),
        .key = copy(texts, used, record->key),
        .gen = gen_of(row),
        .cause = {.code = record->cause.code,
                  .text = copy(texts, used, record->cause.text),
                  .actor = copy(texts, used, record->cause.actor),
                  .peer = copy(texts, used, record->cause.peer)},
        .outcome = row->end.outcome,
        .by_owner = row->end.by_owner,
        .delivered = row->end.delivered,
        .delivered_after_ms = row->end.delivered_after_ms,
        .ended_after_ms = row->end.ended_after_ms,
        .label = copy(texts, used, record->label),
        .owner = record->owner,
        .requested = row->end.requested,
    };
}

/* An index that is damaged may lead to another row. */
static bool is_asked_for(const struct history_query *query, const struct row *row, uint64_t last_id)
{
    const struct journal_record *record = &row->record;
    const bool is_key = query->key.size == 0 || bytes_equal(record->key, query->key);
    return is_key && (last_id == 0 || row->id < last_id) &&
           (bytes_equal(record->space, query->space) ||
            (query->key.size == 0 && record->space.size == 0));
}

static enum file_statement bind(struct journal_file *file, const struct history_query *query)
{
    const enum file_statement which = query->key.size == 0 ? FILE_HISTORY_SPACE : FILE_HISTORY_KEY;
    sqlite3_stmt *statement = file->statements[which];
    const uint64_t cursor =
        query->cursor == 0 || query->cursor > INT64_MAX ? INT64_MAX : query->cursor;
    (void) sqlite3_bind_text(statement, 1, (const char *) (const void *) query->space.data,
                             (int) query->space.size, SQLITE_STATIC);
    (void) sqlite3_bind_int64(statement, 2, (sqlite3_int64) cursor);
    /* One more tells whether this page is the last. */
    (void) sqlite3_bind_int64(statement, 3, (sqlite3_int64) query->items_max + 1);
    if (which == FILE_HISTORY_KEY) {
        (void) sqlite3_bind_blob(statement, 4, query->key.data, (int) query->key.size,
                                 SQLITE_STATIC);
    }
    return which;
}

static bool read_page(struct journal_file *file, const struct history_query *query,
                      struct history_page *page)
{
    const enum file_statement which = bind(file, query);
    struct row row = {0};
    size_t used = 0;
    bool is_good = true;
    int more;
    page->entries_count = 0;
    page->next_cursor = 0;
    for (more = file_next(file, which); more > 0; more = file_next(file, which)) {
        const uint64_t last_id = row.id;
        is_good = row_read(file->statements[which], &row) && is_asked_for(query, &row, last_id);
        const size_t size =
            used + texts_size(&row.record) + (page->entries_count + 1) * ENTRY_BYTES;
        if (!is_good) {
            break;
        }
        if (page->entries_count == query->items_max || size > query->bytes_max) {
            /* A page without room for one entry would be asked for again and again. */
            is_good = page->entries_count > 0;
            page->next_cursor = last_id;
            break;
        }
        page->entries[page->entries_count++] = entry_of(&row, page->texts, &used);
    }
    file_reset(file, which);
    return more >= 0 && is_good;
}

bool journal_file_history(struct journal_file *file, const struct history_query *query,
                          struct history_page *page)
{
    return read_page(file, query, page) || (file_proof_again(file) && read_page(file, query, page));
}
