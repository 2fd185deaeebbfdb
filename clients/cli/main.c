/* SPDX-License-Identifier: MIT */
#include "arguments.h"
#include "command.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct arguments arguments;
    enum exit_code code;

    arguments_parse(&arguments, argc, argv);
    code = arguments.command->run(&arguments);
    arguments_fini(&arguments);
    /* What could not be printed was not told. */
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_CODE_DONE) {
        (void) fputs("cancelctl: standard output cannot be written\n", stderr);
        code = EXIT_CODE_OTHER;
    }
    return (int) code;
}
