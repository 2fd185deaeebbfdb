/* SPDX-License-Identifier: MIT */
#include "wire/endpoint.h"

#include "wire/endpoint_kind.h"

#include <stdarg.h>
#include <stdio.h>

static const struct endpoint_kind *const kinds[] = {&endpoint_stream_kind, &endpoint_rep_kind};

enum status endpoint_fail(char error[ENDPOINT_ERROR_BYTES], enum status status, const char *format,
                          ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void) vsnprintf(error, ENDPOINT_ERROR_BYTES, format, arguments);
    va_end(arguments);
    return status;
}

enum status endpoint_open(struct actor_loop *loop, const struct endpoint_options *options,
                          const struct endpoint_handler *handler, struct endpoint **endpoint_out,
                          char error[ENDPOINT_ERROR_BYTES])
{
    struct endpoint_url url;
    enum status status = endpoint_url_parse(options->url, &url, error);
    if (status != STATUS_OK) {
        return status;
    }
    const struct endpoint_kind *kind = url.rep ? &endpoint_rep_kind : &endpoint_stream_kind;
    struct endpoint *endpoint = kind->new ();
    if (endpoint == NULL) {
        return endpoint_fail(error, STATUS_NO_MEMORY, "%s: no memory", url.text);
    }
    endpoint->kind = kind;
    endpoint->loop = loop;
    endpoint->handler = *handler;
    endpoint->limits = *options->limits;
    endpoint_url_print(&url, url.port, endpoint->url);
    status = kind->listen(endpoint, options, &url, error);
    if (status != STATUS_OK) {
        kind->free(endpoint);
        return status;
    }
    *endpoint_out = endpoint;
    return STATUS_OK;
}

void endpoint_free(struct endpoint *endpoint)
{
    if (endpoint != NULL) {
        ASSERT(endpoint->actor == NULL);
        endpoint->kind->free(endpoint);
    }
}

const char *endpoint_url(const struct endpoint *endpoint)
{
    return endpoint->url;
}

void endpoint_reply(struct actor *self, const struct reply_to *to, struct bytes body)
{
    ASSERT(body.size <= FRAME_BYTES_MAX);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i]->reply(self, to, body)) {
            return;
        }
    }
}

void endpoint_stop_accepting(struct endpoint *endpoint)
{
    if (endpoint->actor != NULL) {
        endpoint->kind->stop_accepting(endpoint);
    }
}

void endpoint_monitor(const struct endpoint *endpoint, struct actor *watcher,
                      struct message_down *down)
{
    ASSERT(endpoint->actor != NULL);
    actor_monitor(watcher, actor_self(endpoint->actor), down);
}

void endpoint_close(struct endpoint *endpoint, uint64_t flush_ms)
{
    ASSERT(!endpoint->closing && endpoint->actor != NULL);
    endpoint->closing = true;
    endpoint->kind->close(endpoint, flush_ms);
}

const char *endpoint_cut_text(enum endpoint_cut cut)
{
    static const char *const texts[] = {
#define ENDPOINT_CUT_TEXT(name, text) text,
        ENDPOINT_CUT_TABLE(ENDPOINT_CUT_TEXT)
#undef ENDPOINT_CUT_TEXT
    };
    return texts[cut];
}

const struct endpoint_stats *endpoint_stats(const struct endpoint *endpoint)
{
    return &endpoint->stats;
}
