/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* The process that connected first. NNG does not survive a fork(), so neither does this library. Relaxed: it
 * guards no other memory. */
static atomic_int library_pid;

uint64_t client_now_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 * NS_PER_MS + (uint64_t) now.tv_nsec;
}

enum canceld_status client_enter(const struct canceld_client *client)
{
    if (client == NULL)
        return CANCELD_INVALID;
    return client->pid == getpid() ? CANCELD_OK : CANCELD_FORKED;
}

void client_lock(struct canceld_client *client)
{
    (void) pthread_mutex_lock(&client->mutex);
}

void client_unlock(struct canceld_client *client)
{
    (void) pthread_mutex_unlock(&client->mutex);
}

/* ---- making and freeing ---- */

#define TOKEN_BYTES_MAX 256

static bool text_fits(const char *text, size_t size_max)
{
    return text == NULL || strlen(text) <= size_max;
}

static bool framing_of(const char *url, enum sp_framing *framing_out)
{
    static const struct {
        const char *scheme;
        enum sp_framing framing;
    } rows[] = {{"ipc://", SP_FRAMING_IPC},
                {"unix://", SP_FRAMING_IPC},
                {"abstract://", SP_FRAMING_IPC},
                {"tcp://", SP_FRAMING_TCP},
                {"tls+tcp://", SP_FRAMING_TCP}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strncmp(url, rows[i].scheme, strlen(rows[i].scheme)) == 0) {
            *framing_out = rows[i].framing;
            return true;
        }
    return false;
}

static uint32_t heartbeat_of(const struct canceld_options *options)
{
    if (options->heartbeat_ms == CANCELD_HEARTBEAT_NONE)
        return 0;
    return options->heartbeat_ms == 0 ? CANCELD_HEARTBEAT_DEFAULT_MS : options->heartbeat_ms;
}

static enum canceld_status options_check(const struct canceld_options *options)
{
    enum sp_framing framing;

    if (options == NULL || options->url == NULL || !framing_of(options->url, &framing))
        return CANCELD_INVALID;
    if (!text_fits(options->name_space, 64) || !text_fits(options->client_name, 64))
        return CANCELD_INVALID;
    if (options->token.size > TOKEN_BYTES_MAX || (options->token.size > 0 && options->sessionless))
        return CANCELD_INVALID;
    if (heartbeat_of(options) != 0 &&
        (heartbeat_of(options) < 100 || heartbeat_of(options) > 86400000))
        return CANCELD_INVALID;
    return CANCELD_OK;
}

static struct canceld_bytes text_keep(char **place, struct canceld_bytes text)
{
    struct canceld_bytes kept = {*place, text.size};

    if (text.size > 0)
        memcpy(*place, text.data, text.size);
    *place += text.size;
    return kept;
}

/* The texts, one behind the other, in memory that outlives the engine. */
static bool config_fill(struct canceld_client *client, const struct canceld_options *options,
                        struct engine_config *config_out)
{
    struct canceld_bytes name_space = canceld_string(options->name_space);
    struct canceld_bytes client_name = canceld_string(options->client_name);
    size_t size = name_space.size + client_name.size + options->token.size + 1;
    char *place = malloc(size);

    client->texts = place;
    client->texts_size = size;
    if (place == NULL)
        return false;
    *config_out = (struct engine_config){
        .name_space = text_keep(&place, name_space),
        .client_name = text_keep(&place, client_name),
        .token = text_keep(&place, options->token),
        .heartbeat_ms = heartbeat_of(options),
        .sessionless = options->sessionless,
        .stop_on_lost = options->on_lost == CANCELD_ON_LOST_STOP,
        .seed = client_now_ns() ^ (uint64_t) getpid() << 32,
    };
    return framing_of(options->url, &config_out->framing);
}

