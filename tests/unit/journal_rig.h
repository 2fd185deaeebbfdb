/* SPDX-License-Identifier: MIT */
/* Records by the number, journals with a clock that the test turns, and what a journal gives back. */
#ifndef CANCELD_TESTS_JOURNAL_RIG_H
#define CANCELD_TESTS_JOURNAL_RIG_H

#include "journal/journal.h"
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIG_EPOCH UINT64_C(7)
#define RIG_GEN(n) (RIG_EPOCH << 40 | (uint64_t) (n))
#define RIG_WALL_MS UINT64_C(1790000000000)

/* How many rounds of a test whose rounds are alike: so many, or with CANCELD_TEST_LONG=N in the
 * environment N times that; a quarter under a sanitizer. At least 1. */
uint64_t rig_rounds(uint64_t n);

/* ---- time ---- */

/* Stands still until rig_pass_ms(); one for the process. */
extern const struct clock rig_clock;
void rig_pass_ms(uint64_t ms);
uint64_t rig_wall_ms(void);

/* ---- records ---- */

/* Texts made of `n`, in static storage of their own: 16 records may be in use at once. */
struct journal_record rig_cancel(uint64_t n);
struct journal_record rig_end(uint64_t n, bool by_owner);
struct journal_record rig_arm(uint64_t n);
struct journal_record rig_bulk(uint64_t n, enum bulk_scope scope);

void check_records_equal(const struct journal_record *a, const struct journal_record *b);

/* ---- files ---- */

struct journal_file_options rig_file_options(uint64_t epoch);

/* Takes everything, and keeps nothing. */
bool rig_take(void *context, const struct journal_record *record);

/* In test_directory(); loaded, but what it gave is thrown away. */
struct journal_file *rig_open(uint64_t epoch);

/* The status of a refusal; its sentence is printed, and has to contain `words`. */
enum status rig_refusal(uint64_t epoch, const char *words);

/* Keeps the records in one batch. */
bool rig_keep(struct journal_file *file, const struct journal_record *records, size_t count);

/* What journal_load() gave: the records with their texts. */
struct loaded {
    struct journal_record *records;
    uint8_t *packed;
    size_t count;
    size_t room;
    size_t count_max; /* 0: no bound; take() answers false there */
};

bool loaded_take(void *context, const struct journal_record *record);
void loaded_free(struct loaded *loaded);

/* Loads it all; ASSERTs that it can. */
struct loaded rig_load(struct journal_file *file);

/* The record of that gen, NULL where there is none. */
const struct journal_record *loaded_find(const struct loaded *loaded, uint64_t gen);

/* A page of the history, in memory that stays until the next call. */
struct history_page rig_history(struct journal_file *file, const char *space, const char *key,
                                uint64_t cursor, uint32_t items_max);

/* SQL on the closed database, from outside. */
void rig_sql(const char *text);

#endif
