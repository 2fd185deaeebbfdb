/* SPDX-License-Identifier: MIT */
#include "server/guard.h"

#include <sys/prctl.h>
#include <sys/resource.h>

bool guard_raise(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

void guard_settle(bool dumpable)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

    if (dumpable) {
        (void) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    } else {
        (void) setrlimit(RLIMIT_CORE, &none);
    }
}
