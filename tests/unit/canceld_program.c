/* SPDX-License-Identifier: MIT */
#include "canceld_program.h"

#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 24

/* The words of `line`, apart by one space each; @ stands for the case's directory. */
static size_t words_split(const char *line, char *text, size_t room, char **words)
{
    size_t count = 0;
    size_t size = 0;
    char *rest = NULL;

    for (; *line != '\0'; line++) {
        CHECK_LT(size + strlen(test_directory()) + 1, room);
        if (*line == '@') {
            size += (size_t) snprintf(text + size, room - size, "%s", test_directory());
        } else {
            text[size++] = *line;
        }
    }
    text[size] = '\0';
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        CHECK_LT(count, ARGUMENTS_MAX - 1);
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

static void program_run(const char *errors, int out, const char *line)
{
    char text[2048];
    char *words[ARGUMENTS_MAX];
    int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    (void) words_split(line, text, sizeof text, words);
    if (dup2(fd, STDERR_FILENO) < 0 ||
        (out < 0 ? close(STDOUT_FILENO) : dup2(out, STDOUT_FILENO)) < 0) {
        _exit(99);
    }
    /* Whoever starts the tests in the background may have had these ignored. */
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    (void) sigaction(SIGINT, &by_default, NULL);
    (void) sigaction(SIGHUP, &by_default, NULL);
    (void) execv(CANCELD_PROGRAM, words);
    _exit(98);
}

static struct program program_fork(const char *line, bool with_output)
{
    static int count;
    struct program program;
    char all[1024];
    int ends[2];

    (void) snprintf(program.errors, sizeof program.errors, "%s/errors-%d", test_directory(),
                    count++);
    (void) snprintf(all, sizeof all, "canceld %s", line);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(fcntl(ends[0], F_SETFD, FD_CLOEXEC), 0);
    CHECK_EQ(fcntl(ends[1], F_SETFD, FD_CLOEXEC), 0);
    program.pid = fork();
    CHECK_GE(program.pid, 0);
    if (program.pid == 0) {
        program_run(program.errors, with_output ? ends[1] : -1, all);
    }
    (void) close(ends[1]);
    program.out = ends[0];
    return program;
}

struct program program_start(const char *line)
{
    return program_fork(line, true);
}

struct program program_start_closed(const char *line)
{
    return program_fork(line, false);
}

const char *file_text(const char *path)
{
    static char text[65536];
    FILE *file = fopen(path, "r");

    text[0] = '\0';
    if (file != NULL) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        (void) fclose(file);
    }
    return text;
}

const char *program_line(const struct program *program)
{
    static char line[4096];
    size_t size = 0;

    while (size < sizeof line - 1 && read(program->out, line + size, 1) == 1 &&
           line[size] != '\n') {
        size++;
    }
    line[size] = '\0';
    return line;
}

const char *program_start_ready(struct program *program, const char *flags)
{
    const char *line;

    *program = program_start(flags);
    line = program_line(program);
    if (strncmp(line, "ready ", 6) != 0) {
        (void) fprintf(stderr, "not ready: '%s'\n%s", line, file_text(program->errors));
        CHECK(false);
    }
    return line;
}

int program_wait(struct program *program)
{
    int status;

    CHECK_EQ(waitpid(program->pid, &status, 0), program->pid);
    (void) close(program->out);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void program_stop(struct program *program)
{
    int status;

    CHECK_EQ(kill(program->pid, SIGTERM), 0);
    status = program_wait(program);
    if (status != 0) {
        (void) fprintf(stderr, "%s", file_text(program->errors));
        CHECK_EQ(status, 0);
    }
}

void program_check_fails(const char *flags, int status, const char *word)
{
    struct program program = program_start(flags);
    const char *errors;

    CHECK_STR_EQ(program_line(&program), "");
    CHECK_EQ(program_wait(&program), status);
    errors = file_text(program.errors);
    if (strstr(errors, word) == NULL) {
        (void) fprintf(stderr, "'%s' is not in: %s", word, errors);
        CHECK(false);
    }
}

bool path_is_there(const char *path)
{
    struct stat found;

    return lstat(path, &found) == 0;
}
