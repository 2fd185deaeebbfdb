/* SPDX-License-Identifier: MIT */
#include "journal/batch.h"

bool batch_init(struct batch *batch, size_t bytes_max)
{
    *batch = (struct batch){.message.control = true};
    return region_init(&batch->region, bytes_max);
}

void batch_fini(struct batch *batch)
{
    region_fini(&batch->region);
}

void batch_append(struct batch *batch, const struct stamped_record *record)
{
    ASSERT(batch->region.size - batch->size >= BATCH_RECORD_BYTES_MAX);
    uint8_t *at = (uint8_t *) batch->region.base + batch->size;
    memcpy(at, &record->at_unix_ms, sizeof(uint64_t));
    memcpy(at + sizeof(uint64_t), &record->age_ms, sizeof(uint64_t));
    batch->size += 2 * sizeof(uint64_t) + record_pack(&record->record, at + 2 * sizeof(uint64_t));
    batch->count++;
}

bool batch_next(const struct batch *batch, size_t *offset, struct stamped_record *record_out)
{
    if (*offset == batch->size) {
        return false;
    }
    const uint8_t *at = (const uint8_t *) batch->region.base + *offset;
    memcpy(&record_out->at_unix_ms, at, sizeof(uint64_t));
    memcpy(&record_out->age_ms, at + sizeof(uint64_t), sizeof(uint64_t));
    *offset += 2 * sizeof(uint64_t) + record_unpack(at + 2 * sizeof(uint64_t), &record_out->record);
    ASSERT(*offset <= batch->size);
    return true;
}

void batch_clear(struct batch *batch)
{
    if (batch->size > BATCH_BYTES_KEPT) {
        const size_t end = (batch->size + REGION_GRAIN - 1) & ~(REGION_GRAIN - 1);
        region_hand_back(&batch->region, BATCH_BYTES_KEPT, end - BATCH_BYTES_KEPT);
    }
    batch->size = 0;
    batch->count = 0;
}
