/* SPDX-License-Identifier: MIT */
/* The service manager's protocol of sd_notify(3): one datagram to the socket that NOTIFY_SOCKET
 * names. */
#ifndef CANCELD_SERVER_NOTIFY_H
#define CANCELD_SERVER_NOTIFY_H

#include "base/check.h"
#include "base/status.h"

/* Sends `state` ("READY=1") to `socket_name`: a path, or @name for an abstract one. NULL or empty:
 * nobody asked, STATUS_OK. STATUS_INVALID for a name that is none; STATUS_SYSTEM with errno. Never
 * blocks. */
MUST_CHECK enum status notify_send(const char *socket_name, const char *state);

#endif
