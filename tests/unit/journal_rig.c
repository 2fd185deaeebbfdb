/* SPDX-License-Identifier: MIT */
#include "journal_rig.h"

#include "journal/record_pack.h"

#include <inttypes.h>
#include <sqlite3.h>

uint64_t rig_rounds(uint64_t n)
{
    const char *times = getenv("CANCELD_TEST_LONG");
    const uint64_t all = n * (times == NULL ? 1 : strtoull(times, NULL, 10));
    return all / (TEST_SANITIZED ? 4 : 1) + 1;
}

/* ---- time ---- */

static uint64_t rig_now_ns;

static uint64_t now_ns(void *context)
{
    (void) context;
    return rig_now_ns;
}

const struct clock rig_clock = {.now_ns = now_ns};

void rig_pass_ms(uint64_t ms)
{
    rig_now_ns += ms * NS_PER_MS;
}

uint64_t rig_wall_ms(void)
{
    return RIG_WALL_MS + rig_now_ns / NS_PER_MS;
}

/* ---- records ---- */

static struct bytes text_of(const char *format, uint64_t n)
{
    static char texts[64][64];
    static size_t at;
    char *text = texts[at++ % 64];
    char number[24];
    (void) snprintf(number, sizeof number, "%" PRIu64, n);
    (void) snprintf(text, sizeof texts[0], "%s-%s", format, number);
    return bytes_of_string(text);
}

static struct bytes space_of(uint64_t n)
{
    return bytes_of_string(n % 4 == 3 ? "other" : "default");
}

struct journal_record rig_cancel(uint64_t n)
{
    return (struct journal_record){.kind = JOURNAL_CANCEL,
                                   .space = space_of(n),
                                   .key = text_of("key", n % 100),
                                   .gen = RIG_GEN(n),
                                   .cause = {.code = CAUSE_USER,
                                             .text = text_of("why", n),
                                             .actor = text_of("actor", n),
                                             .peer = bytes_of_string("uid:0")}};
}

struct journal_record rig_end(uint64_t n, bool by_owner)
{
    return (struct journal_record){.kind = JOURNAL_END,
                                   .space = space_of(n),
                                   .key = text_of("key", n % 100),
                                   .gen = RIG_GEN(n),
                                   .outcome = by_owner ? OUTCOME_CANCELLED : OUTCOME_OWNER_LOST,
                                   .by_owner = by_owner,
                                   .delivered = true,
                                   .delivered_after_ms = 3,
                                   .ended_after_ms = 17};
}

struct journal_record rig_arm(uint64_t n)
{
    return (struct journal_record){.kind = JOURNAL_ARM,
                                   .space = bytes_of_string("default"),
                                   .key = text_of("armed", n),
                                   .ttl_ms = 1000 + n,
                                   .cause = {.code = CAUSE_POLICY, .text = text_of("arm", n)}};
}

struct journal_record rig_bulk(uint64_t n, enum bulk_scope scope)
{
    struct journal_record record = {.kind = JOURNAL_BULK,
                                    .space = bytes_of_string("default"),
                                    .bulk = n,
                                    .scope = scope,
                                    .fence = RIG_GEN(n * 10),
                                    .cause = {.code = CAUSE_SHUTDOWN, .text = text_of("bulk", n)}};
    switch (scope) {
    case BULK_LABEL:
        record.label = text_of("label", n);
        break;
    case BULK_OWNER:
        record.owner = n << 32 | 1;
        break;
    case BULK_KEY:
        record.key = text_of("key", n);
        record.after_gen = RIG_GEN(n);
        break;
    case BULK_DAEMON:
        record.space = bytes_of(NULL, 0);
        break;
    default:
        break;
    }
    return record;
}

void check_records_equal(const struct journal_record *a, const struct journal_record *b)
{
    uint8_t packed_a[RECORD_PACK_BYTES_MAX];
    uint8_t packed_b[RECORD_PACK_BYTES_MAX];
    const size_t size_a = record_pack(a, packed_a);
    const size_t size_b = record_pack(b, packed_b);
    CHECK_BYTES_EQ(packed_a, size_a, packed_b, size_b);
}

/* ---- files ---- */

struct journal_file_options rig_file_options(uint64_t epoch)
{
    return (struct journal_file_options){
        .directory = test_directory(), .epoch = epoch, .clock = &rig_clock};
}

bool rig_take(void *context, const struct journal_record *record)
{
    (void) context;
    return record != NULL;
}

