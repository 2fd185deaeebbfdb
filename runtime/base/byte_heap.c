/* SPDX-License-Identifier: MIT */
/* Sizes go 16, 24, 32, 48, 64, 96 ...: two classes for each doubling waste a quarter at the most.
 */
#include "base/byte_heap.h"

static const uint32_t class_bytes[BYTE_HEAP_CLASSES] = {
    16,   24,   32,   48,   64,   96,   128,  192,   256,   384,   512,   768,
    1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 65536,
};

static unsigned class_of(size_t size)
{
    unsigned class = 0;
    while (class_bytes[class] < size) {
        class ++;
        ASSERT(class < BYTE_HEAP_CLASSES);
    }
    return class;
}

bool byte_heap_init(struct byte_heap *heap, uint64_t bytes_max, uint32_t strings_max)
{
    *heap = (struct byte_heap){.bytes_max = bytes_max};
    for (unsigned class = 0; class < BYTE_HEAP_CLASSES; class ++) {
        /* A string of a class is longer than the class below, so the bound on bytes bounds them. */
        uint64_t smallest = class == 0 ? 1 : class_bytes[class - 1] + 1;
        uint64_t count = bytes_max / smallest + 1;
        uint32_t capacity = count < strings_max ? (uint32_t) count : strings_max;
        if (!slab_init(&heap->classes[class], class_bytes[class], capacity)) {
            byte_heap_fini(heap);
            return false;
        }
    }
    return true;
}

void byte_heap_fini(struct byte_heap *heap)
{
    for (unsigned class = 0; class < BYTE_HEAP_CLASSES; class ++) {
        slab_fini(&heap->classes[class]);
    }
    *heap = (struct byte_heap){0};
}

bool byte_heap_has_room(const struct byte_heap *heap, size_t size)
{
    if (size == 0) {
        return true;
    }
    const struct slab *slab = &heap->classes[class_of(size)];
    return size <= heap->bytes_max - heap->bytes && slab->count < slab->capacity;
}

bool byte_heap_keep(struct byte_heap *heap, struct bytes bytes, struct kept_bytes *kept_out)
{
    ASSERT(bytes.size <= BYTE_HEAP_STRING_MAX);
    if (bytes.size == 0) {
        *kept_out = (struct kept_bytes){0};
        return true;
    }
    if (!byte_heap_has_room(heap, bytes.size)) {
        return false;
    }
    struct slab *slab = &heap->classes[class_of(bytes.size)];
    uint32_t index = slab_take(slab);
    ASSERT(index != 0);
    memcpy(slab_at(slab, index), bytes.data, bytes.size);
    heap->bytes += bytes.size;
    *kept_out = (struct kept_bytes){.size = (uint32_t) bytes.size, .index = index};
    return true;
}

void byte_heap_drop(struct byte_heap *heap, struct kept_bytes *kept)
{
    if (kept->size > 0) {
        slab_give(&heap->classes[class_of(kept->size)], kept->index);
        heap->bytes -= kept->size;
    }
    *kept = (struct kept_bytes){0};
}

bool byte_heap_charge(struct byte_heap *heap, size_t size)
{
    if (size > heap->bytes_max - heap->bytes) {
        return false;
    }
    heap->bytes += size;
    heap->charged += size;
    return true;
}

void byte_heap_discharge(struct byte_heap *heap, size_t size)
{
    ASSERT(size <= heap->charged);
    heap->bytes -= size;
    heap->charged -= size;
}

struct bytes byte_heap_get(const struct byte_heap *heap, struct kept_bytes kept)
{
    if (kept.size == 0) {
        return (struct bytes){0};
    }
    return bytes_of(slab_at(&heap->classes[class_of(kept.size)], kept.index), kept.size);
}

void byte_heap_check(const struct byte_heap *heap)
{
    ASSERT(heap->charged <= heap->bytes && heap->bytes <= heap->bytes_max);
    for (unsigned class = 0; class < BYTE_HEAP_CLASSES; class ++) {
        slab_check(&heap->classes[class]);
    }
}
