/* SPDX-License-Identifier: MIT */
/* store, delete, touch and detach: the owner's side, for owners that are no process. */
#include "call.h"
#include "command.h"

#include <string.h>

static enum canceld_status store_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct arguments *arguments = call->arguments;
    /* Nobody is there to be cancelled at the ttl's end, so it ends there. */
    struct canceld_store_request request = {
        .key = arguments->key,
        .policy = arguments->policy,
        .ttl_ms = arguments->ttl_ms,
        .on_expiry = CANCELD_ON_EXPIRY_REAP,
        .on_owner_loss = CANCELD_ON_OWNER_LOSS_KEEP,
        .meta = canceld_string(arguments->meta),
        .parent = arguments->parent,
        .labels_count = arguments->labels_count,
    };

    memcpy(request.labels, arguments->labels, sizeof request.labels);
    return canceld_store(call->client, &request, 0, NULL, result_out);
}

enum exit_code command_store(const struct arguments *arguments)
{
    static const struct question question = {.needs_session = true, .ask = store_ask};

    return call_once(arguments, &question);
}

static enum canceld_status delete_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct arguments *arguments = call->arguments;
    const struct canceld_delete_request request = {
        .key = arguments->key,
        .gen = arguments->gen,
        .outcome = arguments->outcome,
    };

    return canceld_delete(call->client, &request, 0, result_out);
}

enum exit_code command_delete(const struct arguments *arguments)
{
    static const struct question question = {
        .needs_session = true, .ask = delete_ask, .wish = {.no_end = true}};

    return call_once(arguments, &question);
}

static enum canceld_status touch_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct arguments *arguments = call->arguments;
    const struct canceld_touch_request request = {
        .key = arguments->key,
        .gen = arguments->gen,
        .ttl_ms = arguments->ttl_ms,
    };

    return canceld_touch(call->client, &request, 0, result_out);
}

enum exit_code command_touch(const struct arguments *arguments)
{
    static const struct question question = {
        .needs_session = true, .ask = touch_ask, .wish = {.no_end = true}};

    return call_once(arguments, &question);
}

static enum canceld_status detach_ask(const struct call *call, struct canceld_result *result_out)
{
    const struct canceld_detach_request request = {
        .key = call->arguments->key,
        .gen = call->arguments->gen,
    };

    return canceld_detach(call->client, &request, 0, result_out);
}

enum exit_code command_detach(const struct arguments *arguments)
{
    static const struct question question = {
        .needs_session = true, .ask = detach_ask, .wish = {.no_end = true}};

    return call_once(arguments, &question);
}
