/* SPDX-License-Identifier: MIT */
/* Two errors that memcheck has to see: a branch on what was never set, and memory that nobody knows any more. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    char *volatile set_by_nobody = malloc(16);
    if (set_by_nobody == NULL) {
        return EXIT_FAILURE;
    }
    if (set_by_nobody[3] == 'x') {
        (void) puts("x");
    }
    set_by_nobody = NULL;
    return EXIT_SUCCESS;
}
