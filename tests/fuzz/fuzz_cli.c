/* SPDX-License-Identifier: MIT */
/* For libFuzzer: cancelctl's command line, a word on each line; the first line is CANCELD_SERVER, the second
 * CANCELD_TOKEN_FILE. It ends with a sentence, or what was read is within the bounds that the table of options
 * names.
 *
 * argp is glibc's own, told not to end the process; argp_error() does not return, so its stand-in jumps back to
 * just below argp, which then cleans up after itself. */
#include "fuzz_text.h"
#include "testing.h"

#include "arguments.h"
#include "command.h"
#include "exit_code.h"
#include "option.h"
#include "value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 60
#define ENDED 1000 /* beside the exit code, for longjmp() takes no 0 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arguments arguments;
static jmp_buf end_of_process;
static bool in_process;
static jmp_buf below_argp;
static error_t (*real_parser)(int key, char *value, struct argp_state *state);
static const char *environment[2];

/* ---- what ends the process ---- */

void __real_exit(int code) __attribute__((noreturn));
void __wrap_exit(int code) __attribute__((noreturn));
error_t __real_argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                          int *index, void *input);
error_t __wrap_argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                          int *index, void *input);
void __wrap_argp_error(const struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
char *__real_getenv(const char *name);
char *__wrap_getenv(const char *name);

void __wrap_exit(int code)
{
    if (!in_process) {
        __real_exit(code);
    }
    longjmp(end_of_process, ENDED + code);
}

static error_t guarded_parser(int key, char *value, struct argp_state *state)
{
    if (setjmp(below_argp) != 0) {
        return ECANCELED;
    }
    return real_parser(key, value, state);
}

error_t __wrap_argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                          int *index, void *input)
{
    struct argp guarded = *argp;
    real_parser = argp->parser;
    guarded.parser = guarded_parser;
    const error_t error = __real_argp_parse(
        &guarded, argc, argv, flags | ARGP_NO_EXIT | ARGP_NO_ERRS | ARGP_NO_HELP, index, input);
    if (error != 0) {
        longjmp(end_of_process, ENDED + EXIT_CODE_USAGE);
    }
    return error;
}

void __wrap_argp_error(const struct argp_state *state, const char *format, ...)
{
    char text[FUZZ_TEXT_BYTES_MAX + 1024];
    va_list values;
    (void) state;
    va_start(values, format);
    CHECK_GT(vsnprintf(text, sizeof text, format, values), 0);
    va_end(values);
    longjmp(below_argp, 1);
}

char *__wrap_getenv(const char *name)
{
    if (in_process && strcmp(name, "CANCELD_SERVER") == 0) {
        return (char *) (uintptr_t) environment[0];
    }
    if (in_process && strcmp(name, "CANCELD_TOKEN_FILE") == 0) {
        return (char *) (uintptr_t) environment[1];
    }
    return __real_getenv(name);
}

/* ---- what was read ---- */

static void check_option(const struct option_row *row)
{
    const void *field = (const char *) &arguments + row->offset;
    if (row->kind == OPTION_KIND_DURATION) {
        const uint32_t ms = *(const uint32_t *) field;
        CHECK(ms >= row->lowest && ms <= row->highest);
    } else if (row->kind == OPTION_KIND_NUMBER) {
        const uint64_t number = *(const uint64_t *) field;
        CHECK(number > 0 && (row->highest == 0 || number <= row->highest));
    } else if (row->kind == OPTION_KIND_TEXT) {
        CHECK_LE(strlen(*(const char *const *) field), row->highest);
    } else if (row->kind == OPTION_KIND_NAMESPACE) {
        CHECK(value_is_namespace(*(const char *const *) field));
    } else if (row->kind == OPTION_KIND_SIGNAL) {
        CHECK_GT(*(const int *) field, 0);
    }
}

static void check_arguments(void)
{
    const struct command *command = arguments.command;
    CHECK(command != NULL);
    CHECK_EQ(arguments.options_given & ~(command->options | OPTION_BITS_EVERYWHERE), 0);
    CHECK_EQ(command->required & ~arguments.options_given, 0);
    CHECK(command->operands != OPERANDS_COMMAND || arguments.run_argv != NULL);
    CHECK(command->operands != OPERANDS_KEY || arguments.key.size > 0);
    CHECK_LE(arguments.labels_count, CANCELD_LABELS_MAX);
    CHECK(value_is_url(arguments.server_url));
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((arguments.options_given & UINT64_C(1) << i) != 0) {
            check_option(&option_rows[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char program[] = "cancelctl";
    static char *words[WORDS_MAX + 2];
    static char *text;
    text = fuzz_text_of(data, size);
    environment[0] = fuzz_text_line(&text);
    environment[1] = fuzz_text_line(&text);
    words[0] = program;
    int count = 1;
    for (char *word = fuzz_text_line(&text); word != NULL && count <= WORDS_MAX;
         word = fuzz_text_line(&text)) {
        words[count++] = word;
    }
    words[count] = NULL;
    memset(&arguments, 0, sizeof arguments);
    in_process = true;
    const int ended = setjmp(end_of_process);
    if (ended == 0) {
        arguments_parse(&arguments, count, words);
        check_arguments();
    } else {
        CHECK_EQ(ended, ENDED + EXIT_CODE_USAGE);
    }
    in_process = false;
    arguments_fini(&arguments);
    return 0;
}
