/* SPDX-License-Identifier: MIT */
#include "journal/row.h"

#include "base/siphash.h"
#include "journal/record_pack.h"

#include <sqlite3.h>

_Static_assert(HISTORY_CANCEL == 1 && HISTORY_BULK == 2 && HISTORY_ARM == 3,
               "numbers that stand in files");
_Static_assert(JOURNAL_CANCEL == 0 && JOURNAL_END == 1 && JOURNAL_BULK == 2 && JOURNAL_ARM == 5,
               "numbers that stand in seals");
_Static_assert(BULK_SPACE == 0 && BULK_KEY == 3 && BULK_DAEMON == 4, "numbers that stand in files");

/* ---- seals ---- */

#define SEAL_NUMBERS_MAX 5

static uint64_t seal(const struct journal_record *record, const uint64_t *numbers, size_t count)
{
    static const struct siphash_key key = {.k0 = UINT64_C(0x63616e63656c6420),
                                           .k1 = UINT64_C(0x726f77206b657920)};
    uint8_t packed[RECORD_PACK_BYTES_MAX + SEAL_NUMBERS_MAX * sizeof(uint64_t)];
    size_t size = record_pack(record, packed);
    memcpy(packed + size, numbers, count * sizeof *numbers);
    size += count * sizeof *numbers;
    return siphash24(&key, bytes_of(packed, size));
}

uint64_t row_seal(const struct row *row)
{
    const uint64_t numbers[SEAL_NUMBERS_MAX] = {row->id, row->epoch, row->at_unix_ms, row->age_ms,
                                                row->by_arm};
    return seal(&row->record, numbers, SEAL_NUMBERS_MAX);
}

static uint64_t end_seal(uint64_t id, const struct row_end *end)
{
    const struct journal_record record = {.kind = JOURNAL_END,
                                          .outcome = end->outcome,
                                          .by_owner = end->by_owner,
                                          .delivered = end->delivered,
                                          .delivered_after_ms = end->delivered_after_ms,
                                          .ended_after_ms = end->ended_after_ms,
                                          .requested = end->requested};
    const uint64_t numbers[] = {id, end->open, end->used_gen, end->settled_age_ms};
    return seal(&record, numbers, sizeof numbers / sizeof numbers[0]);
}

/* ---- kinds ---- */

static const enum history_kind kind_of_record[JOURNAL_KIND_END] = {
    [JOURNAL_CANCEL] = HISTORY_CANCEL,
    [JOURNAL_BULK] = HISTORY_BULK,
    [JOURNAL_ARM] = HISTORY_ARM,
};

static const enum journal_kind record_of_kind[HISTORY_END] = {
    [HISTORY_CANCEL] = JOURNAL_CANCEL,
    [HISTORY_BULK] = JOURNAL_BULK,
    [HISTORY_ARM] = JOURNAL_ARM,
};

/* ---- to the statement ---- */

/* Binding cannot fail but for want of memory, and then the column is NULL, which no column may be. */
static void bind_number(sqlite3_stmt *statement, int *at, uint64_t value)
{
    (void) sqlite3_bind_int64(statement, (*at)++, (sqlite3_int64) value);
}

