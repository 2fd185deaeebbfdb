/* SPDX-License-Identifier: MIT */
/* The client library over tls+tcp://, and tokens. The certificates are made by openssl, for each case anew. */
#include "canceld_program.h"
#include "testing.h"

#include <canceld/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TLS_FLAGS                                                                                  \
    "--listen tls+tcp://127.0.0.1:0 --ephemeral --tls-cert @/server.crt --tls-key @/server.key"

static struct program daemon_;
static char url[128];

static void certificates_make(void)
{
    char command[1400];

    (void) snprintf(command, sizeof command, "sh '%s' '%s'", CERTIFICATES_SCRIPT, test_directory());
    CHECK_EQ(system(command), 0);
}

/* The address in the ready line, with the port that the daemon was given. */
static void begin(const char *flags)
{
    const char *line = NULL;
    const char *address = NULL;

    certificates_make();
    line = program_start_ready(&daemon_, flags);
    address = strstr(line, "tls+tcp://");
    CHECK(address != NULL);
    (void) snprintf(url, sizeof url, "%.*s", (int) strcspn(address, " ,\n"), address);
}

static void end(void)
{
    program_stop(&daemon_);
    test_descriptors_mark(); /* of NNG */
}

static enum canceld_status connected(const struct canceld_tls *tls, const char *token)
{
    struct canceld_options options = {.url = url, .tls = *tls, .token = canceld_string(token)};
    struct canceld_client *client = NULL;
    struct canceld_result result;
    enum canceld_status status = canceld_connect(&options, 5000, &client);

    if (status != CANCELD_OK)
        return status;
    status = canceld_ping(client, 5000, &result);
    CHECK_EQ(result.answer, CANCELD_ANSWER_PONG);
    canceld_result_clear(&result);
    canceld_close(client, 0);
    return status;
}

static void server_is_checked(void)
{
    struct canceld_tls tls = {0};
    char ca[600];
    char stranger[600];

    begin(TLS_FLAGS);
    (void) snprintf(ca, sizeof ca, "%s", test_path("ca.crt"));
    (void) snprintf(stranger, sizeof stranger, "%s", test_path("stranger-ca.crt"));
    tls.ca_file = ca;
    tls.server_name = "localhost";
    CHECK_EQ(connected(&tls, NULL), CANCELD_OK);
    tls.server_name = "elsewhere";
    CHECK_EQ(connected(&tls, NULL), CANCELD_UNAVAILABLE);
    tls.server_name = "localhost";
    tls.ca_file = stranger;
    CHECK_EQ(connected(&tls, NULL), CANCELD_UNAVAILABLE);
    end();
}

static void client_is_checked(void)
{
    struct canceld_tls tls = {.server_name = "localhost"};
    char files[6][600];
    static const char *const names[] = {"ca.crt",   "client.crt",   "client.key",
                                        "both.pem", "stranger.crt", "stranger.key"};

    begin(TLS_FLAGS " --tls-ca @/ca.crt --tls-require-client-cert");
    for (size_t i = 0; i < 6; i++)
        (void) snprintf(files[i], sizeof files[i], "%s", test_path(names[i]));
    tls.ca_file = files[0];
    CHECK_NE(connected(&tls, NULL), CANCELD_OK);
    tls.cert_file = files[1];
    tls.key_file = files[2];
    CHECK_EQ(connected(&tls, NULL), CANCELD_OK);
    tls.cert_file = files[3];
    tls.key_file = NULL;
    CHECK_EQ(connected(&tls, NULL), CANCELD_OK);
    tls.cert_file = files[4];
    tls.key_file = files[5];
    CHECK_NE(connected(&tls, NULL), CANCELD_OK);
    end();
}

static void bad_files(void)
{
    struct canceld_tls tls = {0};
    char ca[600];
    char key[600];
    char nowhere[600];

    certificates_make();
    (void) snprintf(url, sizeof url, "tls+tcp://127.0.0.1:1");
    (void) snprintf(ca, sizeof ca, "%s", test_path("ca.crt"));
    (void) snprintf(key, sizeof key, "%s", test_path("client.key"));
    (void) snprintf(nowhere, sizeof nowhere, "%s", test_path("nowhere"));
    CHECK_EQ(connected(&tls, NULL), CANCELD_INVALID); /* nobody to trust */
    tls.ca_file = nowhere;
    CHECK_EQ(connected(&tls, NULL), CANCELD_INVALID);
    tls.ca_file = key;
    CHECK_EQ(connected(&tls, NULL), CANCELD_INVALID);
    tls.ca_file = ca;
    tls.cert_file = nowhere;
    CHECK_EQ(connected(&tls, NULL), CANCELD_INVALID);
    tls.cert_file = ca; /* without a key */
    CHECK_EQ(connected(&tls, NULL), CANCELD_INVALID);
    tls.cert_file = NULL;
    CHECK_EQ(connected(&tls, NULL), CANCELD_UNAVAILABLE);
    test_descriptors_mark(); /* of NNG */
}

static void tokens(void)
{
    struct program maker = program_start("--tokens @/tokens --make-token ci");
    struct canceld_tls tls = {.server_name = "localhost"};
    char token[300];
    char ca[600];

    (void) snprintf(token, sizeof token, "%s", program_line(&maker));
    CHECK_EQ(program_wait(&maker), 0);
    CHECK_GT(strlen(token), 16);
    begin(TLS_FLAGS " --tokens @/tokens");
    (void) snprintf(ca, sizeof ca, "%s", test_path("ca.crt"));
    tls.ca_file = ca;
    CHECK_EQ(connected(&tls, token), CANCELD_OK);
    CHECK_EQ(connected(&tls, "somebody else's"), CANCELD_REFUSED);
    end();
}

static const struct test_case cases[] = {
    {"the daemon has to show a certificate of its name, by a CA that is trusted",
     server_is_checked},
    {"a daemon that asks for certificates lets in who shows a good one", client_is_checked},
    {"files that are none of the kind are INVALID", bad_files},
    {"a token opens a session, another one is REFUSED", tokens},
};

TEST_MAIN(cases)
