/* SPDX-License-Identifier: MIT */
/* Stands for an attacker's code in the daemon. Preloaded, it makes one more call on SIGUSR1: another
 * program. */
#define _GNU_SOURCE

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void attack(int number)
{
    char *const words[] = {NULL};

    (void) number;
    (void) execve("/bin/true", words, words);
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = {.sa_handler = attack};

    (void) sigemptyset(&action.sa_mask);
    (void) sigaction(SIGUSR1, &action, NULL);
}
