/* SPDX-License-Identifier: MIT */
/* The epoch: the number of this start of the daemon, which stands above the counter in every
 * generation. It promises that no generation is ever given out twice, not even across restarts.
 *
 * A durable epoch is one line in the file `epoch` of the state directory:
 *
 *     canceld epoch 17 check 0123456789abcdef
 *
 * The check is a hash of the number, so that a file cut short or written over is seen: then nothing
 * starts, for a guess could give a generation out again. To raise the epoch: lock `epoch.lock`,
 * read, write the next number to `epoch.new`, sync it, rename it over `epoch`, sync the directory,
 * unlock. Whatever step fails, the old epoch stands or the new one does, and the caller was not
 * told a number that could come again. The number is given only after the last step. Several
 * daemons may share a directory: each raise gives another number.
 *
 * An ephemeral epoch is the minutes since 2026-01-01, with the counter starting at the milliseconds
 * within the minute x 2^24: nothing is written, and a clock that is set back may bring generations
 * again.
 *
 * One thread at a time: main until the registry runs, its owner thread from then on. */
#ifndef CANCELD_SERVER_EPOCH_H
#define CANCELD_SERVER_EPOCH_H

#include "base/check.h"
#include "server/refusal.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* What the registry leaves for it in a generation: 24 bits. */
#define EPOCH_MAX ((UINT64_C(1) << 24) - 1)

struct epoch {
    uint64_t number;        /* 1 to EPOCH_MAX */
    uint64_t counter_first; /* where the counter starts: 1 for a durable epoch */
    int directory_fd;       /* -1: ephemeral */
    uint64_t (*wall_ms)(void);
    char directory[PATH_MAX]; /* for sentences */
};

/* Opens the state directory, which is made where it is missing, and raises its epoch. On refusal
 * nothing is held. Waits for another daemon that is just raising it, 5 s at most. */
MUST_CHECK bool epoch_open(struct epoch *epoch, const char *directory, struct refusal *refusal);

/* `wall_ms` gives the milliseconds since 1970. Refused where that is before 2026-01-01T00:01, or
 * past what 24 bits of minutes hold. */
MUST_CHECK bool epoch_open_ephemeral(struct epoch *epoch, uint64_t (*wall_ms)(void),
                                     struct refusal *refusal);

/* Raises the number above the present one: durable when this returns, or, where it is ephemeral,
 * not before the minute has passed. On refusal the number is the old one. Takes what the disk
 * takes. */
MUST_CHECK bool epoch_raise(struct epoch *epoch, struct refusal *refusal);

void epoch_close(struct epoch *epoch);

/* The system's wall clock, for epoch_open_ephemeral(). */
uint64_t epoch_wall_ms(void);

#endif
