/* SPDX-License-Identifier: MIT */
/* Rules, tokens and settings of the daemon as a program: read at its start, and again at SIGHUP. */
#include "canceld_program.h"
#include "service_rig.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define START "--recovery 0 --config @/conf"

/* The files of a case; @ is not replaced in them. */
static void file_write(const char *name, const char *text)
{
    FILE *file = fopen(test_path(name), "w");
    CHECK(file != NULL);
    CHECK_EQ(fputs(text, file) >= 0, true);
    CHECK_EQ(fclose(file), 0);
}

/* Listens on `s`, and says whatever else. */
static void config_write(const char *text)
{
    char whole[4096];
    (void) snprintf(whole, sizeof whole, "listen = \"ipc://%s\";\nephemeral = true;\n%s\n",
                    test_path("s"), text);
    file_write("conf", whole);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text++) {
        count++;
    }
    return count;
}

/* Sends SIGHUP and waits until the log says so with one more `word`. */
static void program_reload(const struct program *program, const char *word)
{
    const size_t before = count_of(file_text(program->errors), word);
    CHECK_EQ(kill(program->pid, SIGHUP), 0);
    CHECK_EVENTUALLY(count_of(file_text(program->errors), word) > before);
}

static struct client *client_here(void)
{
    char url[ENDPOINT_URL_BYTES];
    (void) snprintf(url, sizeof url, "ipc://%s", test_path("s"));
    return client_new(url);
}

/* ---- what is asked ---- */

static Canceld__V1__Answer answer_of(struct client *client, uint64_t session, uint64_t request_id,
                                     Canceld__V1__Op *op)
{
    Canceld__V1__Reply *reply = client_call(client, session, request_id, op);
    const Canceld__V1__Answer answer = reply->results[0]->answer;
    reply_free(reply);
    return answer;
}

static Canceld__V1__Answer get_in(struct client *client, const char *space)
{
    Canceld__V1__Get get;
    OP_OF(get, GET, get);
    get.namespace_ = data_of(space);
    get.key = data_of("key");
    return answer_of(client, 0, 0, &op);
}

static Canceld__V1__Answer open_with(struct client *client, const char *token,
                                     uint64_t *session_out)
{
    Canceld__V1__Open open;
    OP_OF(open, OPEN, open);
    open.namespace_ = data_of("a");
    open.token = data_of(token);
    Canceld__V1__Reply *reply = client_call(client, 0, 1, &op);
    const Canceld__V1__Answer answer = reply->results[0]->answer;
    if (answer == CANCELD__V1__ANSWER__ANSWER_OPENED && session_out != NULL) {
        *session_out = reply->results[0]->opened->session;
    }
    reply_free(reply);
    return answer;
}

static Canceld__V1__Answer store_in(struct client *client, uint64_t session, uint64_t request_id,
                                    const char *key)
{
    Canceld__V1__Store store;
    OP_OF(store, STORE, store);
    store.key = data_of(key);
    return answer_of(client, session, request_id, &op);
}

#define DENIED CANCELD__V1__ANSWER__ANSWER_DENIED
#define NOT_FOUND CANCELD__V1__ANSWER__ANSWER_NOT_FOUND
#define OPENED CANCELD__V1__ANSWER__ANSWER_OPENED
#define STORED CANCELD__V1__ANSWER__ANSWER_STORED
#define FULL CANCELD__V1__ANSWER__ANSWER_FULL

/* ---- the cases ---- */

#define RULE(space)                                                                                \
    "rules = ( { who = \"uid:*\"; namespace = \"" space "\"; roles = \"reader\"; } );"

static void hangup_takes_other_rules_over(void)
{
    struct program program;
    struct client *client;

    config_write("");
    (void) program_start_ready(&program, START);
    client = client_here();
    CHECK_EQ(get_in(client, "a"), NOT_FOUND);
    CHECK_EQ(get_in(client, "b"), NOT_FOUND);
    config_write(RULE("a"));
    program_reload(&program, "reloaded: 1 rule,");
    CHECK_EQ(get_in(client, "a"), NOT_FOUND);
    CHECK_EQ(get_in(client, "b"), DENIED);
    config_write(RULE("b"));
    program_reload(&program, "reloaded: 1 rule,");
    CHECK_EQ(get_in(client, "a"), DENIED);
    CHECK_EQ(get_in(client, "b"), NOT_FOUND);
    client_free(client);
    program_stop(&program);
}

/* An editor that truncates before it writes must not open everything to everybody. */
static void hangup_does_not_take_the_last_rule_away(void)
{
    static const char nothing[] = "nothing is reloaded: there is no rule left, and without rules "
                                  "everybody might do everything: that needs a restart";
    struct program program;
    struct client *client;

    config_write("");
    (void) program_start_ready(&program, START);
    client = client_here();
    config_write(RULE("a"));
    program_reload(&program, "reloaded: 1 rule,");
    config_write("log_level = \"error\";");
    program_reload(&program, nothing);
    CHECK_EQ(get_in(client, "b"), DENIED);
    file_write("conf", "");
    program_reload(&program, nothing);
    CHECK_EQ(get_in(client, "b"), DENIED);
    config_write(RULE("b")); /* and the log level is still the one before */
    program_reload(&program, "reloaded: 1 rule,");
    CHECK_EQ(get_in(client, "b"), NOT_FOUND);
    program_stop(&program);
    client_free(client);
    config_write("");
    (void) program_start_ready(&program, START);
    client = client_here();
    CHECK_EQ(get_in(client, "a"), NOT_FOUND);
    client_free(client);
    program_stop(&program);
}

