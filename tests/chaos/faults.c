/* SPDX-License-Identifier: MIT */
#include "proxy.h"
#include "testing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DELAY_MOST_US 30000
#define DRIBBLE_MOST_US 200000
#define HOLD_LEAST_US 50000
#define HOLD_MOST_US 500000
#define REFUSE_MOST_US 150000

static const char *const words_of[] = {
#define CHAOS_FAULT_WORD(name, word, cards, figure) word,
    CHAOS_FAULT_TABLE(CHAOS_FAULT_WORD)
#undef CHAOS_FAULT_WORD
};

static const unsigned cards_of[] = {
#define CHAOS_FAULT_CARDS(name, word, cards, figure) cards,
    CHAOS_FAULT_TABLE(CHAOS_FAULT_CARDS)
#undef CHAOS_FAULT_CARDS
};

static const char *const figures_of[] = {
#define CHAOS_FAULT_FIGURE(name, word, cards, figure) figure,
    CHAOS_FAULT_TABLE(CHAOS_FAULT_FIGURE)
#undef CHAOS_FAULT_FIGURE
};

#define CHAOS_FAULT_ADD(name, word, cards, figure) +cards
_Static_assert(0 CHAOS_FAULT_TABLE(CHAOS_FAULT_ADD) <= CHAOS_DECK_MAX, "the deck holds all cards");
#undef CHAOS_FAULT_ADD

/* ---- the plan ---- */

bool chaos_fault_plan(struct chaos_proxy *proxy, const char *words)
{
    bool any = false;
    while (*words != '\0') {
        const size_t size = strcspn(words, ",");
        size_t i = 0;
        while (i < CHAOS_FAULTS &&
               (strlen(words_of[i]) != size || memcmp(words_of[i], words, size) != 0)) {
            i++;
        }
        if (i == CHAOS_FAULTS) {
            return false;
        }
        any = proxy->picked[i] = true;
        words += size + (words[size] == ',');
    }
    return any;
}

static void fill_deck(struct chaos_proxy *proxy)
{
    for (size_t i = 0; i < CHAOS_FAULTS; i++) {
        for (unsigned n = 0; proxy->picked[i] && n < cards_of[i]; n++) {
            proxy->deck[proxy->deck_count++] = (uint8_t) i;
        }
    }
}

static enum chaos_fault draw(struct chaos_proxy *proxy)
{
    if (proxy->deck_count == 0) {
        fill_deck(proxy);
    }
    const size_t at = (size_t) (test_random(&proxy->random) % proxy->deck_count);
    const enum chaos_fault drawn = (enum chaos_fault) proxy->deck[at];
    proxy->deck[at] = proxy->deck[--proxy->deck_count];
    return drawn;
}

/* ---- what each begins with ---- */

struct beginning {
    struct chaos_proxy *proxy;
    struct chaos_link *link;
    enum chaos_fault fault;
    uint64_t now_us;
};

static uint64_t from_to(struct chaos_proxy *proxy, uint64_t least, uint64_t most)
{
    return least + test_random(&proxy->random) % (most - least + 1);
}

static void begin_hold(const struct beginning *of, struct chaos_stream *stream)
{
    const uint64_t span_us = of->fault == CHAOS_DELAY
                                 ? from_to(of->proxy, 1, DELAY_MOST_US)
                                 : from_to(of->proxy, HOLD_LEAST_US, HOLD_MOST_US);
    stream->hold_until_us = of->now_us + span_us;
    stream->held_for = of->fault;
    stream->has_held = false;
}

static void begin_cut(const struct beginning *of, struct chaos_stream *stream)
{
    stream->is_cutting = true;
    stream->cut = of->fault;
}

static void begin_dribble(const struct beginning *of, struct chaos_stream *stream)
{
    stream->dribble_until_us = of->now_us + from_to(of->proxy, DELAY_MOST_US, DRIBBLE_MOST_US);
    stream->has_dribbled = false;
}

