/* SPDX-License-Identifier: MIT */
/* The two threads of a client. */
#include "client.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* ---- handing out ---- */

/* A blocking call waits on a condition of its own, so that an answer wakes nobody else. */
struct waiter {
    struct call call;
    pthread_cond_t done;
};

static void call_hand_out(struct canceld_client *client, struct call *call)
{
    if (call->operation != NULL)
        client->handles_count++;
    if (call->on_done != NULL) {
        list_append(&client->callback_calls, &call->link);
        (void) pthread_cond_signal(&client->callback_wake);
        return;
    }
    if (call->operation != NULL)
        call->operation->introduced = true;
    call->done = true;
    (void) pthread_cond_signal(&LINK_OWNER(&call->link, struct waiter, call.link)->done);
}

void client_tell(struct canceld_client *client, struct canceld_operation *operation)
{
    if (!operation->introduced) {
        operation->told_early = true;
        return;
    }
    if (link_is_alone(&operation->callback_link))
        list_append(&client->callback_operations, &operation->callback_link);
    (void) pthread_cond_signal(&client->callback_wake);
}

static void operation_hand_out(struct canceld_client *client, struct canceld_operation *operation)
{
    uint64_t one = 1;

    if (operation->flag != 0 && operation->fd >= 0 && !operation->fd_ready)
        /* Nobody reads it, so it cannot be full. */
        operation->fd_ready = write(operation->fd, &one, sizeof one) == (ssize_t) sizeof one;
    if (operation->on_notice != NULL)
        client_tell(client, operation);
    else
        engine_delivered(&client->engine, operation, operation->given);
}

static void event_hand_out(struct canceld_client *client, enum canceld_event event)
{
    (void) pthread_cond_broadcast(&client->changed);
    if (client->on_event == NULL)
        return;
    if (client->callback_events_count == ENGINE_EVENTS_MAX) {
        memmove(client->callback_events, client->callback_events + 1,
                (ENGINE_EVENTS_MAX - 1) * sizeof client->callback_events[0]);
        client->callback_events_count--;
    }
    client->callback_events[client->callback_events_count++] = event;
    (void) pthread_cond_signal(&client->callback_wake);
}

void client_drain(struct canceld_client *client)
{
    struct call *call = engine_take_done(&client->engine);
    struct canceld_operation *operation = NULL;
    enum canceld_event event;

    for (; call != NULL; call = engine_take_done(&client->engine))
        call_hand_out(client, call);
    for (operation = engine_take_told(&client->engine); operation != NULL;
         operation = engine_take_told(&client->engine))
        operation_hand_out(client, operation);
    while (engine_take_event(&client->engine, &event))
        event_hand_out(client, event);
}

enum canceld_status client_call(struct canceld_client *client, struct submission *submission,
                                struct canceld_operation **operation_out,
                                struct canceld_result *result_out)
{
    struct waiter waiter = {0};
    struct canceld_result empty = {.limit = "", .error = {.field = "", .text = ""}};
    enum canceld_status status = CANCELD_OK;

    waiter.call.result = empty;
    link_init(&waiter.call.link);
    (void) pthread_cond_init(&waiter.done, NULL);
    submission->call = &waiter.call;
    client_lock(client);
    status = engine_submit(&client->engine, submission, client_now_ns());
    if (status == CANCELD_OK) {
        client_submitted(client);
        while (!waiter.call.done)
            (void) pthread_cond_wait(&waiter.done, &client->mutex);
        status = waiter.call.status;
    }
    client_unlock(client);
    (void) pthread_cond_destroy(&waiter.done);
    if (operation_out != NULL)
        *operation_out = waiter.call.operation;
    if (result_out != NULL)
        *result_out = waiter.call.result;
    else
        canceld_result_clear(&waiter.call.result);
    return status;
}

/* ---- the I/O thread ---- */

/* The link is no good any more. The engine hears of it at once; the stream is closed once NNG has let go. */
static void link_end(struct canceld_client *client, uint64_t now_ns)
{
    client->link_ending = true;
    if (client->link_up)
        engine_link_down(&client->engine, now_ns);
    client->link_up = false;
    client->output.size = 0;
    client->output_offset = 0;
}

static void dial_harvest(struct canceld_client *client, uint64_t now_ns)
{
    client->stream.dial.done = false;
    client->giving_up = false;
    if (!stream_open(&client->stream)) {
        engine_link_down(&client->engine, now_ns);
        return;
    }
    if (client->io_stop || engine_is_closed(&client->engine)) {
        client->link_ending = true;
        return;
    }
    engine_link_up(&client->engine, now_ns);
    client->link_up = true;
}

