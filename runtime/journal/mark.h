/* SPDX-License-Identifier: MIT */
/* How far the journal had come: one line in the file `journal.mark`, written over after each commit.
 *
 *     canceld journal 00000000000000000017 sync process boot 6f1c... check 0123456789abcdef
 *
 * SQLite takes a log that was cut, or whose checksum fails, for one that ends there, and says
 * nothing. The mark is the second witness: a database that holds less than it says has lost what
 * was kept, and is refused. It is written without being synced: a kill leaves it as it stands, and
 * after a loss of power it may be older than the database, which is no contradiction, or (with
 * sync process alone, which promises nothing there) newer, which is why it then counts only within
 * one boot of the machine. */
#ifndef CANCELD_JOURNAL_MARK_H
#define CANCELD_JOURNAL_MARK_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

#define MARK_NAME "journal.mark"

#define MARK_BOOT_BYTES 64

struct mark {
    int fd; /* -1: not open */
    bool sync_power;
    char boot[MARK_BOOT_BYTES]; /* this boot's name; "-" where the system gives none */
};

enum mark_found {
    MARK_MISSING,
    MARK_VOID,    /* of another boot: it says nothing */
    MARK_DAMAGED, /* no mark line */
    MARK_FOUND,
    MARK_UNREADABLE /* errno */
};

/* What an earlier run left there. */
enum mark_found mark_find(int directory_fd, uint64_t *sequence_out);

/* Makes the file anew, durable, for mark_write(). False with errno. */
MUST_CHECK bool mark_open(struct mark *mark, int directory_fd, bool sync_power, uint64_t sequence);

/* Notes a commit. Where it cannot be written the mark stays behind, which only weakens it. */
void mark_write(const struct mark *mark, uint64_t sequence);

/* Takes one that is not open. */
void mark_close(struct mark *mark);

#endif
