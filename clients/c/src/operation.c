/* SPDX-License-Identifier: MIT */
#include "operation.h"
#include "request.h"

static struct canceld_bytes bytes_keep(char **place, struct canceld_bytes bytes)
{
    struct canceld_bytes kept = {.data = *place, .size = bytes.size};

    if (bytes.size > 0)
        memcpy(*place, bytes.data, bytes.size);
    *place += bytes.size;
    return kept;
}

static size_t stored_bytes(const struct canceld_store_request *store)
{
    size_t size = store->name_space.size + store->key.size + store->meta.size;

    for (size_t i = 0; i < store->labels_count; i++)
        size += store->labels[i].size;
    return size;
}

static void stored_keep(struct canceld_operation *operation,
                        const struct canceld_store_request *store)
{
    char *place = operation->text;

    operation->stored = *store;
    operation->stored.name_space = bytes_keep(&place, store->name_space);
    operation->stored.key = bytes_keep(&place, store->key);
    operation->stored.meta = bytes_keep(&place, store->meta);
    for (size_t i = 0; i < store->labels_count; i++)
        operation->stored.labels[i] = bytes_keep(&place, store->labels[i]);
}

struct canceld_operation *operation_new(const struct canceld_store_request *store,
                                        struct canceld_bytes namespace_default)
{
    struct canceld_store_request whole = *store;
    struct canceld_operation *operation = NULL;

    if (whole.name_space.size == 0)
        whole.name_space = namespace_default;
    /* Neither is taken by request_new(), which is to say so. */
    if (whole.labels_count > CANCELD_LABELS_MAX)
        whole.labels_count = 0;
    if (stored_bytes(&whole) > OP_BYTES_MAX)
        whole = (struct canceld_store_request){0};
    operation = calloc(1, sizeof *operation + stored_bytes(&whole));
    if (operation == NULL)
        return NULL;
    operation->fd = -1;
    stored_keep(operation, &whole);
    operation->on_notice = store->on_notice;
    operation->on_notice_arg = store->on_notice_arg;
    link_init(&operation->all_link);
    link_init(&operation->told_link);
    link_init(&operation->callback_link);
    return operation;
}

void operation_free(struct canceld_operation *operation)
{
    if (operation == NULL)
        return;
    ASSERT(link_is_alone(&operation->all_link) && link_is_alone(&operation->told_link));
    ASSERT(link_is_alone(&operation->callback_link) && operation->ours == NULL &&
           operation->end == NULL);
    free(operation->cause_memory);
    free(operation);
}

/* Without memory the code alone is kept: that it is cancelled matters more than why. */
static void cause_keep(struct canceld_operation *operation, const struct canceld_cause *cause)
{
    size_t size = cause->text.size + cause->actor.size + cause->peer.size;
    char *place = malloc(size + 1);

    operation->cause = (struct canceld_cause){.code = cause->code};
    operation->cause_memory = place;
    if (place == NULL)
        return;
    operation->cause.text = bytes_keep(&place, cause->text);
    operation->cause.actor = bytes_keep(&place, cause->actor);
    operation->cause.peer = bytes_keep(&place, cause->peer);
}

uint8_t operation_give(struct canceld_operation *operation, uint8_t bits, uint32_t flag,
                       const struct canceld_notice *notice)
{
    uint8_t fresh = bits & (uint8_t) ~operation->given;

    if (fresh == 0)
        return 0;
    if ((fresh & TOLD_CANCEL) != 0)
        cause_keep(operation, &notice->cause);
    if ((fresh & (TOLD_ENDED | TOLD_LOST)) != 0)
        operation->outcome = notice->outcome;
    operation->given |= fresh;
    /* Orders the cause, just written, before the flag, against owners that read the flag alone. */
    if (flag != 0)
        (void) __atomic_fetch_or(&operation->flag, flag, __ATOMIC_RELEASE);
    return fresh;
}
