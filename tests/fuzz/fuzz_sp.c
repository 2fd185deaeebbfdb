/* SPDX-License-Identifier: MIT */
/* For libFuzzer: any bytes on the wire, read as they came together and read in pieces, are the same steps;
 * a frame's head is what sp_write_head() writes for its route. */
#include "fuzz_cursor.h"
#include "testing.h"
#include "wire/sp.h"

#include <string.h>

#define STEPS_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct steps {
    struct sp_step items[STEPS_MAX];
    size_t count;
};

static void check_frame(const struct sp_reader *reader, const struct sp_step *step,
                        const uint8_t *start)
{
    uint8_t head[SP_HEAD_BYTES_MAX];
    const struct sp_route *route = &step->route;
    CHECK(route->words_count >= 1 && route->words_count <= SP_ROUTE_WORDS_MAX);
    for (uint32_t i = 0; i < route->words_count; i++) {
        CHECK_EQ((route->words[i] & SP_REQUEST_ID_BIT) != 0, i + 1 == route->words_count);
    }
    CHECK_LE(step->payload_bytes, reader->payload_max);
    const size_t head_bytes = sp_write_head(reader->framing, route, step->payload_bytes, head);
    CHECK_BYTES_EQ(start, head_bytes, head, head_bytes);
    CHECK(step->payload == start + head_bytes);
    CHECK_EQ(step->consumed, head_bytes + step->payload_bytes);
}

/* One step off the front of what is there. */
static struct sp_step read_step(struct sp_reader *reader, const uint8_t *data, size_t size)
{
    const bool was_open = reader->open;
    const struct sp_step step = sp_read(reader, data, size);
    CHECK_LE(step.consumed, size);
    CHECK_EQ(step.consumed == 0, step.found == SP_MORE || step.found == SP_BROKEN);
    CHECK_EQ(step.violation != SP_VIOLATION_NONE, step.found == SP_BROKEN);
    CHECK_EQ(step.found == SP_OPENED, reader->open && !was_open);
    CHECK(sp_violation_text(step.violation) != NULL);
    if (step.found == SP_MORE) {
        CHECK(step.needed > size && step.needed <= sp_frame_bytes_max(reader));
    } else if (step.found == SP_FRAME) {
        check_frame(reader, &step, data);
    }
    return step;
}

/* Takes all there is off data[*at, end); false where the reading has come to its end. */
static bool read_all(struct sp_reader *reader, const uint8_t *data, size_t *at, size_t end,
                     struct steps *steps)
{
    while (steps->count < STEPS_MAX) {
        const struct sp_step step = read_step(reader, data + *at, end - *at);
        if (step.found == SP_MORE) {
            return true;
        }
        steps->items[steps->count++] = step;
        *at += step.consumed;
        if (step.found == SP_BROKEN) {
            return false;
        }
    }
    return false;
}

static void check_same(const struct steps *a, const struct steps *b)
{
    CHECK_EQ(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct sp_step *x = &a->items[i];
        const struct sp_step *y = &b->items[i];
        CHECK(x->found == y->found && x->violation == y->violation && x->consumed == y->consumed &&
              x->payload == y->payload && x->payload_bytes == y->payload_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t payloads_max[] = {0, 5, 300, 65536};
    static struct steps whole;
    static struct steps pieces;
    struct fuzz_cursor cursor = fuzz_cursor_of(data, size);
    const uint8_t mode = fuzz_byte(&cursor);
    const uint8_t cut = fuzz_byte(&cursor);
    struct sp_reader reader;
    struct sp_reader again;
    size_t at = 0;
    whole.count = 0;
    pieces.count = 0;
    sp_reader_init(&reader, (mode & 1) != 0 ? SP_REQ : SP_REP,
                   (mode & 2) != 0 ? SP_FRAMING_IPC : SP_FRAMING_TCP, payloads_max[mode >> 2 & 3]);
    again = reader;
    (void) read_all(&reader, cursor.at, &at, cursor.left, &whole);
    at = 0;
    size_t end = 0;
    while (end < cursor.left) {
        end += 1 + (cut * (end + 1)) % 37;
        end = end < cursor.left ? end : cursor.left;
        if (!read_all(&again, cursor.at, &at, end, &pieces)) {
            break;
        }
    }
    check_same(&whole, &pieces);
    return 0;
}
