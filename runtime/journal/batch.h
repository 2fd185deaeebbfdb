/* SPDX-License-Identifier: MIT */
/* Records on their way from the owner to the journal's thread: a buffer with a message at its head.
 * It belongs to one side at a time, as every message does, so it needs no lock. */
#ifndef CANCELD_JOURNAL_BATCH_H
#define CANCELD_JOURNAL_BATCH_H

#include "actor/message.h"
#include "base/check.h"
#include "base/region.h"
#include "journal/record_pack.h"

#include <stdbool.h>
#include <stdint.h>

/* What the file has to tell after a batch; for `stats`. */
struct journal_figures {
    uint64_t failures; /* transactions that could not be committed */
    uint64_t error;    /* SQLite's extended code of the present failure; 0: none */
    uint64_t file_bytes;
    uint64_t expired_unsettled;
    uint64_t commit_us; /* of the batch, from its arrival: longer where it was tried again */
};

struct batch {
    struct message message; /* JOURNAL_WRITE on its way there, JOURNAL_KEPT on its way back */
    struct region region;
    size_t size;
    uint64_t count;
    uint64_t last_number; /* of the newest record that was given up to this batch */
    struct journal_figures figures;
};

/* A record with what the owner's side added to it. */
struct stamped_record {
    struct journal_record record;
    uint64_t at_unix_ms;
    uint64_t age_ms; /* see journal_file.h */
};

#define BATCH_RECORD_BYTES_MAX (RECORD_PACK_BYTES_MAX + 2 * sizeof(uint64_t))

/* Reserves address space for `bytes_max`. False where it cannot be had. */
MUST_CHECK bool batch_init(struct batch *batch, size_t bytes_max);
void batch_fini(struct batch *batch);

/* Copies the record. There has to be room for BATCH_RECORD_BYTES_MAX. */
void batch_append(struct batch *batch, const struct stamped_record *record);

/* Reads the record at *offset, which is moved behind it; false at the end. The texts are borrowed
 * from the batch. */
bool batch_next(const struct batch *batch, size_t *offset, struct stamped_record *record_out);

/* Empty again; memory beyond BATCH_BYTES_KEPT goes back to the system. */
#define BATCH_BYTES_KEPT ((size_t) 1048576)
void batch_clear(struct batch *batch);

#endif
