/* SPDX-License-Identifier: MIT */
/* What `cancelctl top` shows: taken from the daemon's answers, and changed by keys. It knows of no
 * terminal and of no connection. */
#ifndef CANCELD_CLI_TOP_MODEL_H
#define CANCELD_CLI_TOP_MODEL_H

#include "stat_rows.h"

#include <canceld/client.h>

#include <stdbool.h>
#include <stdint.h>

#define TOP_LIST_MAX 100 /* operations asked for: more than most terminals have lines */
#define TOP_TEXT_BYTES 256
#define TOP_NAMESPACE_BYTES 65
#define TOP_JOURNAL_MAX 5
#define TOP_REMARK_BYTES 160

/* Figures of now. X(NAME, row of stats) */
#define TOP_FIGURE_TABLE(X)                                                                        \
    X(EPOCH, "epoch")                                                                              \
    X(UPTIME, "uptime_ms")                                                                         \
    X(LIVE, "operations_live")                                                                     \
    X(CANCELLING, "operations_cancelling")                                                         \
    X(ARMED, "armed")                                                                              \
    X(SESSIONS, "sessions")                                                                        \
    X(CONNECTIONS, "connections")                                                                  \
    X(UNACKNOWLEDGED, "cancels_unacknowledged")                                                    \
    X(UNACKNOWLEDGED_OLDEST, "cancel_unacknowledged_oldest_ms")

/* Counters that are shown as rates. */
#define TOP_RATE_TABLE(X)                                                                          \
    X(STORES, "ops_store")                                                                         \
    X(CANCELS, "ops_cancel")                                                                       \
    X(DELETES, "ops_delete")

#define TOP_FIGURE_ENUM(name, row) TOP_FIGURE_##name,
#define TOP_RATE_ENUM(name, row) TOP_RATE_##name,
enum top_figure { TOP_FIGURE_TABLE(TOP_FIGURE_ENUM) TOP_FIGURES_COUNT };
enum top_rate { TOP_RATE_TABLE(TOP_RATE_ENUM) TOP_RATES_COUNT };
#undef TOP_FIGURE_ENUM
#undef TOP_RATE_ENUM

struct top_number {
    uint64_t value;
    bool is_known;
};

/* Texts are escaped as the other commands print them, and cut. */
struct top_operation {
    char key[TOP_TEXT_BYTES];
    char owner[TOP_TEXT_BYTES]; /* its name, else its number; empty: nobody */
    char cause[16];
    char by[TOP_TEXT_BYTES]; /* the actor, else the peer */
    char reason[TOP_TEXT_BYTES];
    enum canceld_state state;
    uint64_t gen;
    uint64_t age_ms;
    uint64_t cancelling_ms;
};

struct top_list {
    struct top_operation rows[TOP_LIST_MAX];
    size_t rows_count;
    char remark[32]; /* why there are none: an answer's word */
};

/* What is shown of the journal's rows, ready to be read. */
struct top_journal_row {
    const char *name;
    char value[24];
};

struct top_model {
    const char *server_url;
    char name_space[TOP_NAMESPACE_BYTES]; /* empty: the client's */
    uint32_t interval_ms;
    bool is_paused;
    bool is_prompting; /* for a namespace */
    char prompt[TOP_NAMESPACE_BYTES];
    char remark[TOP_REMARK_BYTES]; /* empty: all is well */

    struct top_number figures[TOP_FIGURES_COUNT];
    struct top_number rates[TOP_RATES_COUNT]; /* tenths of one a second */
    struct top_journal_row journal[TOP_JOURNAL_MAX];
    size_t journal_count; /* 0: there is none */
    bool is_journal_failing;
    struct histogram delivered;
    struct histogram stopped;
    struct top_list oldest;
    struct top_list unacknowledged;

    /* the sample before, for the rates */
    uint64_t sampled_at_ms; /* 0: none yet */
    uint64_t counters[TOP_RATES_COUNT];
};

/* `name_space` may be NULL. Nothing is known yet. */
void top_model_init(struct top_model *model, const char *server_url, const char *name_space,
                    uint32_t interval_ms);

/* Takes an answer to stats, got at `now_ms` of a clock that does not go back. */
void top_model_stats(struct top_model *model, const struct canceld_result *result, uint64_t now_ms);

/* Takes an answer to list; any other than a page is shown as such. */
void top_list_take(struct top_list *list, const struct canceld_result *result);

/* What a key asks for. */
enum top_wish { TOP_WISH_NOTHING, TOP_WISH_QUIT, TOP_WISH_SAMPLE };

#define TOP_KEY_ENTER '\n'
#define TOP_KEY_ESCAPE 27
#define TOP_KEY_BACKSPACE 8

/* A key was pressed: a character, or one of these. */
enum top_wish top_model_key(struct top_model *model, int key);

#endif