static void receive_harvest(struct canceld_client *client, uint64_t now_ns)
{
    size_t size = stream_moved(&client->stream.receive);

    client->stream.receive.done = false;
    if (!client->link_up)
        return;
    if (size == 0 || !engine_receive(&client->engine, client->stream.input, size, now_ns))
        link_end(client, now_ns);
}

static void send_harvest(struct canceld_client *client, uint64_t now_ns)
{
    size_t size = stream_moved(&client->stream.send);

    client->stream.send.done = false;
    if (!client->link_up)
        return;
    client->output_offset += size;
    if (size == 0)
        link_end(client, now_ns);
}

static void harvest(struct canceld_client *client, uint64_t now_ns)
{
    if (client->stream.dial.done)
        dial_harvest(client, now_ns);
    if (client->stream.receive.done)
        receive_harvest(client, now_ns);
    if (client->stream.send.done)
        send_harvest(client, now_ns);
    engine_tick(&client->engine, now_ns);
    if (client->link_up && engine_wants_cut(&client->engine))
        link_end(client, now_ns);
}

static void output_fill(struct canceld_client *client, uint64_t now_ns)
{
    if (!client->link_up || client->stream.send.busy)
        return;
    if (client->output_offset == client->output.size)
        client->output.size = client->output_offset = 0;
    if (client->output.size == 0)
        engine_send(&client->engine, &client->output, now_ns);
}

static uint64_t io_wake_ns(const struct canceld_client *client);

/* One sending of what waits, by a caller. False where there was nothing to do, or nobody but the I/O thread may. */
static bool send_here(struct canceld_client *client)
{
    struct stream *stream = &client->stream;
    uint64_t now_ns = client_now_ns();

    if (stream->path == NULL || !client->link_up || stream->send.busy || stream->send.done)
        return false;
    output_fill(client, now_ns);
    if (client->output.size == client->output_offset)
        return false;
    stream_claim(&stream->send);
    client_unlock(client);
    stream_send(stream, client->output.data + client->output_offset,
                client->output.size - client->output_offset);
    client_lock(client);
    if (stream->send.done)
        send_harvest(client, now_ns);
    return true;
}

/* Whoever finds somebody sending may go: that one, or the I/O thread behind it, looks again. */
void client_submitted(struct canceld_client *client)
{
    bool sent = send_here(client) && send_here(client);

    client_drain(client);
    if (sent || client->stream.path == NULL || client->link_ending || client->engine.closing ||
        !client->link_up || io_wake_ns(client) < client->io_until_ns)
        alarm_ring(&client->io_alarm);
}

enum io_step {
    IO_NOTHING,
    IO_DIAL,
    IO_RECEIVE,
    IO_SEND,
    IO_GIVE_UP,
    IO_CLOSE,
};

/* What is to be done next, claimed. At most one thing at a time, for it is done without the mutex. */
static enum io_step step_choose(struct canceld_client *client, uint64_t now_ns)
{
    struct stream *stream = &client->stream;
    bool busy = stream->receive.busy || stream->send.busy;

    if (client->link_ending)
        return busy ? IO_GIVE_UP : IO_CLOSE;
    if (client->link_up && !stream->receive.busy) {
        stream_claim(&stream->receive);
        return IO_RECEIVE;
    }
    if (client->link_up && !stream->send.busy && client->output.size > client->output_offset) {
        stream_claim(&stream->send);
        return IO_SEND;
    }
    if (stream->dial.busy)
        return client->io_stop || engine_dial_end_ns(&client->engine) <= now_ns ? IO_GIVE_UP
                                                                                : IO_NOTHING;
    if (!client->link_up && !client->io_stop && engine_dial_ns(&client->engine) <= now_ns) {
        stream_claim(&stream->dial);
        engine_dial_begin(&client->engine, now_ns);
        return IO_DIAL;
    }
    return IO_NOTHING;
}

/* Without the mutex: it touches the stream, and of the client what is claimed with the step. */
static void step_take(struct canceld_client *client, enum io_step step)
{
    struct stream *stream = &client->stream;

    switch (step) {
    case IO_DIAL:
        stream_dial(stream);
        break;
    case IO_RECEIVE:
        stream_receive(stream);
        break;
    case IO_SEND:
        stream_send(stream, client->output.data + client->output_offset,
                    client->output.size - client->output_offset);
        break;
    case IO_GIVE_UP:
        stream_give_up(stream);
        break;
    case IO_CLOSE:
        stream_close(stream);
        break;
    case IO_NOTHING:
        break;
    }
}

