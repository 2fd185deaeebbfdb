/* SPDX-License-Identifier: MIT */
/* watch: what happens in a namespace, a line each.
 *
 * A watch outlives the daemon: while that is away it says so once, on standard error, and goes on; what
 * was missed meanwhile comes as a GAP and a new snapshot. The client's callback thread says it, and it alone
 * (the main one may just wait for an answer that will not come): it is told of a lost connection at once, of
 * a daemon that is there and silent after three heartbeats, and of each return. So the two threads share
 * nothing but the streams, which each writes to in whole lines. A watch ends by --count, by --timeout, or by a
 * signal, which ends the process as any other: each line is written whole before the next is asked for. */
#include "answer.h"
#include "call.h"
#include "command.h"
#include "line.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#define WAIT_MS_MAX 25000U
#define ANSWER_MS 10000U
/* Before the next question to a daemon that is about to end. */
#define PAUSE_MS 100

struct watch {
    const struct arguments *arguments;
    struct canceld_watcher *watcher;
    uint64_t end_at_ms; /* 0: never */
    uint64_t events_count;
    bool is_over;
    bool is_away; /* and that was told; the callback thread's alone */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}

static uint32_t wait_ms(const struct watch *watch)
{
    uint64_t now = now_ms();
    uint64_t left = watch->end_at_ms > now ? watch->end_at_ms - now : 0;

    return watch->end_at_ms == 0 || left > WAIT_MS_MAX ? WAIT_MS_MAX : (uint32_t) left;
}

/* How long the daemon may be silent beyond that: a watch that is to end soon does not wait longer. */
static uint32_t answer_ms(const struct watch *watch)
{
    uint32_t left = wait_ms(watch);

    return watch->end_at_ms == 0 || left > ANSWER_MS ? ANSWER_MS : left + 1;
}

static void item_tell(struct watch *watch, const struct canceld_watch_item *item)
{
    bool is_snapshot = item->kind == CANCELD_WATCH_SNAPSHOT;
    struct line line;

    if (item->kind == CANCELD_WATCH_NOTHING || (is_snapshot && watch->arguments->no_snapshot)) {
        return;
    }
    line_begin(&line, stdout, watch->arguments->json);
    answer_watch_put(&line, item);
    line_end(&line);
    watch->is_over = ferror(stdout) != 0;
}

static void event_count(struct watch *watch)
{
    watch->events_count++;
    if (watch->events_count == watch->arguments->event_count) {
        watch->is_over = true;
    }
}

/* The daemon will not. One that is about to end is asked again, or the one that comes after it. */
static enum exit_code on_answer(struct watch *watch, const struct canceld_result *result)
{
    if (result->answer == CANCELD_ANSWER_SHUTTING_DOWN) {
        (void) poll(NULL, 0, PAUSE_MS);
        return EXIT_CODE_DONE;
    }
    watch->is_over = true;
    return call_answered(watch->arguments, result, (struct exit_code_wish){0});
}

static void away_tell(struct watch *watch, bool is_away, const char *text)
{
    struct line line;

    if (watch->is_away == is_away) {
        return;
    }
    watch->is_away = is_away;
    line_begin(&line, stderr, watch->arguments->json);
    if (watch->arguments->json) {
        line_named(&line, "event", is_away ? "DEGRADED" : "RESUMED");
        line_text(&line, "server", watch->arguments->server_url);
        line_text(&line, "text", text);
    } else {
        (void) fprintf(line.text, "cancelctl: %s: %s", watch->arguments->server_url, text);
    }
    line_end(&line);
}

/* On the client's callback thread. */
static void on_event(struct canceld_client *client, enum canceld_event event, void *arg)
{
    (void) client;
    if (event == CANCELD_EVENT_DEGRADED) {
        away_tell(arg, true, "the daemon does not answer; the watch goes on");
    } else if (event == CANCELD_EVENT_RESUMED || event == CANCELD_EVENT_SESSION_LOST ||
               event == CANCELD_EVENT_NEW_EPOCH) {
        away_tell(arg, false, "the daemon answers again");
    }
}

/* No answer: an end unless the daemon may yet come back. */
static enum exit_code on_status(struct watch *watch, enum canceld_status status)
{
    bool may_come_back =
        status == CANCELD_UNAVAILABLE || status == CANCELD_TIMED_OUT || status == CANCELD_UNKNOWN;

    if (watch->end_at_ms != 0 && now_ms() >= watch->end_at_ms) {
        return EXIT_CODE_DONE; /* the time is over, and that was all that was asked for */
    }
    if (may_come_back) {
        return EXIT_CODE_DONE;
    }
    watch->is_over = true;
    return call_failed(watch->arguments, status, NULL);
}

static enum exit_code step(struct watch *watch)
{
    struct canceld_watch_item item = {0};
    enum canceld_status status =
        canceld_watcher_next(watch->watcher, wait_ms(watch), answer_ms(watch), &item);

    if (status != CANCELD_OK) {
        return on_status(watch, status);
    }
    if (item.kind == CANCELD_WATCH_ANSWER) {
        return on_answer(watch, item.result);
    }
    item_tell(watch, &item);
    if (item.kind == CANCELD_WATCH_EVENT) {
        event_count(watch);
    }
    return EXIT_CODE_DONE;
}

static enum exit_code follow(struct watch *watch)
{
    enum exit_code code = EXIT_CODE_DONE;

    while (!watch->is_over && (watch->end_at_ms == 0 || now_ms() < watch->end_at_ms)) {
        code = step(watch);
    }
    return code;
}

enum exit_code command_watch(const struct arguments *arguments)
{
    struct watch watch = {.arguments = arguments};
    struct call call;
    enum exit_code code = call_open_told(&call, arguments, on_event, &watch);
    enum canceld_status status;

    if (code != EXIT_CODE_DONE) {
        return code;
    }
    if (arguments->timeout_ms > 0) {
        watch.end_at_ms = now_ms() + arguments->timeout_ms;
    }
    status = canceld_watcher_new(call.client, (struct canceld_bytes){0}, &watch.watcher);
    code = status == CANCELD_OK ? follow(&watch) : call_failed(arguments, status, NULL);
    canceld_watcher_free(watch.watcher);
    call_close(&call);
    return code;
}
