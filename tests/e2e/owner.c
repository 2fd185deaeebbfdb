/* SPDX-License-Identifier: MIT */
/* An owner made with the client library, driven by lines: owner URL.
 *
 *     in    store KEY | finish OUTCOME | quit
 *     out   stored GEN | finished ANSWER CANCELLED OUTCOME
 *           notice CANCELLED ENDED LOST_POSSIBLE LOST OUTCOME FLAG TEXT     (each call of
 * on_notice) event NUMBER                                             (each call of on_event)
 */
#include "canceld/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 300

struct owner {
    struct canceld_client *client;
    struct canceld_operation *operation;
};

__attribute__((noreturn)) static void fail(const char *what, enum canceld_status status)
{
    (void) fprintf(stderr, "owner: %s: %s\n", what, canceld_status_text(status));
    exit(EXIT_FAILURE);
}

static void tell_notice(struct canceld_operation *operation, void *arg)
{
    struct canceld_notice notice;
    (void) arg;
    const enum canceld_status status = canceld_operation_notice(operation, &notice);
    if (status != CANCELD_OK) {
        fail("notice", status);
    }
    const uint32_t flag = canceld_flag_load(canceld_operation_flag(operation));
    (void) printf("notice %d %d %d %d %s %u %.*s\n", notice.cancelled, notice.ended,
                  notice.lost_possible, notice.lost, canceld_outcome_name(notice.outcome), flag,
                  (int) notice.cause.text.size,
                  notice.cause.text.size == 0 ? "" : (const char *) notice.cause.text.data);
    (void) fflush(stdout);
}

static void tell_event(struct canceld_client *client, enum canceld_event event, void *arg)
{
    (void) client;
    (void) arg;
    (void) printf("event %d\n", (int) event);
    (void) fflush(stdout);
}

static void store(struct owner *owner, const char *key)
{
    const struct canceld_store_request request = {.key = canceld_string(key),
                                                  .on_notice = tell_notice};
    struct canceld_result result;
    const enum canceld_status status =
        canceld_store(owner->client, &request, 0, &owner->operation, &result);
    if (status != CANCELD_OK || owner->operation == NULL) {
        fail("store", status);
    }
    (void) printf("stored %" PRIu64 "\n", result.gen);
    canceld_result_clear(&result);
}

static void finish(struct owner *owner, const char *outcome)
{
    struct canceld_result result;
    const enum canceld_status status = canceld_operation_finish(
        owner->operation, (enum canceld_outcome) strtoul(outcome, NULL, 10), 0, &result);
    if (status != CANCELD_OK) {
        fail("finish", status);
    }
    owner->operation = NULL;
    (void) printf("finished %s %d %s\n", canceld_answer_name(result.answer), result.cancelled,
                  canceld_outcome_name(result.outcome));
    canceld_result_clear(&result);
}

int main(int argc, char **argv)
{
    struct owner owner = {NULL, NULL};
    char line[LINE_BYTES_MAX];
    if (argc != 2 && argc != 3) {
        (void) fprintf(stderr, "usage: owner URL [HEARTBEAT_MS]\n");
        return 2;
    }
    const uint32_t heartbeat_ms = argc == 3 ? (uint32_t) strtoul(argv[2], NULL, 10) : 100;
    const struct canceld_options options = {.url = argv[1],
                                            .client_name = "owner",
                                            .heartbeat_ms = heartbeat_ms,
                                            .on_event = tell_event};
    const enum canceld_status status = canceld_connect(&options, 0, &owner.client);
    if (status != CANCELD_OK) {
        fail("connect", status);
    }
    while (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "quit\n") != 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "store ", 6) == 0) {
            store(&owner, line + 6);
        } else if (strncmp(line, "finish ", 7) == 0) {
            finish(&owner, line + 7);
        }
        (void) fflush(stdout);
    }
    canceld_operation_free(owner.operation);
    canceld_close(owner.client, 2000);
    return EXIT_SUCCESS;
}
