/* SPDX-License-Identifier: MIT */
/* The examples do what they say. */
#include "canceld_program.h"
#include "testing.h"

#include <stdio.h>
#include <string.h>

/* What a command line prints. */
static const char *printed(const char *line)
{
    static char text[4096];
    FILE *pipe = popen(line, "r");

    CHECK(pipe != NULL);
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    CHECK_EQ(pclose(pipe), 0);
    return text;
}

static void check_stop(const char *key, const char *first_line, const char *body)
{
    char line[1000];
    const char *text;

    (void) snprintf(line, sizeof line, "printf 'POST /stop/%s HTTP/1.1\\r\\n' | %s ipc://%s", key,
                    EXAMPLE_STOP, test_path("s"));
    text = printed(line);
    CHECK(strncmp(text, first_line, strlen(first_line)) == 0);
    CHECK(strstr(text, body) != NULL);
}

static void stop(void)
{
    struct program daemon;
    char line[1000];
    char text[200];
    FILE *worker;

    /* Whoever asks too early is not told that there is nothing. */
    (void) program_start_ready(&daemon, "--listen ipc://@/s --ephemeral --recovery 60000");
    check_stop("nobody", "HTTP/1.1 503 ", "does not know yet");
    program_stop(&daemon);
    (void) program_start_ready(&daemon, "--listen ipc://@/s --ephemeral --recovery 0");
    check_stop("nobody", "HTTP/1.1 404 ", "nothing");
    (void) snprintf(line, sizeof line, "%s ipc://%s chat-42 60", EXAMPLE_WORKER, test_path("s"));
    worker = popen(line, "r");
    CHECK(worker != NULL);
    CHECK(fgets(text, sizeof text, worker) != NULL);
    CHECK(strncmp(text, "working, gen ", 13) == 0);
    check_stop("chat-42", "HTTP/1.1 200 OK\r\n", "stopped");
    CHECK(fgets(text, sizeof text, worker) != NULL);
    CHECK_STR_EQ(text, "told to stop: the Stop button\n");
    CHECK(fgets(text, sizeof text, worker) != NULL);
    CHECK_STR_EQ(text, "CANCELLED, a cancel came first\n");
    CHECK_EQ(pclose(worker), 0);
    check_stop("chat-42", "HTTP/1.1 409 ", "CANCELLED");
    /* One that is quicker than its Stop. */
    (void) snprintf(line, sizeof line, "%s ipc://%s quick 0.01", EXAMPLE_WORKER, test_path("s"));
    CHECK(strstr(printed(line), "COMPLETED\n") != NULL);
    check_stop("quick", "HTTP/1.1 409 ", "COMPLETED");
    program_stop(&daemon);
    check_stop("quick", "HTTP/1.1 503 ", "could not be reached");
}

static const struct test_case cases[] = {
    {"a Stop in one process stops the work in another, and says what happened", stop},
};

TEST_MAIN(cases)
