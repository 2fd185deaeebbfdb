/* SPDX-License-Identifier: MIT */
/* The half that works: `worker URL KEY [SECONDS]` does a long piece of work as an operation under the key, and
 * stops when anybody asks for it. See stop.c for who asks. */
#include <canceld/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What is worked for: the compiler must not see that nobody needs it. */
static volatile uint64_t work_done;

static double seconds_now(void)
{
    struct timespec now;

    (void) timespec_get(&now, TIME_UTC);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* The hot loop: one load each time round is all that cancellability costs. */
static bool work(const uint32_t *flag, double seconds)
{
    double end = seconds_now() + seconds;

    while (seconds_now() < end)
        for (uint64_t i = 0; i < 100000; i++) {
            work_done += i * i;
            if (canceld_flag_load(flag) != 0)
                return false;
        }
    return true;
}

static int run(struct canceld_operation *operation, double seconds)
{
    enum canceld_outcome outcome = CANCELD_OUTCOME_COMPLETED;
    struct canceld_notice notice = {.cancelled = false};
    struct canceld_result result;

    (void) printf("working, gen %llu\n", (unsigned long long) canceld_operation_gen(operation));
    (void) fflush(stdout);
    if (!work(canceld_operation_flag(operation), seconds) &&
        canceld_operation_notice(operation, &notice) == CANCELD_OK) {
        outcome = CANCELD_OUTCOME_CANCELLED;
        (void) printf("told to stop: %.*s\n", (int) notice.cause.text.size,
                      (const char *) notice.cause.text.data);
    }
    /* What came first, this or a cancel, is the daemon's to say, and both sides are told the same. */
    if (canceld_operation_finish(operation, outcome, 0, &result) != CANCELD_OK)
        return EXIT_FAILURE;
    (void) printf("%s%s\n", canceld_outcome_name(outcome),
                  result.cancelled ? ", a cancel came first" : "");
    canceld_result_clear(&result);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct canceld_options options = {.client_name = "worker"};
    struct canceld_store_request store = {.policy = CANCELD_POLICY_REJECT};
    struct canceld_client *client = NULL;
    struct canceld_operation *operation = NULL;
    enum canceld_status status = CANCELD_INVALID;
    int code = EXIT_FAILURE;

    if (argc >= 3) {
        options.url = argv[1];
        store.key = canceld_string(argv[2]);
        status = canceld_connect(&options, 0, &client);
    }
    if (status == CANCELD_OK)
        status = canceld_store(client, &store, 0, &operation, NULL);
    if (operation != NULL)
        code = run(operation, argc > 3 ? strtod(argv[3], NULL) : 10.0);
    else
        (void) fprintf(stderr, "not stored: %s\n", canceld_status_text(status));
    canceld_close(client, 0);
    return code;
}
