/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include "line.h"
#include "text.h"
#include "value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Reads up to `room` bytes; -1 with errno. */
static ssize_t file_read(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t size = 0;
    ssize_t more = -1;
    int error;

    if (fd < 0) {
        return -1;
    }
    do {
        more = read(fd, out + size, room - size);
        size += more > 0 ? (size_t) more : 0;
    } while ((more > 0 && size < room) || (more < 0 && errno == EINTR));
    error = errno;
    (void) close(fd);
    errno = error;
    return more < 0 ? -1 : (ssize_t) size;
}

/* A token is one line of what can be typed: anything else is the wrong file. */
static bool is_token(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~') {
            return false;
        }
    }
    return size > 0;
}

size_t connection_token_read(const char *path, char token_out[CONNECTION_TOKEN_BYTES_MAX],
                             const char **reason_out)
{
    /* Room for the longest token, its line's end and one byte that is too many. */
    char bytes[CONNECTION_TOKEN_BYTES_MAX + 3];
    ssize_t got = file_read(path, bytes, sizeof bytes);
    size_t size = got < 0 ? 0 : (size_t) got;

    if (got < 0) {
        *reason_out = strerror(errno);
        return 0;
    }
    size -= size > 0 && bytes[size - 1] == '\n' ? 1 : 0;
    size -= size > 0 && bytes[size - 1] == '\r' ? 1 : 0;
    *reason_out = NULL;
    if (size > CONNECTION_TOKEN_BYTES_MAX) {
        *reason_out = "it is too long to be a token";
    } else if (!is_token(bytes, size)) {
        *reason_out = "it holds no token: one line without spaces is needed";
    } else {
        memcpy(token_out, bytes, size);
    }
    explicit_bzero(bytes, sizeof bytes);
    return *reason_out == NULL ? size : 0;
}

/* A file of --`option` is none. */
static void file_refuse(const struct arguments *arguments, const char *option, const char *path,
                        const char *reason)
{
    struct line line;

    line_begin(&line, arguments->json ? stdout : stderr, arguments->json);
    if (arguments->json) {
        line_named(&line, "status", "INVALID");
        line_text(&line, "option", option);
        line_text(&line, "file", path);
        line_text(&line, "text", reason);
    } else {
        (void) fprintf(line.text, "cancelctl: --%s ", option);
        text_put_escaped(line.text, canceld_string(path));
        (void) fprintf(line.text, ": %s", reason);
    }
    line_end(&line);
}

/* The library says of a file that is none only that something is. */
static enum exit_code tls_check(const struct arguments *arguments)
{
    const struct {
        const char *option;
        const char *path;
    } files[] = {{"tls-ca", arguments->tls_ca},
                 {"tls-cert", arguments->tls_cert},
                 {"tls-key", arguments->tls_key}};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i].path != NULL && access(files[i].path, R_OK) != 0) {
            file_refuse(arguments, files[i].option, files[i].path, strerror(errno));
            return EXIT_CODE_USAGE;
        }
    }
    return EXIT_CODE_DONE;
}

enum exit_code connection_init(struct connection *connection, const struct arguments *arguments,
                               bool needs_session)
{
    const char *reason = NULL;
    size_t size = 0;

    *connection = (struct connection){
        .options = {.url = arguments->server_url,
                    .name_space = arguments->name_space,
                    .client_name = "cancelctl",
                    .sessionless = !needs_session && arguments->token_file == NULL,
                    .tls = {.ca_file = arguments->tls_ca,
                            .cert_file = arguments->tls_cert,
                            .key_file = arguments->tls_key}}};
    if (!value_is_tls_url(arguments->server_url)) {
        connection->options.tls = (struct canceld_tls){0};
    } else if (tls_check(arguments) != EXIT_CODE_DONE) {
        return EXIT_CODE_USAGE;
    }
    if (arguments->token_file == NULL) {
        return EXIT_CODE_DONE;
    }
    size = connection_token_read(arguments->token_file, connection->token, &reason);
    if (size == 0) {
        file_refuse(arguments, "token-file", arguments->token_file, reason);
        return EXIT_CODE_USAGE;
    }
    connection->options.token = (struct canceld_bytes){connection->token, size};
    return EXIT_CODE_DONE;
}

void connection_fini(struct connection *connection)
{
    explicit_bzero(connection->token, sizeof connection->token);
}
