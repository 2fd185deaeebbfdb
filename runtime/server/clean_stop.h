/* SPDX-License-Identifier: MIT */
/* Whether the last stop lost nothing: then nobody comes back from it, and the next start need not
 * wait for anybody. One line in the file `clean` of the state directory,
 *
 *     canceld clean stop of epoch 17
 *
 * left by an orderly stop with nothing live and nothing held, and removed by the next start. It
 * counts only for the very next epoch, so that a file which outlived a start, or that another daemon of
 * the same directory left, says nothing. */
#ifndef CANCELD_SERVER_CLEAN_STOP_H
#define CANCELD_SERVER_CLEAN_STOP_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

/* Whether the stop before `epoch` was clean; the file is gone for good when this returns. Where it
 * cannot be removed the answer is no. */
MUST_CHECK bool clean_stop_take(int directory_fd, uint64_t epoch);

/* Leaves the file, durable. Where that cannot be done the next start waits for those who may come
 * back, and that is all. */
void clean_stop_leave(int directory_fd, uint64_t epoch);

#endif
