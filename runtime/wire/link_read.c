/* SPDX-License-Identifier: MIT */
#include "registry/frame.h"
#include "wire/link_state.h"

#include <string.h>

/* Where part of a frame was moved, and may be part of a secret, only what it was moved to stays: bytes_wipe().
 * What comes whole is wiped by whoever knows what it is (service.c). */

void link_give_buffer(struct link *link)
{
    if (link->input != link->small) {
        bytes_wipe(link->input, link->input_bytes);
        link_buffers_give(&link->host->buffers, link->input);
        link->input = link->small;
        link_stats(link)->buffers--;
    }
}

bool link_take_buffer(struct link *link)
{
    if (link->input != link->small) {
        return true;
    }
    uint8_t *big = link_buffers_take(&link->host->buffers);
    if (big == NULL) {
        return false;
    }
    memcpy(big, link->small, link->input_bytes);
    bytes_wipe(link->small, link->input_bytes);
    link->input = big;
    link_stats(link)->buffers++;
    return true;
}

/* Takes a big buffer where the next step needs it or more waits to be read than the small one holds;
 * gives it back where nothing is left in it and little came; over TLS, where a receive cannot be
 * aborted to take it away later, also where much came. False where there is none. */
static bool link_fit_buffer(struct link *link, size_t needed)
{
    if (link->input != link->small) {
        bool is_quiet = link->read_bytes <= LINK_SMALL_BYTES || link->host->is_tls;
        if (link->input_bytes == 0 && is_quiet) {
            link_give_buffer(link);
        }
        return true;
    }
    if (needed <= LINK_SMALL_BYTES && !link->read_full) {
        return true;
    }
    return link_take_buffer(link);
}

/* A link that reads when something is there has a big buffer then, and needs one in between only for
 * what is incomplete and large. */
static void link_settle_buffer(struct link *link, size_t needed)
{
    if (link->input != link->small && link->input_bytes <= LINK_SMALL_BYTES &&
        needed <= LINK_SMALL_BYTES) {
        memcpy(link->small, link->input, link->input_bytes);
        link_give_buffer(link);
    }
}

static void link_receive(struct link *link, size_t needed)
{
    if (link->host->carrier == &link_by_socket) {
        link_settle_buffer(link, needed);
    } else if (!link_fit_buffer(link, needed)) {
        link_cut(link, ENDPOINT_CUT_MEMORY);
        return;
    }
    ASSERT(!link->receiving);
    ASSERT(link_input_room(link) > link->input_bytes);
    if (link->input != link->small && link->input_bytes == 0) {
        link->cool_by_ns = time_after(actor_now_ns(link->actor), LINK_COOL_MS * NS_PER_MS);
    }
    link->host->carrier->receive(link);
}

static void link_ask_opened(struct link *link)
{
    const struct endpoint_handler *handler = link_handler(link);
    if (!link->opened && handler->link_opened != NULL &&
        handler->link_opened(handler->context, link->address)) {
        link->opened = true;
        link->host->unopened_count--;
    }
}

static void link_hand_over(struct link *link, const struct sp_step *step)
{
    const struct endpoint_handler *handler = link_handler(link);
    struct reply_to from = {.link = link->address, .route_words = step->route.words_count};
    memcpy(from.route, step->route.words, sizeof from.route);
    link_stats(link)->frames_in++;
    handler->frame(handler->context, &from, bytes_of(step->payload, step->payload_bytes));
    link_ask_opened(link);
}

/* What the parser found. False where the reading has to stop here. */
static bool link_step(struct link *link, const struct sp_step *step)
{
    switch (step->found) {
    case SP_OPENED:
        link->handshake_by_ns = TIME_NEVER;
        return true;
    case SP_FRAME:
        link_hand_over(link, step);
        return link->doomed == LINK_NOT_DOOMED;
    case SP_IGNORE:
        link_stats(link)->frames_ignored++;
        return true;
    case SP_BROKEN:
        link->doomed = ENDPOINT_CUT_RULES;
        return false;
    case SP_MORE:
        break;
    }
    return false;
}

bool link_is_over(const struct link *link)
{
    return link_output_frames(&link->output) >= link_limits(link)->outstanding ||
           link_output_bytes(&link->output) >= link_limits(link)->output_bytes;
}

static void link_set_paused(struct link *link, bool paused)
{
    if (link->paused != paused) {
        link->paused = paused;
        link_stats(link)->pauses += paused ? 1 : 0;
        link_handler(link)->link_paused(link_handler(link)->context, link->address, paused);
    }
}

/* So much is answered, and so much still to be read, that the peer had better go on with the first answers
 * meanwhile: with all of them at the end, one of the two would always wait for the other. */
static bool link_has_early_answers(const struct link *link, size_t unread)
{
    return link_output_bytes(&link->output) >= LINK_EARLY_BYTES && unread >= LINK_EARLY_BYTES &&
           !link->finishing;
}