static void locks_init(struct canceld_client *client)
{
    pthread_condattr_t monotonic;

    (void) pthread_condattr_init(&monotonic);
    (void) pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void) pthread_mutex_init(&client->mutex, NULL);
    (void) pthread_cond_init(&client->callback_wake, &monotonic);
    (void) pthread_cond_init(&client->changed, &monotonic);
    (void) pthread_condattr_destroy(&monotonic);
}

/* Without threads, without a stream. */
static void client_free(struct canceld_client *client)
{
    (void) pthread_mutex_destroy(&client->mutex);
    alarm_fini(&client->io_alarm);
    (void) pthread_cond_destroy(&client->callback_wake);
    (void) pthread_cond_destroy(&client->changed);
    buffer_fini(&client->output);
    if (client->texts != NULL)
        explicit_bzero(client->texts, client->texts_size); /* the token is among them */
    free(client->texts);
    explicit_bzero(client, sizeof *client); /* and the session's secret in here */
    free(client);
}

static enum canceld_status client_new(const struct canceld_options *options,
                                      struct canceld_client **client_out)
{
    struct canceld_client *client = calloc(1, sizeof *client);
    struct engine_config config;
    enum canceld_status status = CANCELD_NO_MEMORY;

    if (client == NULL)
        return CANCELD_NO_MEMORY;
    locks_init(client);
    link_init(&client->callback_operations);
    link_init(&client->callback_calls);
    client->pid = getpid();
    client->requests_max =
        options->requests_max == 0 ? CANCELD_REQUESTS_MAX_DEFAULT : options->requests_max;
    client->on_event = options->on_event;
    client->on_event_arg = options->on_event_arg;
    if (!alarm_init(&client->io_alarm))
        status = CANCELD_SYSTEM;
    else if (config_fill(client, options, &config))
        status = stream_init(&client->stream, options->url, &options->tls, &client->mutex,
                             &client->io_alarm);
    if (status != CANCELD_OK) {
        client_free(client);
        return status;
    }
    engine_init(&client->engine, &config, client_now_ns());
    *client_out = client;
    return CANCELD_OK;
}

void client_release(struct canceld_client *client)
{
    bool last = client->closed && client->handles_count == 0;

    client_unlock(client);
    if (last)
        client_free(client);
}

/* ---- threads ---- */

static int threads_create(struct canceld_client *client)
{
    int failure = pthread_create(&client->callback_thread, NULL, client_callback_run, client);

    if (failure != 0)
        return failure;
    failure = pthread_create(&client->io_thread, NULL, client_io_run, client);
    if (failure == 0)
        return 0;
    client_lock(client);
    client->callback_stop = true;
    (void) pthread_cond_signal(&client->callback_wake);
    client_unlock(client);
    (void) pthread_join(client->callback_thread, NULL);
    return failure;
}

/* Signals are the application's: its own threads take them. */
static bool threads_start(struct canceld_client *client)
{
    sigset_t all;
    sigset_t before;
    int failure = 0;

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    failure = threads_create(client);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failure;
    return failure == 0;
}

/* The I/O thread first, for it feeds the other; that one ends when it has called everybody back. */
static void threads_stop(struct canceld_client *client)
{
    client_lock(client);
    client->io_stop = true;
    alarm_ring(&client->io_alarm);
    client_unlock(client);
    (void) pthread_join(client->io_thread, NULL);
    client_lock(client);
    engine_close_all(&client->engine);
    client_drain(client);
    client->callback_stop = true;
    (void) pthread_cond_signal(&client->callback_wake);
    client_unlock(client);
    (void) pthread_join(client->callback_thread, NULL);
}

static void client_end(struct canceld_client *client, bool threads)
{
    if (threads)
        threads_stop(client);
    stream_fini(&client->stream);
    client_lock(client);
    engine_close_all(&client->engine);
    engine_fini(&client->engine);
    client->closed = true;
    client_release(client);
}

/* Waits for a change, or until the time. */
static bool change_wait(struct canceld_client *client, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t) (until_ns / (1000 * NS_PER_MS)),
                             .tv_nsec = (long) (until_ns % (1000 * NS_PER_MS))};

    return pthread_cond_timedwait(&client->changed, &client->mutex, &until) != ETIMEDOUT;
}

