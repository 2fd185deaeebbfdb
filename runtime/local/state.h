/* SPDX-License-Identifier: MIT */
/* One embedded registry, whole: what its owner alone touches, what others do, and how they meet. */
#ifndef CANCELD_LOCAL_STATE_H
#define CANCELD_LOCAL_STATE_H

#include "actor/mailbox.h"
#include "base/region.h"
#include "local/ask.h"
#include "local/callbacks.h"
#include "local/lane.h"

/* For people, and for tests: the owner's. */
#define LOCAL_FIGURES_TABLE(X) X(sweeps) X(batches) X(ops) X(asks) X(callbacks) X(sleeps)

struct local_figures {
#define LOCAL_FIGURES_FIELD(name) uint64_t name;
    LOCAL_FIGURES_TABLE(LOCAL_FIGURES_FIELD)
#undef LOCAL_FIGURES_FIELD
};

#define LOCAL_FIGURES_COUNT (sizeof(struct local_figures) / sizeof(uint64_t))

struct canceld_local {
    /* Fixed after the start. */
    struct registry *registry; /* the owner's; the pointer is anyone's */
    struct siphash_key table_key;
    struct canceld_lane *lanes;
    struct ask *asks;
    uint32_t lanes_max;
    uint32_t asks_max;
    uint32_t cpus;
    uint32_t spin_us;      /* at most; 0: none */
    uint32_t client_spins; /* looks of a thread that waits, before it sleeps */
    bool spin_auto;
    bool inline_mode;
    bool leave_live;
    /* The owner can make all threads pass a barrier: see owner.c. Once false it stays so. */
    _Atomic(bool) shared_barrier;
    uint64_t session; /* of direct ops */
    struct region lanes_region;
    struct region asks_region;
    pthread_t thread;
    bool thread_started;

    /* Any thread. */
    _Alignas(64) _Atomic(uint32_t) awake; /* 0: the owner sleeps, or is about to; see owner.c */
    _Atomic(bool) closed;                 /* nothing new is taken */
    _Atomic(bool) stopped;                /* the owner has done its last */
    _Atomic(uint32_t) lanes_end;          /* lanes at and above it were never used */
    _Atomic(uint32_t) lanes_count;        /* attached; for the spin policy alone */
    struct mailbox mailbox;

    struct callbacks callbacks;

    /* The owner. */
    _Alignas(64) uint64_t now_ms;
    uint64_t now_ns;      /* the last look at the clock */
    uint32_t since_clock; /* ops and looks since */
    uint32_t lane_first;  /* where the next sweep begins */
    uint64_t spin_ns;     /* the budget at present */
    struct ask *current;  /* whose frame is being answered */
    struct ask *waits;    /* asks that wait for callbacks */
    uint64_t requests;    /* numbers of frames of the session */
    bool more;            /* the registry has more to do now */
    bool barrier_refused; /* after the start: see owner.c */
    struct ask *stop_ask; /* the cancel of everything, at the stop */
    struct local_figures figures;
};

#endif