static void a_bad_file_changes_nothing(void)
{
    static const char *const bad[] = {"rules = (", "rules = ( { who = \"nobody\"; } );",
                                      "nonsense = 1;", "tokens = \"/no/such/file\";",
                                      "log_level = \"loud\";"};
    struct program program;
    struct client *client;

    config_write(RULE("a") "log_level = \"debug\";");
    (void) program_start_ready(&program, START);
    client = client_here();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config_write(bad[i]);
        program_reload(&program, "nothing is reloaded: ");
        CHECK_EQ(get_in(client, "a"), NOT_FOUND);
        CHECK_EQ(get_in(client, "b"), DENIED);
    }
    CHECK_EQ(unlink(test_path("conf")), 0);
    program_reload(&program, "nothing is reloaded: ");
    CHECK_EQ(get_in(client, "b"), DENIED);
    client_free(client);
    program_stop(&program);
}

static void the_log_level_is_taken_over_and_the_rest_is_named(void)
{
    struct program program;
    const char *text;

    config_write("log_level = \"debug\";");
    (void) program_start_ready(&program, START " --recovery 9");
    config_write("log_format = \"json\"; recovery = 8; limits = { operations = 7; };"
                 "ipc_mode = \"0640\"; sync = \"power\";");
    program_reload(&program, "log level info");
    text = file_text(program.errors);
    CHECK(strstr(text, "--log-format is another one now, which needs a restart") != NULL);
    CHECK(strstr(text, "--limit-operations is another one now") != NULL);
    CHECK(strstr(text, "--ipc-mode is another one now") != NULL);
    CHECK(strstr(text, "--sync is another one now") != NULL);
    CHECK(strstr(text, "--recovery") == NULL); /* the flag stands above the file */
    CHECK(strstr(text, "--listen") == NULL);
    CHECK(strstr(text, "--log-level is") == NULL);
    program_stop(&program);
}

static void token_make(char token[64])
{
    struct program program = program_start("--make-token ci --tokens @/tokens");

    (void) snprintf(token, 64, "%s", program_line(&program));
    CHECK_EQ(strlen(token), 32);
    CHECK_STR_EQ(program_line(&program), "");
    CHECK_EQ(program_wait(&program), 0);
    CHECK_STR_EQ(file_text(program.errors), "");
}

static void tokens_config_write(void)
{
    char text[2048];

    (void) snprintf(text, sizeof text,
                    "tokens = \"%s\"; rules = ( { who = \"token:ci\"; namespace = \"a\"; roles = "
                    "\"owner\"; } );",
                    test_path("tokens"));
    config_write(text);
}

static void a_token_opens_and_is_replaced_without_a_gap(void)
{
    char first[64];
    char second[64];
    uint64_t session = 0;
    struct program program;
    struct client *client;

    token_make(first);
    tokens_config_write();
    (void) program_start_ready(&program, START);
    client = client_here();
    CHECK_EQ(open_with(client, "", NULL), DENIED);
    CHECK_EQ(open_with(client, "0123456789abcdef0123456789abcdef", NULL), DENIED);
    CHECK_EQ(open_with(client, first, NULL), OPENED);
    token_make(second);
    CHECK_EQ(open_with(client, second, NULL), DENIED); /* not before the reload */
    program_reload(&program, "2 tokens");
    CHECK_EQ(open_with(client, first, NULL), OPENED);
    CHECK_EQ(open_with(client, second, NULL), OPENED);
    /* the first line goes */
    char text[512];
    (void) snprintf(text, sizeof text, "%s", strchr(file_text(test_path("tokens")), '\n') + 1);
    file_write("tokens", text);
    program_reload(&program, "1 token,");
    CHECK_EQ(open_with(client, first, NULL), DENIED);
    CHECK_EQ(open_with(client, second, &session), OPENED);
    CHECK_EQ(store_in(client, session, 2, "k"), STORED);
    /* and the last one of that name: whoever came by it is here, and has no role any more */
    file_write("tokens", "");
    program_reload(&program, "0 tokens");
    CHECK_EQ(store_in(client, session, 3, "l"), DENIED);
    CHECK(strstr(file_text(program.errors), first) == NULL);
    client_free(client);
    program_stop(&program);
}

static void bounds_of_a_namespace_are_taken_over(void)
{
    struct program program;
    struct client *client;
    uint64_t session = 0;

    config_write("namespaces = ( { name = \"a\"; operations = 1; } );");
    (void) program_start_ready(&program, START);
    client = client_here();
    CHECK_EQ(open_with(client, "", &session), OPENED);
    CHECK_EQ(store_in(client, session, 2, "k1"), STORED);
    CHECK_EQ(store_in(client, session, 3, "k2"), FULL);
    config_write("namespaces = ( { name = \"a\"; operations = 2; } );");
    program_reload(&program, "1 bounded namespace,");
    CHECK_EQ(store_in(client, session, 4, "k2"), STORED);
    CHECK_EQ(store_in(client, session, 5, "k3"), FULL);
    client_free(client);
    program_stop(&program);
}

