/* SPDX-License-Identifier: MIT */
#include "bound_child.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

pid_t bound_child_fork(void)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)) {
        _exit(EXIT_FAILURE);
    }
    return pid;
}