static bool link_share_is_over(const struct link *link)
{
    return actor_now_ns(link->actor) - link->share_since_ns >= LINK_SHARE_MS * NS_PER_MS;
}

static bool link_has_had_its_share(const struct link *link)
{
    return link->share_cost >= LINK_SHARE_COST && !link_share_is_over(link);
}

bool link_must_wait(const struct link *link)
{
    const struct link_host *host = link->host;
    return !host->in_turns && link_has_had_its_share(link) &&
           (list_first(&host->waiting) != NULL || host->turns_cost >= LINK_TURN_COST);
}

/* What a link has had of its turn. */
struct turn {
    size_t frames;
    size_t input_bytes;
    size_t output_bytes;
};

static bool turn_is_over(const struct turn *turn)
{
    return turn->frames >= LINK_TURN_FRAMES || turn->input_bytes >= LINK_TURN_INPUT_BYTES ||
           turn->output_bytes >= LINK_TURN_OUTPUT_BYTES;
}

static size_t turn_cost(const struct turn *turn)
{
    size_t cost = turn->frames * (LINK_TURN_COST / LINK_TURN_FRAMES);
    const size_t in = turn->input_bytes * (LINK_TURN_COST / LINK_TURN_INPUT_BYTES);
    const size_t out = turn->output_bytes * (LINK_TURN_COST / LINK_TURN_OUTPUT_BYTES);
    cost = cost > in ? cost : in;
    return cost > out ? cost : out;
}

/* It counts for the batch only where the link could have been told to wait: however many there are that ask now and
 * then, who asks much goes on. */
static void link_account(struct link *link, const struct turn *turn)
{
    const uint64_t now_ns = actor_now_ns(link->actor);
    const size_t cost = turn_cost(turn);
    if (link->host->in_turns || link_has_had_its_share(link)) {
        link->host->turns_cost += cost;
    }
    if (link_share_is_over(link)) {
        link->share_since_ns = now_ns;
        link->share_cost = 0;
    }
    link->share_cost += cost;
}

/* The next thing in the input, which is `step` afterwards; false where there is no other, or the reading has to
 * stop here. */
static bool link_next(struct link *link, size_t at, struct turn *turn, struct sp_step *step)
{
    size_t before = link_output_bytes(&link->output);
    *step = sp_read(&link->reader, link->input + at, link->input_bytes - at);
    bool more = link_step(link, step);
    turn->frames++;
    turn->input_bytes += step->consumed;
    turn->output_bytes += link_output_bytes(&link->output) - before;
    return more;
}

/* Hands over whole frames until the output is over its bounds or the turn is; what is left moves to the
 * front. Returns how many bytes the next step needs. */
static size_t link_parse(struct link *link)
{
    size_t at = 0;
    struct sp_step step = {.found = SP_MORE};
    struct turn turn = {0};
    bool more = true;
    while (more && !link_is_over(link) && (!turn_is_over(&turn) || at == link->input_bytes)) {
        more = link_next(link, at, &turn, &step);
        at += step.consumed;
        if (more && link_has_early_answers(link, link->input_bytes - at)) {
            link_send(link);
        }
    }
    link_account(link, &turn);
    link_set_paused(link, more && link_is_over(link));
    if (more && !link->paused) {
        link_wait(link);
    }
    link->input_bytes -= at;
    if (link->input_bytes > 0 && at > 0) {
        memmove(link->input, link->input + at, link->input_bytes);
        bytes_wipe(link->input + (at > link->input_bytes ? at : link->input_bytes),
                   at > link->input_bytes ? link->input_bytes : at);
    }
    if (link->input_bytes == 0 || more || !link->reader.open) {
        link->input_since_ns = TIME_NEVER;
    } else if (at > 0 || link->input_since_ns == TIME_NEVER) {
        link->input_since_ns = actor_now_ns(link->actor);
    }
    return step.needed;
}

void link_read(struct link *link)
{
    link_set_paused(link, false);
    size_t needed = link_parse(link);
    if (link->doomed != LINK_NOT_DOOMED) {
        link_cut(link, link->doomed);
        return;
    }
    if (!link->paused && !link_waits(link)) {
        link_receive(link, needed);
    }
    link_watch(link);
}

void link_received(struct link *link, size_t count)
{
    link->cooling = false;
    link->cool_by_ns = TIME_NEVER;
    link->input_bytes += count;
    link->read_bytes = count;
    link->read_full = link->input_bytes == link_input_room(link);
    link_stats(link)->bytes_in += count;
    if (link_must_wait(link)) {
        link_wait(link);
    } else {
        link_read(link);
    }
}

/* An abort either comes before the first byte, or too late to do anything. */
void link_cool(struct link *link)
{
    ASSERT(link->receiving && !link->cut);
    link->cooling = true;
    link->cool_by_ns = TIME_NEVER;
    nng_aio_abort(link->receive_aio, NNG_ECANCELED);
}
