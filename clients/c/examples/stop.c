/* SPDX-License-Identifier: MIT */
/* The half that serves the Stop button: `stop URL` reads one HTTP request, `POST /stop/KEY`, from its standard input
 * and answers it on its standard output (as inetd and CGI have it): with what really happened. */
#include <canceld/client.h>
#include <stdio.h>
#include <stdlib.h>

static void respond(const char *code, const char *text)
{
    (void) printf("HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s\n", code, strlen(text) + 1, text);
}

static void respond_cancelled(const struct canceld_result *result)
{
    switch (result->level) {
    case CANCELD_LEVEL_STOPPED:
        respond("200 OK", "stopped");
        break;
    case CANCELD_LEVEL_DELIVERED:
        respond("202 Accepted", "the worker knows, and has not stopped yet");
        break;
    default:
        respond("202 Accepted", "asked for, and the worker does not know yet");
        break;
    }
}

static void respond_answer(const struct canceld_result *result)
{
    switch (result->answer) {
    case CANCELD_ANSWER_REQUESTED:
    case CANCELD_ANSWER_ALREADY_REQUESTED:
        respond_cancelled(result);
        break;
    case CANCELD_ANSWER_FINISHED:
        respond("409 Conflict", canceld_outcome_name(result->outcome));
        break;
    case CANCELD_ANSWER_NOT_FOUND:
        respond("404 Not Found", "nothing of that name runs");
        break;
    case CANCELD_ANSWER_RECOVERING:
        respond("503 Service Unavailable", "canceld has just started and does not know yet");
        break;
    default:
        respond("502 Bad Gateway", canceld_answer_name(result->answer));
        break;
    }
}

int main(int argc, char **argv)
{
    /* A Stop handler owns nothing, so it needs no session. */
    struct canceld_options options = {.client_name = "stop", .sessionless = true};
    struct canceld_cancel_request cancel = {.level = CANCELD_LEVEL_STOPPED, .wait_ms = 5000};
    struct canceld_client *client = NULL;
    struct canceld_result result;
    enum canceld_status status = CANCELD_OK;
    char key[257];

    if (argc != 2 || scanf("POST /stop/%256s", key) != 1) {
        respond("400 Bad Request", "POST /stop/KEY is all there is");
        return EXIT_FAILURE;
    }
    options.url = argv[1];
    cancel.key = canceld_string(key);
    cancel.cause.text = canceld_string("the Stop button");
    status = canceld_connect(&options, 2000, &client);
    if (status == CANCELD_OK)
        status = canceld_cancel(client, &cancel, 2000, &result);
    if (status == CANCELD_OK) {
        respond_answer(&result);
        canceld_result_clear(&result);
    } else {
        respond("503 Service Unavailable", canceld_status_text(status));
    }
    canceld_close(client, 0);
    return EXIT_SUCCESS;
}