static uint64_t io_wake_ns(const struct canceld_client *client)
{
    uint64_t wake = engine_wake_ns(&client->engine, !client->stream.send.busy);
    uint64_t dial = client->stream.dial.busy ? engine_dial_end_ns(&client->engine)
                                             : engine_dial_ns(&client->engine);

    /* A dial or a link that was given up ends soon, and wakes us. */
    if (client->link_ending || client->io_stop || client->giving_up)
        return wake;
    return dial < wake ? dial : wake;
}

static bool io_is_idle(const struct canceld_client *client)
{
    const struct stream *stream = &client->stream;

    return !client->link_up && !client->link_ending && !stream->dial.busy &&
           !stream->receive.busy && !stream->send.busy && !stream->dial.done;
}

static void io_sleep(struct canceld_client *client, uint64_t now_ns, uint64_t until_ns)
{
    struct pollfd ready = stream_awaits(&client->stream);

    client->io_until_ns = until_ns;
    alarm_wait(&client->io_alarm, &client->mutex, now_ns, until_ns, &ready);
    if (ready.revents == 0)
        return;
    client_unlock(client);
    stream_go_on(&client->stream, ready.revents);
    client_lock(client);
}

void *client_io_run(void *arg)
{
    struct canceld_client *client = arg;
    client_lock(client);
    for (;;) {
        uint64_t now_ns = client_now_ns();
        enum io_step step = IO_NOTHING;

        if (client->io_stop && client->link_up)
            link_end(client, now_ns);
        harvest(client, now_ns);
        client_drain(client); /* before sending: it makes acks */
        output_fill(client, now_ns);
        (void) pthread_cond_broadcast(&client->changed);
        if (client->io_stop && io_is_idle(client))
            break;
        step = step_choose(client, now_ns);
        /* Giving up once is enough; then its end is waited for. */
        if (step == IO_NOTHING || (step == IO_GIVE_UP && client->giving_up)) {
            io_sleep(client, now_ns, io_wake_ns(client));
            continue;
        }
        client->giving_up = step == IO_GIVE_UP;
        client_unlock(client);
        step_take(client, step);
        client_lock(client);
        client->link_ending = client->link_ending && step != IO_CLOSE;
    }
    client_unlock(client);
    return NULL;
}

/* ---- the callback thread ---- */

static void notice_call(struct canceld_client *client, struct link *link)
{
    struct canceld_operation *operation = LINK_OWNER(link, struct canceld_operation, callback_link);
    uint8_t bits = operation->given;
    void (*on_notice)(struct canceld_operation *, void *) = operation->on_notice;
    void *arg = operation->on_notice_arg;
    bool is_new = operation->retold || (bits & ~operation->delivered) != 0;

    /* A LOST_POSSIBLE may be over by now. */
    if (!is_new)
        return;
    operation->retold = false;
    client->callback_running = operation;
    client_unlock(client);
    if (on_notice != NULL)
        on_notice(operation, arg);
    client_lock(client);
    /* Freed by its own callback otherwise. */
    if (client->callback_running == operation && !operation->closed && !operation->let_go) {
        engine_delivered(&client->engine, operation, bits);
        alarm_ring(&client->io_alarm);
    }
    client->callback_running = NULL;
    (void) pthread_cond_broadcast(&client->changed);
}

static void event_call(struct canceld_client *client)
{
    enum canceld_event event = client->callback_events[0];

    client->callback_events_count--;
    memmove(client->callback_events, client->callback_events + 1,
            client->callback_events_count * sizeof client->callback_events[0]);
    client_unlock(client);
    client->on_event(client, event, client->on_event_arg);
    client_lock(client);
}

static void call_call(struct canceld_client *client, struct link *link)
{
    struct call *call = LINK_OWNER(link, struct call, link);

    client->calls_count--;
    if (call->operation != NULL) {
        call->operation->introduced = true;
        if (call->operation->told_early)
            client_tell(client, call->operation);
    }
    client_unlock(client);
    call->on_done(call->status, &call->result, call->operation, call->arg);
    canceld_result_clear(&call->result);
    free(call);
    client_lock(client);
}

void *client_callback_run(void *arg)
{
    struct canceld_client *client = arg;
    struct link *link = NULL;

    client_lock(client);
    for (;;) {
        if ((link = list_take(&client->callback_operations)) != NULL)
            notice_call(client, link);
        else if (client->callback_events_count > 0)
            event_call(client);
        else if ((link = list_take(&client->callback_calls)) != NULL)
            call_call(client, link);
        else if (client->callback_stop)
            break;
        else
            (void) pthread_cond_wait(&client->callback_wake, &client->mutex);
    }
    client_unlock(client);
    return NULL;
}
