/* SPDX-License-Identifier: MIT */
/* A proxy that does to links what networks do to them.
 *
 * It stands between clients and the daemon, over tcp or unix sockets, in one thread around poll(), and passes bytes
 * both ways. At moments of chance it picks a link and a fault for it. It reads along where frames begin and end,
 * so a cut in mid-frame is one: the last byte that was passed on is followed by another of its frame.
 *
 * A fault is counted when it took effect, not when it was picked: a cut when the link was cut in mid-frame, a held
 * link when bytes had to wait, a refusal when somebody was refused. So a count of zero says that nothing of the
 * kind was shown, and the run is a failure.
 *
 * No fault but LATE and the cuts does what TCP would not do: bytes arrive in order, once, or the link ends. LATE is
 * the worst that a network does: the client is told that its link is gone, connects again and asks again, and what
 * it had sent over the old one reaches the daemon after that. */
#ifndef CANCELD_TESTS_CHAOS_PROXY_H
#define CANCELD_TESTS_CHAOS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, word, cards, figure): faults are drawn from a deck with so many cards of each, shuffled again when all
 * are drawn; so none stays away for long. */
#define CHAOS_FAULT_TABLE(X)                                                                       \
    X(DELAY, "delay", 6, "fault: bytes delayed")                                                   \
    X(END, "end", 3, "fault: cut in mid-frame, by an end")                                         \
    X(RESET, "reset", 3, "fault: cut in mid-frame, by a reset")                                    \
    X(DRIBBLE, "dribble", 3, "fault: byte by byte")                                                \
    X(HOLD, "hold", 2, "fault: half open, then on")                                                \
    X(SWALLOW, "swallow", 2, "fault: half open, then cut")                                         \
    X(LATE, "late", 3, "fault: cut at the client, its bytes later at the daemon")                  \
    X(REFUSE, "refuse", 1, "fault: connections refused")                                           \
    X(ALL, "all", 1, "fault: all cut at once")

enum chaos_fault {

#define CHAOS_FAULT_ENUM(name, word, cards, figure) CHAOS_##name,
    CHAOS_FAULT_TABLE(CHAOS_FAULT_ENUM)
#undef CHAOS_FAULT_ENUM
        CHAOS_FAULTS,
};

enum { CHAOS_LINKS_MAX = 256, CHAOS_BUFFER_BYTES = 16384, CHAOS_DECK_MAX = 64 };

struct chaos_counts {
    uint64_t of[CHAOS_FAULTS];
    uint64_t links;   /* that were made */
    uint64_t cut;     /* of them by a fault of any kind */
    uint64_t bytes;   /* passed on */
    uint64_t frames;  /* passed on whole */
    uint64_t delayed; /* bytes that had to wait */
    uint64_t swallowed;
};

/* Where in a stream of SP frames its reader is. */
struct chaos_meter {
    uint64_t left; /* of the handshake, or of the frame's body */
    uint64_t frames;
    uint64_t length;
    uint8_t head_size; /* 8 over tcp; 9 over ipc, the first of which is a kind */
    uint8_t head;      /* bytes of it that came */
};

/* One direction of a link. */
struct chaos_stream {
    struct chaos_meter meter; /* of what was passed on */
    uint64_t hold_until_us;
    uint64_t dribble_until_us;
    uint64_t next_byte_us;
    uint64_t swallow_until_us; /* 0: nothing is swallowed; then the link is cut */
    enum chaos_fault held_for; /* DELAY or HOLD */
    enum chaos_fault cut;      /* END or RESET: at the next byte within a frame */
    bool is_cutting;
    bool has_held;
    bool has_dribbled;
    bool has_ended; /* no more comes */
    size_t size;
    uint8_t data[CHAOS_BUFFER_BYTES]; /* read and not yet passed on */
};

/* fds[0] is the client's end, fds[1] the daemon's; streams[i] comes from fds[i]. */
struct chaos_link {
    int fds[2];
    bool is_late; /* the client's end goes as soon as it sends something */
    struct chaos_stream streams[2];
};

struct chaos_proxy {
    const char *target; /* the daemon's url */
    bool is_ipc;
    int listener;
    uint64_t random;
    uint64_t every_us; /* between two faults, about */
    uint64_t next_fault_us;
    uint64_t refuse_until_us;
    bool picked[CHAOS_FAULTS]; /* the plan */
    size_t deck_count;
    uint8_t deck[CHAOS_DECK_MAX];
    struct chaos_counts counts;
    size_t links_count;
    struct chaos_link *links[CHAOS_LINKS_MAX];
};

/* link.c: the bytes of one link. */
struct chaos_link *chaos_link_new(int client, int daemon, bool is_ipc);
void chaos_link_free(struct chaos_link *link, bool reset);
/* Reads and passes on what it may; false: the link is over, and `*reset_out` says how. */
bool chaos_link_pump(struct chaos_proxy *proxy, struct chaos_link *link, uint64_t now_us,
                     bool *reset_out);
/* Whether it wants to be asked again soon, whatever comes; `events` are those to poll its ends for. */
bool chaos_link_wants(const struct chaos_link *link, uint64_t now_us, short events[2]);

/* faults.c: picks one and begins it. */
void chaos_fault_begin(struct chaos_proxy *proxy, uint64_t now_us);
/* The plan: words with commas between; false: there is no such word. */
bool chaos_fault_plan(struct chaos_proxy *proxy, const char *words);
/* A line of JSON for each figure; false where a kind of the plan was never used. */
bool chaos_fault_report(const struct chaos_proxy *proxy, uint64_t seed);

#endif