static void without_a_file_hangup_ends_it_as_ever(void)
{
    struct program program;

    (void) program_start_ready(&program, "--listen ipc://@/s --ephemeral");
    CHECK_EQ(kill(program.pid, SIGHUP), 0);
    CHECK_EQ(program_wait(&program), 0);
    CHECK(!path_is_there(test_path("s")));
}

static void many_hangups_do_no_harm(void)
{
    struct program program;
    struct client *client;

    config_write(RULE("a"));
    (void) program_start_ready(&program, START);
    client = client_here();
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(kill(program.pid, SIGHUP), 0);
        CHECK_EQ(get_in(client, "a"), NOT_FOUND);
        CHECK_EQ(get_in(client, "b"), DENIED);
    }
    program_reload(&program, "log level");
    client_free(client);
    program_stop(&program);
}

/* ---- without serving ---- */

static void a_configuration_can_be_looked_at(void)
{
    struct program program;

    config_write(RULE("a"));
    program = program_start("--check-config " START);
    CHECK_STR_EQ(program_line(&program), "good: 1 address, 1 rule, 0 bounded namespaces, 0 tokens");
    CHECK_EQ(program_wait(&program), 0);
    CHECK(!path_is_there(test_path("s")));
    program_check_fails("--check-config --config @/none", 2, "No such file");
    config_write("nonsense = 1;");
    program_check_fails("--check-config " START, 2, "conf:3: nonsense: there is no such setting");
    program_check_fails(START, 2, "conf:3: nonsense");
    config_write("tokens = \"/no/such/file\";");
    program_check_fails("--check-config " START, 2, "/no/such/file");
    program_check_fails(START, 2, "/no/such/file");
    config_write("tls_cert = \"/no/such/cert\";");
    program_check_fails("--check-config " START, 2, "/no/such/cert");
    program_check_fails("--make-token ci", 2, "--make-token needs --tokens");
    program_check_fails("--make-token a/b --tokens @/t", 2, "letters, digits");
}

static void certificates_make(void)
{
    const pid_t pid = fork();
    int ended;
    CHECK_GE(pid, 0);
    if (pid == 0) {
        (void) execl(CANCELD_CERTIFICATES, CANCELD_CERTIFICATES, test_directory(), (char *) NULL);
        _exit(127);
    }
    CHECK_EQ(waitpid(pid, &ended, 0), pid);
    CHECK_EQ(ended, 0);
}

#define TLS                                                                                        \
    "--ephemeral --listen tls+tcp://127.0.0.1:0 --tls-cert @/server.crt --tls-key @/server.key "

static void it_listens_by_tls(void)
{
    struct program program;
    const char *line;

    certificates_make();
    line = program_start_ready(&program, TLS "--tls-ca @/ca.crt --tls-require-client-cert");
    CHECK_EQ(strncmp(line, "ready tls+tcp://127.0.0.1:", 26), 0);
    CHECK_NE(strtol(strrchr(line, ':') + 1, NULL, 10), 0);
    CHECK(strstr(file_text(program.errors), "warn: there is no rule") != NULL);
    program_stop(&program);
    /* anywhere, without --insecure-tcp */
    (void) program_start_ready(&program, "--ephemeral --listen tls+tcp://0.0.0.0:0 --tls-cert "
                                         "@/server.crt --tls-key @/server.key");
    program_stop(&program);
    program_check_fails(TLS "--tls-ca @/none", 2, "none");
    program_check_fails(TLS "--tls-ca @/server.key", 2, "CA of the clients");
    CHECK_EQ(chmod(test_path("server.key"), 0644), 0);
    program_check_fails(TLS, 2, "server.key has mode 0644");
    program_check_fails("--check-config " TLS, 2, "server.key has mode 0644");
}

static const struct test_case cases[] = {
    {"a hangup takes other rules over", hangup_takes_other_rules_over, 0},
    {"SIGHUP does not take the last rule away", hangup_does_not_take_the_last_rule_away, 0},
    {"a bad file changes nothing", a_bad_file_changes_nothing, 0},
    {"the log level is taken over and the rest is named",
     the_log_level_is_taken_over_and_the_rest_is_named, 0},
    {"a token opens and is replaced without a gap", a_token_opens_and_is_replaced_without_a_gap, 0},
    {"bounds of a namespace are taken over", bounds_of_a_namespace_are_taken_over, 0},
    {"without a file a hangup ends it as ever", without_a_file_hangup_ends_it_as_ever, 0},
    {"many hangups do no harm", many_hangups_do_no_harm, 0},
    {"a configuration can be looked at", a_configuration_can_be_looked_at, 0},
    {"it listens by TLS", it_listens_by_tls, 0},
};

TEST_MAIN(cases)
