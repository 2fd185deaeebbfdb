/* SPDX-License-Identifier: MIT */
#include "journal/record_pack.h"

#include "base/check.h"

#include <stdbool.h>

static const size_t numbers[] = {
    offsetof(struct journal_record, gen),
    offsetof(struct journal_record, bulk),
    offsetof(struct journal_record, owner),
    offsetof(struct journal_record, fence),
    offsetof(struct journal_record, after_gen),
    offsetof(struct journal_record, ttl_ms),
    offsetof(struct journal_record, requested),
    offsetof(struct journal_record, delivered_after_ms),
    offsetof(struct journal_record, ended_after_ms),
};

static const struct {
    size_t offset;
    size_t size_max;
} texts[] = {
    {offsetof(struct journal_record, space), NAMESPACE_BYTES_MAX},
    {offsetof(struct journal_record, key), KEY_BYTES_MAX},
    {offsetof(struct journal_record, label), LABEL_BYTES_MAX},
    {offsetof(struct journal_record, cause.text), CAUSE_TEXT_BYTES_MAX},
    {offsetof(struct journal_record, cause.actor), CAUSE_ACTOR_BYTES_MAX},
    {offsetof(struct journal_record, cause.peer), CAUSE_PEER_BYTES_MAX},
};

#define NUMBERS_COUNT (sizeof numbers / sizeof numbers[0])
#define TEXTS_COUNT (sizeof texts / sizeof texts[0])

/* Every byte of it is set, for it is hashed. */
struct head {
    uint16_t numbers_set;
    uint8_t texts_set;
    uint8_t kind;
    uint8_t scope;
    uint8_t cause;
    uint8_t outcome;
    uint8_t flags;
};

#define FLAG_BY_OWNER 1
#define FLAG_DELIVERED 2

_Static_assert(sizeof(struct head) == 8, "no padding that would be hashed");
_Static_assert(sizeof(struct head) + NUMBERS_COUNT * 8 + TEXTS_COUNT * 2 + NAMESPACE_BYTES_MAX +
                       KEY_BYTES_MAX + LABEL_BYTES_MAX + CAUSE_TEXT_BYTES_MAX +
                       CAUSE_ACTOR_BYTES_MAX + CAUSE_PEER_BYTES_MAX <=
                   RECORD_PACK_BYTES_MAX,
               "every record fits");

static uint64_t number_at(const struct journal_record *record, size_t i)
{
    return *(const uint64_t *) (const void *) ((const char *) record + numbers[i]);
}

static struct bytes text_at(const struct journal_record *record, size_t i)
{
    return *(const struct bytes *) (const void *) ((const char *) record + texts[i].offset);
}

static uint8_t *put(uint8_t *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

static const uint8_t *get(const uint8_t *at, void *out, size_t size)
{
    memcpy(out, at, size);
    return at + size;
}

size_t record_pack(const struct journal_record *record, uint8_t out[RECORD_PACK_BYTES_MAX])
{
    struct head head = {.kind = (uint8_t) record->kind,
                        .scope = (uint8_t) record->scope,
                        .cause = (uint8_t) record->cause.code,
                        .outcome = (uint8_t) record->outcome,
                        .flags = (uint8_t) ((record->by_owner ? FLAG_BY_OWNER : 0) |
                                            (record->delivered ? FLAG_DELIVERED : 0))};
    uint8_t *at = out + sizeof head;
    for (size_t i = 0; i < NUMBERS_COUNT; i++) {
        const uint64_t number = number_at(record, i);
        if (number != 0) {
            head.numbers_set = (uint16_t) (head.numbers_set | 1U << i);
            at = put(at, &number, sizeof number);
        }
    }
    for (size_t i = 0; i < TEXTS_COUNT; i++) {
        const struct bytes text = text_at(record, i);
        if (text.size > 0) {
            ASSERT(text.size <= texts[i].size_max);
            const uint16_t size = (uint16_t) text.size;
            head.texts_set = (uint8_t) (head.texts_set | 1U << i);
            at = put(at, &size, sizeof size);
            at = put(at, text.data, text.size);
        }
    }
    memcpy(out, &head, sizeof head);
    return (size_t) (at - out);
}

size_t record_unpack(const uint8_t *in, struct journal_record *record_out)
{
    struct head head;
    const uint8_t *at = get(in, &head, sizeof head);
    *record_out = (struct journal_record){.kind = (enum journal_kind) head.kind,
                                          .scope = (enum bulk_scope) head.scope,
                                          .cause.code = (enum cause_code) head.cause,
                                          .outcome = (enum outcome) head.outcome,
                                          .by_owner = (head.flags & FLAG_BY_OWNER) != 0,
                                          .delivered = (head.flags & FLAG_DELIVERED) != 0};
    for (size_t i = 0; i < NUMBERS_COUNT; i++) {
        if ((head.numbers_set & 1U << i) != 0) {
            at = get(at, (char *) record_out + numbers[i], sizeof(uint64_t));
        }
    }
    for (size_t i = 0; i < TEXTS_COUNT; i++) {
        if ((head.texts_set & 1U << i) != 0) {
            uint16_t size;
            at = get(at, &size, sizeof size);
            struct bytes *text = (struct bytes *) (void *) ((char *) record_out + texts[i].offset);
            *text = bytes_of(at, size);
            at += size;
        }
    }
    return (size_t) (at - in);
}
