/* SPDX-License-Identifier: MIT */
/* ASSERT(condition): our own bug, never the world's fault. It stays on in release builds, prints
 * the condition and its place to stderr and aborts. Costly checks of whole structures live in
 * functions named *_check(), which tests call after each step. */
#ifndef CANCELD_BASE_CHECK_H
#define CANCELD_BASE_CHECK_H

#define ASSERT(condition)                                                                          \
    ((condition) ? (void) 0 : check_failed(#condition, __FILE__, __LINE__, __func__))

/* Prints and aborts. Safe on any thread. */
__attribute__((noreturn, cold)) void check_failed(const char *condition, const char *file, int line,
                                                  const char *function);

/* Results that the caller has to look at. Ignoring one is a named act: (void) with a reason. */
#define MUST_CHECK __attribute__((warn_unused_result))

#endif
