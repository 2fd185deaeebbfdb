/* SPDX-License-Identifier: MIT */
/* What both kinds of endpoint do about the place where they listen: the socket file, and NNG's
 * errors told to people. */
#ifndef CANCELD_WIRE_ENDPOINT_SOCKET_H
#define CANCELD_WIRE_ENDPOINT_SOCKET_H

#include "wire/endpoint_url.h"

/* Before listening: takes the dead socket away that the caller knows to be dead. Another kind of
 * file is left alone and is IN_USE. */
MUST_CHECK enum status endpoint_socket_clear(const struct endpoint_url *url,
                                             const struct endpoint_options *options,
                                             char error[ENDPOINT_ERROR_BYTES]);

/* The mode to listen with: with a group to be set it is closed to everybody else until it is. */
int endpoint_socket_mode(const struct endpoint_options *options);

/* After listening: gives the socket file its group, then its mode. */
MUST_CHECK enum status endpoint_socket_grant(const struct endpoint_url *url,
                                             const struct endpoint_options *options,
                                             char error[ENDPOINT_ERROR_BYTES]);

/* Tells NNG's error `failure`, met while listening. */
enum status endpoint_nng_fail(const struct endpoint_url *url, int failure,
                              char error[ENDPOINT_ERROR_BYTES]);

#endif