static void bind_text(sqlite3_stmt *statement, int *at, struct bytes text)
{
    (void) sqlite3_bind_text(statement, (*at)++,
                             text.size == 0 ? "" : (const char *) (const void *) text.data,
                             (int) text.size, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *statement, int *at, struct bytes blob)
{
    (void) sqlite3_bind_blob(statement, (*at)++, blob.size == 0 ? (const void *) "" : blob.data,
                             (int) blob.size, SQLITE_STATIC);
}

static void bind_end(sqlite3_stmt *statement, uint64_t id, const struct row_end *end)
{
    int at = ROW_END_FIRST;
    bind_number(statement, &at, end->open);
    bind_number(statement, &at, end->used_gen);
    bind_number(statement, &at, end->outcome);
    bind_number(statement, &at, end->by_owner);
    bind_number(statement, &at, end->delivered);
    bind_number(statement, &at, end->delivered_after_ms);
    bind_number(statement, &at, end->ended_after_ms);
    bind_number(statement, &at, end->requested);
    bind_number(statement, &at, end->settled_age_ms);
    bind_number(statement, &at, end_seal(id, end));
    ASSERT(at == ROW_COLUMNS_COUNT + 1);
}

void row_bind_end(sqlite3_stmt *statement, uint64_t id, const struct row_end *end)
{
    int at = 1;
    bind_number(statement, &at, id);
    bind_end(statement, id, end);
}

void row_bind(sqlite3_stmt *statement, const struct row *row)
{
    const struct journal_record *record = &row->record;
    int at = 1;
    ASSERT(kind_of_record[record->kind] != HISTORY_UNSET);
    bind_number(statement, &at, row->id);
    bind_number(statement, &at, kind_of_record[record->kind]);
    bind_number(statement, &at, row->epoch);
    bind_number(statement, &at, row->at_unix_ms);
    bind_number(statement, &at, row->age_ms);
    bind_number(statement, &at, row->by_arm);
    bind_text(statement, &at, record->space);
    bind_blob(statement, &at, record->key);
    bind_number(statement, &at, record->gen);
    bind_number(statement, &at, record->cause.code);
    bind_text(statement, &at, record->cause.text);
    bind_text(statement, &at, record->cause.actor);
    bind_text(statement, &at, record->cause.peer);
    bind_number(statement, &at, record->bulk);
    bind_number(statement, &at, record->scope);
    bind_text(statement, &at, record->label);
    bind_number(statement, &at, record->owner);
    bind_number(statement, &at, record->fence);
    bind_number(statement, &at, record->after_gen);
    bind_number(statement, &at, record->ttl_ms);
    bind_number(statement, &at, row_seal(row));
    ASSERT(at == ROW_END_FIRST);
    bind_end(statement, row->id, &row->end);
}

/* ---- from the statement ---- */

/* Where the columns are read, and whether each was within its range so far. */
struct reader {
    sqlite3_stmt *statement;
    int at;
    bool good;
};

static uint64_t read_number(struct reader *reader)
{
    return (uint64_t) sqlite3_column_int64(reader->statement, reader->at++);
}

static uint32_t read_below(struct reader *reader, uint32_t end)
{
    const uint64_t value = read_number(reader);
    if (value >= end) {
        reader->good = false;
        return 0;
    }
    return (uint32_t) value;
}

static bool read_flag(struct reader *reader)
{
    return read_below(reader, 2) != 0;
}

static struct bytes read_bytes(struct reader *reader, size_t size_max)
{
    /* The order of the two calls is SQLite's rule. */
    const void *data = sqlite3_column_blob(reader->statement, reader->at);
    const int size = sqlite3_column_bytes(reader->statement, reader->at++);
    if (size < 0 || (size_t) size > size_max || (size > 0 && data == NULL)) {
        reader->good = false;
        return bytes_of(NULL, 0);
    }
    return bytes_of(size == 0 ? NULL : data, (size_t) size);
}

static void read_half(struct reader *reader, struct row *row)
{
    struct journal_record *record = &row->record;
    row->id = read_number(reader);
    const uint32_t kind = read_below(reader, HISTORY_END);
    reader->good = reader->good && kind != HISTORY_UNSET;
    record->kind = record_of_kind[kind];
    row->epoch = read_number(reader);
    row->at_unix_ms = read_number(reader);
    row->age_ms = read_number(reader);
    row->by_arm = read_flag(reader);
    record->space = read_bytes(reader, NAMESPACE_BYTES_MAX);
    record->key = read_bytes(reader, KEY_BYTES_MAX);
    record->gen = read_number(reader);
    record->cause.code = (enum cause_code) read_below(reader, CAUSE_END);
    record->cause.text = read_bytes(reader, CAUSE_TEXT_BYTES_MAX);
    record->cause.actor = read_bytes(reader, CAUSE_ACTOR_BYTES_MAX);
    record->cause.peer = read_bytes(reader, CAUSE_PEER_BYTES_MAX);
    record->bulk = read_number(reader);
    record->scope = (enum bulk_scope) read_below(reader, BULK_SCOPE_END);
    record->label = read_bytes(reader, LABEL_BYTES_MAX);
    record->owner = read_number(reader);
    record->fence = read_number(reader);
    record->after_gen = read_number(reader);
    record->ttl_ms = read_number(reader);
    row->seal = read_number(reader);
    if (reader->good && row->seal != row_seal(row)) {
        reader->good = false;
    }
}

static void read_end(struct reader *reader, uint64_t id, struct row_end *end)
{
    reader->at = ROW_END_FIRST - 1;
    end->open = (enum row_open) read_below(reader, ROW_OPEN_END);
    end->used_gen = read_number(reader);
    end->outcome = (enum outcome) read_below(reader, OUTCOME_END);
    end->by_owner = read_flag(reader);
    end->delivered = read_flag(reader);
    end->delivered_after_ms = read_number(reader);
    end->ended_after_ms = read_number(reader);
    end->requested = read_number(reader);
    end->settled_age_ms = read_number(reader);
    if (reader->good && read_number(reader) != end_seal(id, end)) {
        reader->good = false;
    }
}

bool row_read(sqlite3_stmt *statement, struct row *row_out)
{
    struct reader reader = {.statement = statement, .good = true};
    *row_out = (struct row){0};
    read_half(&reader, row_out);
    read_end(&reader, row_out->id, &row_out->end);
    return reader.good;
}