static void begin_swallow(const struct beginning *of, struct chaos_stream *stream)
{
    if (stream->size == 0) { /* what was read already stays */
        stream->swallow_until_us = of->now_us + from_to(of->proxy, HOLD_LEAST_US, HOLD_MOST_US);
        stream->has_held = false;
    }
}

static void begin_late(const struct beginning *of, struct chaos_stream *stream)
{
    (void) stream;
    of->link->is_late = true;
}

/* Somebody has to come, to be refused: the link is reset. */
static void begin_refuse(const struct beginning *of, struct chaos_stream *stream)
{
    of->proxy->refuse_until_us = of->now_us + from_to(of->proxy, DELAY_MOST_US, REFUSE_MOST_US);
    stream->is_cutting = true;
    stream->cut = CHAOS_RESET;
}

static void begin_all(const struct beginning *of, struct chaos_stream *stream)
{
    struct chaos_proxy *proxy = of->proxy;
    (void) stream;
    proxy->counts.of[CHAOS_ALL]++;
    proxy->counts.cut += proxy->links_count;
    while (proxy->links_count > 0) {
        chaos_link_free(proxy->links[--proxy->links_count], true);
    }
}

static void (*const begins[])(const struct beginning *, struct chaos_stream *) = {
    [CHAOS_DELAY] = begin_hold,      [CHAOS_END] = begin_cut,   [CHAOS_RESET] = begin_cut,
    [CHAOS_DRIBBLE] = begin_dribble, [CHAOS_HOLD] = begin_hold, [CHAOS_SWALLOW] = begin_swallow,
    [CHAOS_LATE] = begin_late,       [CHAOS_ALL] = begin_all,   [CHAOS_REFUSE] = begin_refuse,
};

void chaos_fault_begin(struct chaos_proxy *proxy, uint64_t now_us)
{
    struct beginning of = {.proxy = proxy, .now_us = now_us};
    const uint64_t at = test_random(&proxy->random);
    const uint64_t way = test_random(&proxy->random) % 3; /* there, back, or both */
    if (proxy->links_count == 0) {
        return;
    }
    of.fault = draw(proxy);
    of.link = proxy->links[at % proxy->links_count];
    if (way == 2 && (of.fault == CHAOS_HOLD || of.fault == CHAOS_SWALLOW)) {
        begins[of.fault](&of, &of.link->streams[0]);
        begins[of.fault](&of, &of.link->streams[1]);
    } else {
        begins[of.fault](&of, &of.link->streams[way % 2]);
    }
}

/* ---- the report ---- */

static void print(const char *figure, uint64_t value, uint64_t seed)
{
    (void) printf("{\"part\": \"chaos\", \"figure\": \"%s\", \"value\": %" PRIu64
                  ", \"seed\": %" PRIu64 "}\n",
                  figure, value, seed);
}

bool chaos_fault_report(const struct chaos_proxy *proxy, uint64_t seed)
{
    const struct chaos_counts *counts = &proxy->counts;
    bool all_used = true;
    print("links made", counts->links, seed);
    print("links cut", counts->cut, seed);
    print("links cut in mid-frame", counts->of[CHAOS_END] + counts->of[CHAOS_RESET], seed);
    print("bytes passed on", counts->bytes, seed);
    print("frames passed on", counts->frames, seed);
    print("bytes that had to wait", counts->delayed, seed);
    print("bytes swallowed", counts->swallowed, seed);
    for (size_t i = 0; i < CHAOS_FAULTS; i++) {
        if (proxy->picked[i]) {
            print(figures_of[i], counts->of[i], seed);
        }
        if (proxy->picked[i] && counts->of[i] == 0) {
            (void) fprintf(stderr, "chaos_proxy: seed %" PRIu64 ": never happened: %s\n", seed,
                           words_of[i]);
            all_used = false;
        }
    }
    return all_used;
}