static uint64_t until(uint32_t deadline_ms)
{
    return client_now_ns() +
           (deadline_ms == 0 ? CANCELD_DEADLINE_DEFAULT_MS : deadline_ms) * NS_PER_MS;
}

static enum canceld_status ready_wait(struct canceld_client *client, bool await_daemon,
                                      uint64_t until_ns)
{
    enum canceld_status status = CANCELD_UNAVAILABLE;
    bool waiting = true;

    client_lock(client);
    while (waiting && client->engine.connections_count == 0 && !client->engine.refused &&
           (await_daemon || client->engine.attempts_failed == 0))
        waiting = change_wait(client, until_ns);
    if (client->engine.connections_count > 0)
        status = CANCELD_OK;
    else if (client->engine.refused)
        status = CANCELD_REFUSED;
    client_unlock(client);
    return status;
}

enum canceld_status canceld_connect(const struct canceld_options *options, uint32_t deadline_ms,
                                    struct canceld_client **client_out)
{
    uint64_t until_ns = until(deadline_ms);
    enum canceld_status status = options_check(options);
    struct canceld_client *client = NULL;
    int nobody = 0;

    if (status != CANCELD_OK || client_out == NULL)
        return CANCELD_INVALID;
    if (!atomic_compare_exchange_strong_explicit(&library_pid, &nobody, (int) getpid(),
                                                 memory_order_relaxed, memory_order_relaxed) &&
        nobody != (int) getpid())
        return CANCELD_FORKED;
    status = client_new(options, &client);
    if (status != CANCELD_OK)
        return status;
    if (!threads_start(client)) {
        int failure = errno;

        client_end(client, false);
        errno = failure;
        return CANCELD_SYSTEM;
    }
    status = ready_wait(client, options->await_daemon, until_ns);
    if (status != CANCELD_OK) {
        client_end(client, true);
        return status;
    }
    *client_out = client;
    return CANCELD_OK;
}

void canceld_close(struct canceld_client *client, uint32_t deadline_ms)
{
    uint64_t until_ns = until(deadline_ms);
    bool waiting = true;

    if (client_enter(client) != CANCELD_OK)
        return;
    ASSERT(!pthread_equal(pthread_self(), client->callback_thread));
    client_lock(client);
    engine_close(&client->engine);
    alarm_ring(&client->io_alarm);
    while (waiting && !engine_is_closed(&client->engine))
        waiting = change_wait(client, until_ns);
    client_unlock(client);
    client_end(client, true);
}

/* ---- looking ---- */

bool canceld_is_degraded(struct canceld_client *client)
{
    bool degraded = true;

    if (client_enter(client) != CANCELD_OK)
        return true;
    client_lock(client);
    degraded = engine_is_degraded(&client->engine);
    client_unlock(client);
    return degraded;
}

enum canceld_status canceld_info(struct canceld_client *client, struct canceld_info *info_out)
{
    enum canceld_status status = client_enter(client);
    const struct engine *engine = NULL;

    if (status != CANCELD_OK)
        return status;
    if (info_out == NULL)
        return CANCELD_INVALID;
    client_lock(client);
    engine = &client->engine;
    *info_out = (struct canceld_info){
        .degraded = engine_is_degraded(engine),
        .lost_possible = engine->lost_possible,
        .degraded_ms =
            engine_is_degraded(engine) ? (client_now_ns() - engine->degraded_ns) / NS_PER_MS : 0,
        .session = engine->session,
        .epoch = engine->epoch,
        .grace_ms = engine->grace_ms,
        .finished_ms = engine->finished_ms,
        .requests_count = engine->requests_count,
        .connections_count = engine->connections_count,
    };
    client_unlock(client);
    return CANCELD_OK;
}

const char *canceld_client_version(void)
{
    return CANCELD_CLIENT_VERSION;
}
