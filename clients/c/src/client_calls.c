/* SPDX-License-Identifier: MIT */
/* The calls of the public header: each makes one request of what it is given, and most wait for its answer. */
#include "client.h"

static enum canceld_status request_call(struct canceld_client *client,
                                        const struct canceld_request *request, uint32_t deadline_ms,
                                        struct canceld_result *result_out)
{
    struct submission submission = {.request = request, .deadline_ms = deadline_ms};
    enum canceld_status status = client_enter(client);

    if (result_out != NULL)
        *result_out = (struct canceld_result){.limit = "", .error = {.field = "", .text = ""}};
    return status == CANCELD_OK ? client_call(client, &submission, NULL, result_out) : status;
}

enum canceld_status canceld_cancel(struct canceld_client *client,
                                   const struct canceld_cancel_request *request,
                                   uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_CANCEL, .of.cancel = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_delete(struct canceld_client *client,
                                   const struct canceld_delete_request *request,
                                   uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_DELETE, .of.delete_ = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_touch(struct canceld_client *client,
                                  const struct canceld_touch_request *request, uint32_t deadline_ms,
                                  struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_TOUCH, .of.touch = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_wait(struct canceld_client *client,
                                 const struct canceld_wait_request *request, uint32_t deadline_ms,
                                 struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_WAIT, .of.wait = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_get(struct canceld_client *client,
                                const struct canceld_get_request *request, uint32_t deadline_ms,
                                struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_GET, .of.get = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_disarm(struct canceld_client *client,
                                   const struct canceld_get_request *request, uint32_t deadline_ms,
                                   struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_DISARM, .of.get = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_list(struct canceld_client *client,
                                 const struct canceld_list_request *request, uint32_t deadline_ms,
                                 struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_LIST, .of.list = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_count(struct canceld_client *client,
                                  const struct canceld_list_request *request, uint32_t deadline_ms,
                                  struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_COUNT, .of.list = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_armed(struct canceld_client *client,
                                  const struct canceld_list_request *request, uint32_t deadline_ms,
                                  struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_ARMED, .of.list = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_ping(struct canceld_client *client, uint32_t deadline_ms,
                                 struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_PING};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_stats(struct canceld_client *client, uint32_t deadline_ms,
                                  struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_STATS};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_detach(struct canceld_client *client,
                                   const struct canceld_detach_request *request,
                                   uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_DETACH, .of.detach = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_drain(struct canceld_client *client,
                                  const struct canceld_drain_request *request, uint32_t deadline_ms,
                                  struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_DRAIN, .of.drain = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_undrain(struct canceld_client *client,
                                    const struct canceld_drain_request *request,
                                    uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_UNDRAIN, .of.drain = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_watch(struct canceld_client *client,
                                  const struct canceld_watch_request *request, uint32_t deadline_ms,
                                  struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_WATCH, .of.watch = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

enum canceld_status canceld_history(struct canceld_client *client,
                                    const struct canceld_history_request *request,
                                    uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_HISTORY, .of.history = *request};

    return request_call(client, &any, deadline_ms, result_out);
}

/* The operation that a store or adopt is to bring. False without memory. */
static bool operation_prepare(struct canceld_client *client, struct submission *submission)
{
    const struct canceld_request *request = submission->request;
    const struct canceld_store_request *store =
        request->op == CANCELD_OP_STORE ? &request->of.store : &request->of.adopt.store;

    submission->operation = operation_new(store, client->engine.config.name_space);
    if (submission->operation == NULL)
        return false;
    submission->operation->client = client;
    return true;
}

static enum canceld_status birth_call(struct canceld_client *client,
                                      const struct canceld_request *request, uint32_t deadline_ms,
                                      struct canceld_operation **operation_out,
                                      struct canceld_result *result_out)
{
    struct submission submission = {.request = request, .deadline_ms = deadline_ms};
    enum canceld_status status = client_enter(client);

    if (operation_out != NULL)
        *operation_out = NULL;
    if (result_out != NULL)
        *result_out = (struct canceld_result){.limit = "", .error = {.field = "", .text = ""}};
    if (status != CANCELD_OK)
        return status;
    if (operation_out != NULL && !operation_prepare(client, &submission))
        return CANCELD_NO_MEMORY;
    return client_call(client, &submission, operation_out, result_out);
}

enum canceld_status canceld_store(struct canceld_client *client,
                                  const struct canceld_store_request *request, uint32_t deadline_ms,
                                  struct canceld_operation **operation_out,
                                  struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_STORE, .of.store = *request};

    return birth_call(client, &any, deadline_ms, operation_out, result_out);
}

enum canceld_status canceld_adopt(struct canceld_client *client,
                                  const struct canceld_adopt_request *request, uint32_t deadline_ms,
                                  struct canceld_operation **operation_out,
                                  struct canceld_result *result_out)
{
    struct canceld_request any = {.op = CANCELD_OP_ADOPT, .of.adopt = *request};

    return birth_call(client, &any, deadline_ms, operation_out, result_out);
}

static enum canceld_status call_submit(struct canceld_client *client, struct submission *submission)
{
    enum canceld_status status = CANCELD_FULL;

    client_lock(client);
    if (client->calls_count < client->requests_max)
        status = engine_submit(&client->engine, submission, client_now_ns());
    else
        operation_free(submission->operation);
    if (status == CANCELD_OK) {
        client->calls_count++;
        alarm_ring(&client->io_alarm);
    }
    client_unlock(client);
    return status;
}

enum canceld_status canceld_submit(struct canceld_client *client,
                                   const struct canceld_request *request, uint32_t deadline_ms,
                                   void (*on_done)(enum canceld_status status,
                                                   const struct canceld_result *result,
                                                   struct canceld_operation *operation, void *arg),
                                   void *arg)
{
    struct submission submission = {.request = request, .deadline_ms = deadline_ms};
    enum canceld_status status = client_enter(client);

    if (status != CANCELD_OK)
        return status;
    if (on_done == NULL)
        return CANCELD_INVALID;
    submission.call = calloc(1, sizeof *submission.call);
    if (submission.call == NULL)
        return CANCELD_NO_MEMORY;
    link_init(&submission.call->link);
    submission.call->on_done = on_done;
    submission.call->arg = arg;
    status = CANCELD_OK;
    if (op_is_birth(request->op) && !operation_prepare(client, &submission))
        status = CANCELD_NO_MEMORY;
    if (status == CANCELD_OK)
        status = call_submit(client, &submission);
    if (status != CANCELD_OK)
        free(submission.call);
    return status;
}
