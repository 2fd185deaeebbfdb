/* SPDX-License-Identifier: MIT */
/* The owner's side of the public header. */
#include "client.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

const uint32_t *canceld_operation_flag(const struct canceld_operation *operation)
{
    return &operation->flag;
}

uint64_t canceld_operation_gen(const struct canceld_operation *operation)
{
    return operation->gen;
}

struct canceld_bytes canceld_operation_key(const struct canceld_operation *operation)
{
    return operation->stored.key;
}

int canceld_operation_fd(struct canceld_operation *operation)
{
    struct canceld_client *client = operation->client;
    uint64_t one = 1;
    int fd = -1;
    int spare = -1;

    if (client_enter(client) != CANCELD_OK) {
        errno = EBADF;
        return -1;
    }
    spare = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (spare < 0)
        return -1;
    client_lock(client);
    if (operation->fd < 0) {
        operation->fd = spare;
        spare = -1;
        if (operation->flag != 0)
            operation->fd_ready = write(operation->fd, &one, sizeof one) == (ssize_t) sizeof one;
    }
    fd = operation->fd;
    client_unlock(client);
    if (spare >= 0)
        (void) close(spare);
    return fd;
}

enum canceld_status canceld_operation_notice(const struct canceld_operation *operation,
                                             struct canceld_notice *notice_out)
{
    struct canceld_client *client = operation->client;
    enum canceld_status status = client_enter(client);

    if (status != CANCELD_OK)
        return status;
    client_lock(client);
    *notice_out = (struct canceld_notice){
        .cancelled = (operation->given & TOLD_CANCEL) != 0,
        .ended = (operation->given & TOLD_ENDED) != 0,
        .lost_possible = (operation->given & TOLD_LOST_POSSIBLE) != 0,
        .lost = (operation->given & TOLD_LOST) != 0,
        .outcome = operation->outcome,
        .cause = operation->cause,
    };
    client_unlock(client);
    return CANCELD_OK;
}

enum canceld_status
canceld_operation_on_notice(struct canceld_operation *operation,
                            void (*on_notice)(struct canceld_operation *operation, void *arg),
                            void *arg)
{
    struct canceld_client *client = operation->client;
    enum canceld_status status = client_enter(client);

    if (status != CANCELD_OK)
        return status;
    client_lock(client);
    operation->on_notice = on_notice;
    operation->on_notice_arg = arg;
    if (operation->closed)
        status = CANCELD_CLOSED;
    operation->retold = !operation->closed && on_notice != NULL && operation->given != 0;
    if (operation->retold)
        client_tell(client, operation);
    client_unlock(client);
    return status;
}

enum canceld_status canceld_operation_touch(struct canceld_operation *operation, uint32_t ttl_ms,
                                            uint32_t deadline_ms, struct canceld_result *result_out)
{
    struct canceld_client *client = operation->client;
    struct canceld_touch_request touch = {.name_space = operation->stored.name_space,
                                          .key = operation->stored.key,
                                          .gen = operation->gen,
                                          .ttl_ms = ttl_ms};
    struct canceld_result result;
    enum canceld_status status = canceld_touch(client, &touch, deadline_ms, &result);

    if (status == CANCELD_OK &&
        (result.answer == CANCELD_ANSWER_TOUCHED || result.answer == CANCELD_ANSWER_CANCELLING)) {
        /* A daemon that is restarted is to give it as long again, also where it was cancelled before. */
        client_lock(client);
        operation->stored.ttl_ms = ttl_ms;
        client_unlock(client);
    }
    if (result_out != NULL)
        *result_out = result;
    else
        canceld_result_clear(&result);
    return status;
}

/* Takes the operation out of everything, waits for its callback, and frees it; unless its delete is on its way,
 * then the engine does once that is answered. */
static void operation_let_go(struct canceld_operation *operation)
{
    struct canceld_client *client = operation->client;
    bool kept = false;
    int fd = -1;
    bool own_callback =
        !operation->closed && pthread_equal(pthread_self(), client->callback_thread);

    client_lock(client);
    operation->let_go = true;
    link_remove(&operation->callback_link);
    link_remove(&operation->told_link);
    if (client->callback_running == operation && own_callback)
        client->callback_running = NULL;
    while (client->callback_running == operation)
        (void) pthread_cond_wait(&client->changed, &client->mutex);
    fd = operation->fd;
    kept = !operation->closed && engine_forget(&client->engine, operation);
    client->handles_count--;
    client_release(client);
    if (fd >= 0)
        (void) close(fd);
    if (!kept)
        operation_free(operation);
}

static struct canceld_request delete_of(const struct canceld_operation *operation,
                                        enum canceld_outcome outcome)
{
    struct canceld_request request = {.op = CANCELD_OP_DELETE};

    request.of.delete_ = (struct canceld_delete_request){.name_space = operation->stored.name_space,
                                                         .key = operation->stored.key,
                                                         .gen = operation->gen,
                                                         .outcome = outcome};
    return request;
}

enum canceld_status canceld_operation_finish(struct canceld_operation *operation,
                                             enum canceld_outcome outcome, uint32_t deadline_ms,
                                             struct canceld_result *result_out)
{
    struct canceld_client *client = operation->client;
    struct canceld_request request = delete_of(operation, outcome);
    struct submission submission = {
        .request = &request, .deadline_ms = deadline_ms, .ends = operation, .persists = true};
    enum canceld_status status = client_enter(client);

    if (result_out != NULL)
        *result_out = (struct canceld_result){.limit = "", .error = {.field = "", .text = ""}};
    if (status != CANCELD_OK)
        return status;
    status = client_call(client, &submission, NULL, result_out);
    operation_let_go(operation);
    return status;
}

void canceld_operation_free(struct canceld_operation *operation)
{
    struct canceld_request request;
    struct submission submission = {.request = &request, .ends = operation, .persists = true};
    struct canceld_client *client = NULL;

    if (operation == NULL || client_enter(operation->client) != CANCELD_OK)
        return;
    client = operation->client;
    request = delete_of(operation, CANCELD_OUTCOME_FAILED);
    client_lock(client);
    /* Where it cannot be sent any more, the operation ends with the session. */
    if (!operation->closed &&
        engine_submit(&client->engine, &submission, client_now_ns()) == CANCELD_OK)
        alarm_ring(&client->io_alarm);
    client_unlock(client);
    operation_let_go(operation);
}

void canceld_operation_forget(struct canceld_operation *operation)
{
    if (operation != NULL && client_enter(operation->client) == CANCELD_OK)
        operation_let_go(operation);
}
