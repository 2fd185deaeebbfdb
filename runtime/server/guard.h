/* SPDX-License-Identifier: MIT */
/* Guards the memory of the process: it holds tokens, a TLS key, and the keys and reasons of everybody.
 * No core file is written, nobody but root attaches to it, and nothing that it would start could have
 * more rights than it has. */
#ifndef CANCELD_SERVER_GUARD_H
#define CANCELD_SERVER_GUARD_H

#include "base/check.h"

#include <stdbool.h>

/* The first act of main, before anything secret is read. False where the kernel does not do it, which
 * none since 2013 refuses. */
MUST_CHECK bool guard_raise(void);

/* Once the flags are known: where `dumpable`, the memory may be dumped after all, as the process was
 * started. Else its limit of core files is 0 too, which stays where the other would not: through an
 * exec, or a change of the user. */
void guard_settle(bool dumpable);

#endif
