/* SPDX-License-Identifier: MIT */
/* For libFuzzer: a row of the journal out of the input's bytes. As it was written it is read again, field by
 * field; with one column changed to anything of any type it is refused, for its seals say so, or it is the
 * same still. What is read is within its bounds either way. No file: the row is a SELECT of its own columns. */
#include "fuzz_cursor.h"
#include "journal/record_pack.h"
#include "journal/row.h"
#include "testing.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a row ---- */

static struct journal_record make_record(struct fuzz_cursor *cursor)
{
    static const enum journal_kind kinds[] = {JOURNAL_CANCEL, JOURNAL_BULK, JOURNAL_ARM};
    return (struct journal_record){
        .kind = kinds[fuzz_below(cursor, 3)],
        .space = fuzz_bytes(cursor, NAMESPACE_BYTES_MAX),
        .key = fuzz_bytes(cursor, KEY_BYTES_MAX),
        .label = fuzz_bytes(cursor, LABEL_BYTES_MAX),
        .gen = fuzz_number(cursor),
        .bulk = fuzz_number(cursor),
        .scope = (enum bulk_scope) fuzz_below(cursor, BULK_SCOPE_END),
        .owner = fuzz_number(cursor),
        .fence = fuzz_number(cursor),
        .after_gen = fuzz_number(cursor),
        .ttl_ms = fuzz_number(cursor),
        .cause = {.code = (enum cause_code) fuzz_below(cursor, CAUSE_END),
                  .text = fuzz_bytes(cursor, CAUSE_TEXT_BYTES_MAX),
                  .actor = fuzz_bytes(cursor, CAUSE_ACTOR_BYTES_MAX),
                  .peer = fuzz_bytes(cursor, CAUSE_PEER_BYTES_MAX)},
    };
}

static struct row make_row(struct fuzz_cursor *cursor)
{
    struct row row = {.id = fuzz_number(cursor),
                      .epoch = fuzz_number(cursor),
                      .at_unix_ms = fuzz_number(cursor),
                      .age_ms = fuzz_number(cursor),
                      .by_arm = fuzz_bool(cursor),
                      .record = make_record(cursor),
                      .end = {.open = (enum row_open) fuzz_below(cursor, ROW_OPEN_END),
                              .used_gen = fuzz_number(cursor),
                              .outcome = (enum outcome) fuzz_below(cursor, OUTCOME_END),
                              .by_owner = fuzz_bool(cursor),
                              .delivered = fuzz_bool(cursor),
                              .delivered_after_ms = fuzz_number(cursor),
                              .ended_after_ms = fuzz_number(cursor),
                              .requested = fuzz_number(cursor),
                              .settled_age_ms = fuzz_number(cursor)}};
    row.seal = row_seal(&row);
    return row;
}

static void check_texts(const struct journal_record *record)
{
    CHECK_LE(record->space.size, NAMESPACE_BYTES_MAX);
    CHECK_LE(record->key.size, KEY_BYTES_MAX);
    CHECK_LE(record->label.size, LABEL_BYTES_MAX);
    CHECK_LE(record->cause.text.size, CAUSE_TEXT_BYTES_MAX);
    CHECK_LE(record->cause.actor.size, CAUSE_ACTOR_BYTES_MAX);
    CHECK_LE(record->cause.peer.size, CAUSE_PEER_BYTES_MAX);
}

/* By the bytes that a seal is made of, and field by field where there is none. */
static void check_same(const struct row *a, const struct row *b)
{
    uint8_t packed[2][RECORD_PACK_BYTES_MAX];
    struct journal_record unpacked;
    const size_t size = record_pack(&a->record, packed[0]);
    CHECK_EQ(record_pack(&b->record, packed[1]), size);
    CHECK_BYTES_EQ(packed[0], size, packed[1], size);
    CHECK_EQ(record_unpack(packed[0], &unpacked), size);
    CHECK_EQ(record_pack(&unpacked, packed[1]), size);
    CHECK_BYTES_EQ(packed[0], size, packed[1], size);
    CHECK(a->id == b->id && a->epoch == b->epoch && a->at_unix_ms == b->at_unix_ms &&
          a->age_ms == b->age_ms && a->by_arm == b->by_arm && a->seal == b->seal);
    const struct row_end *x = &a->end;
    const struct row_end *y = &b->end;
    CHECK(x->open == y->open && x->used_gen == y->used_gen && x->outcome == y->outcome &&
          x->by_owner == y->by_owner && x->delivered == y->delivered &&
          x->delivered_after_ms == y->delivered_after_ms &&
          x->ended_after_ms == y->ended_after_ms && x->requested == y->requested &&
          x->settled_age_ms == y->settled_age_ms);
}

/* ---- the statement ---- */

static sqlite3_stmt *statement_new(void)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    char text[512] = "SELECT ?1";
    size_t size = strlen(text);
    for (int i = 2; i <= ROW_COLUMNS_COUNT; i++) {
        size += (size_t) snprintf(text + size, sizeof text - size, ", ?%d", i);
    }
    CHECK_EQ(sqlite3_open(":memory:", &database), SQLITE_OK);
    CHECK_EQ(sqlite3_prepare_v3(database, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL),
             SQLITE_OK);
    CHECK_EQ(sqlite3_column_count(statement), ROW_COLUMNS_COUNT);
    return statement;
}

static bool read_back(sqlite3_stmt *statement, struct row *row_out)
{
    CHECK_EQ(sqlite3_step(statement), SQLITE_ROW);
    return row_read(statement, row_out);
}

/* One column becomes something else. */
static void damage(sqlite3_stmt *statement, struct fuzz_cursor *cursor)
{
    const int column = 1 + (int) fuzz_below(cursor, ROW_COLUMNS_COUNT);
    const uint32_t type = fuzz_below(cursor, 5);
    const sqlite3_int64 number = (sqlite3_int64) fuzz_number(cursor);
    const struct bytes bytes = fuzz_bytes(cursor, 512);
    const void *data = bytes.size == 0 ? (const void *) "" : bytes.data;
    switch (type) {
    case 0:
        CHECK_EQ(sqlite3_bind_int64(statement, column, number), SQLITE_OK);
        break;
    case 1:
        CHECK_EQ(sqlite3_bind_double(statement, column, (double) number / 3), SQLITE_OK);
        break;
    case 2:
        CHECK_EQ(sqlite3_bind_null(statement, column), SQLITE_OK);
        break;
    case 3:
        CHECK_EQ(sqlite3_bind_text(statement, column, data, (int) bytes.size, SQLITE_STATIC),
                 SQLITE_OK);
        break;
    default:
        CHECK_EQ(sqlite3_bind_blob(statement, column, data, (int) bytes.size, SQLITE_STATIC),
                 SQLITE_OK);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sqlite3_stmt *statement;
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size);
    struct row read;
    if (statement == NULL) {
        statement = statement_new();
    }
    const struct row row = make_row(&cursor);
    row_bind(statement, &row);
    CHECK(read_back(statement, &read));
    check_same(&row, &read);
    CHECK_EQ(sqlite3_reset(statement), SQLITE_OK);
    damage(statement, &cursor);
    if (read_back(statement, &read)) {
        check_texts(&read.record);
        check_same(&row, &read);
    }
    CHECK_EQ(sqlite3_reset(statement), SQLITE_OK);
    return 0;
}
