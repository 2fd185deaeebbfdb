/* SPDX-License-Identifier: MIT */
/* The socket file of an ipc:// address, from the first look at it to its removal.
 *
 * Two daemons never share one: the lock PATH.lock is taken before anything is done to the socket,
 * and held until it is gone. Only under that lock is a socket that an earlier daemon left behind
 * removed, and only if nobody answers on it. */
#ifndef CANCELD_SERVER_SOCKET_FILE_H
#define CANCELD_SERVER_SOCKET_FILE_H

#include "base/check.h"
#include "base/lock_file.h"
#include "server/address.h"
#include "server/refusal.h"

#include <stdbool.h>
#include <sys/types.h>

struct socket_file {
    struct lock_file lock;
    char path[ADDRESS_PATH_BYTES_MAX + 1];
    dev_t device; /* of the socket that we made; 0 while there is none */
    ino_t inode;
};

/* Takes the lock and clears the way, so that the path can be listened on. On refusal nothing is
 * held and nothing was changed. */
MUST_CHECK bool socket_file_claim(struct socket_file *file, const struct address *address,
                                  struct refusal *refusal);

/* To be called once the path is listened on: the socket there is ours, and ours to remove. */
void socket_file_made(struct socket_file *file);

/* Removes our socket, if it is still ours, and gives the lock back. Takes one that was never
 * claimed, all zero but for LOCK_FILE_NONE. */
void socket_file_release(struct socket_file *file);

#endif