struct journal_file *rig_open(uint64_t epoch)
{
    const struct journal_file_options options = rig_file_options(epoch);
    char error[JOURNAL_ERROR_BYTES] = "";
    struct journal_file *file = NULL;
    enum status status = journal_file_open(&options, &file, error);
    if (status == STATUS_OK) {
        status = journal_file_load(file, rig_take, NULL, error);
    }
    if (status != STATUS_OK) {
        (void) fprintf(stderr, "%s\n", error);
    }
    CHECK_EQ(status, STATUS_OK);
    return file;
}

enum status rig_refusal(uint64_t epoch, const char *words)
{
    const struct journal_file_options options = rig_file_options(epoch);
    char error[JOURNAL_ERROR_BYTES] = "";
    struct journal_file *file = NULL;
    const enum status status = journal_file_open(&options, &file, error);
    CHECK_NE(status, STATUS_OK);
    CHECK(file == NULL);
    (void) printf("  %s\n", error);
    CHECK(strstr(error, words) != NULL);
    return status;
}

bool rig_keep(struct journal_file *file, const struct journal_record *records, size_t count)
{
    struct batch batch;
    CHECK(batch_init(&batch, (count + 1) * BATCH_RECORD_BYTES_MAX));
    for (size_t i = 0; i < count; i++) {
        const struct stamped_record stamped = {
            .record = records[i], .at_unix_ms = rig_wall_ms(), .age_ms = journal_file_age_ms(file)};
        batch_append(&batch, &stamped);
    }
    const bool is_kept = journal_file_keep(file, &batch);
    batch_fini(&batch);
    return is_kept;
}

bool loaded_take(void *context, const struct journal_record *record)
{
    struct loaded *loaded = context;
    if (loaded->count_max != 0 && loaded->count == loaded->count_max) {
        return false;
    }
    if (loaded->count == loaded->room) {
        const size_t room = loaded->count * 2 + 64;
        loaded->room = room;
        loaded->packed = realloc(loaded->packed, room * RECORD_PACK_BYTES_MAX);
        loaded->records = realloc(loaded->records, room * sizeof *loaded->records);
        CHECK(loaded->packed != NULL && loaded->records != NULL);
        for (size_t i = 0; i < loaded->count; i++) { /* the texts have moved */
            (void) record_unpack(loaded->packed + i * RECORD_PACK_BYTES_MAX, &loaded->records[i]);
        }
    }
    uint8_t *packed = loaded->packed + loaded->count * RECORD_PACK_BYTES_MAX;
    (void) record_pack(record, packed);
    (void) record_unpack(packed, &loaded->records[loaded->count++]);
    return true;
}

void loaded_free(struct loaded *loaded)
{
    free(loaded->records);
    free(loaded->packed);
    *loaded = (struct loaded){0};
}

struct loaded rig_load(struct journal_file *file)
{
    struct loaded loaded = {0};
    char error[JOURNAL_ERROR_BYTES] = "";
    const enum status status = journal_file_load(file, loaded_take, &loaded, error);
    if (status != STATUS_OK) {
        (void) fprintf(stderr, "%s\n", error);
    }
    CHECK_EQ(status, STATUS_OK);
    return loaded;
}

const struct journal_record *loaded_find(const struct loaded *loaded, uint64_t gen)
{
    for (size_t i = 0; i < loaded->count; i++) {
        if (loaded->records[i].gen == gen) {
            return &loaded->records[i];
        }
    }
    return NULL;
}

struct history_page rig_history(struct journal_file *file, const char *space, const char *key,
                                uint64_t cursor, uint32_t items_max)
{
    static struct history_entry entries[HISTORY_ITEMS_MAX];
    static uint8_t texts[FRAME_BYTES_MAX];
    struct history_page page = {.entries = entries, .texts = texts};
    const struct history_query query = {.space = bytes_of_string(space),
                                        .key = bytes_of_string(key == NULL ? "" : key),
                                        .cursor = cursor,
                                        .items_max = items_max,
                                        .bytes_max = sizeof texts};
    CHECK(journal_file_history(file, &query, &page));
    return page;
}

/* ---- by hand ---- */

void rig_sql(const char *text)
{
    char path[256];
    sqlite3 *sqlite = NULL;
    (void) snprintf(path, sizeof path, "%s/journal.sqlite", test_directory());
    CHECK_EQ(sqlite3_open(path, &sqlite), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(sqlite, text, NULL, NULL, NULL), SQLITE_OK);
    CHECK_EQ(sqlite3_close(sqlite), SQLITE_OK);
}
