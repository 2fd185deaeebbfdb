/* SPDX-License-Identifier: MIT */
/* What the process may still ask of the system once it serves: a seccomp filter of the calls that the
 * daemon and its libraries make, for all threads, for good.
 *
 * Whoever takes the daemon over by a fault in it holds a process that can start no program, make no
 * code, open no listener, see no other process, and reach no call of the kernel's rarer parts. What is
 * not on the list ends the process at once (SIGSYS): it is not ours, or it is a path that nobody has
 * tested, and of either nothing true can be said. What was answered outlives that as it does any kill.
 *
 * It is entered when all is open and nothing is served. Files are not told apart: that is for the file
 * system's rights, and for the service manager's sandbox. */
#ifndef CANCELD_SERVER_SANDBOX_H
#define CANCELD_SERVER_SANDBOX_H

#include "base/check.h"
#include "server/refusal.h"

#include <stdbool.h>

/* X(NAME, text): what becomes of a call that is not on the list. */
#define SANDBOX_MODE_TABLE(X)                                                                      \
    X(KILL, "kill") /* the end, by SIGSYS */                                                       \
    X(LOG,                                                                                         \
      "log") /* it is made, and the kernel's audit log tells of it: to find what is missing */     \
    X(OFF, "off") /* there is no filter */

enum sandbox_mode {

#define SANDBOX_MODE_ENUM(name, text) SANDBOX_##name,
    SANDBOX_MODE_TABLE(SANDBOX_MODE_ENUM)
#undef SANDBOX_MODE_ENUM
};

/* "kill": static storage. */
const char *sandbox_mode_text(enum sandbox_mode mode);

/* "kill" gives SANDBOX_KILL. False for what is none. */
MUST_CHECK bool sandbox_mode_parse(const char *text, enum sandbox_mode *mode_out);

/* Has the name service load what it would load later: users and groups of a configuration are looked up
 * again at a reload, and then no code can be loaded any more. May ask whoever the system asks for users. */
void sandbox_prepare(void);

/* Every thread of the process, and those that they will start. There is no way back. A kernel without
 * such filters is a refusal. */
MUST_CHECK bool sandbox_enter(enum sandbox_mode mode, struct refusal *refusal);

#endif
