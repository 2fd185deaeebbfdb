/* SPDX-License-Identifier: MIT */
/* What has to come about at least once in a run: for each rule of the contract that can be reached here, and
 * for each kind of fault. A zero fails the run, for then the simulation has not looked there. */
#ifndef CANCELD_TESTS_SIM_SOMETIMES_H
#define CANCELD_TESTS_SIM_SOMETIMES_H

/* X(NAME, the rule) */
#define SOMETIMES_TABLE(X)                                                                         \
    X(TEST_1, "test 1: a delete of an older gen while a newer one of the key is live")             \
    X(TEST_2, "test 2: a cancel of an older gen while a newer one of the key is live")             \
    X(TEST_3, "test 3: a cancel before the store, armed: the store is born cancelled")             \
    X(TEST_4, "test 4: a cancel that would arm, after the delete: FINISHED")                       \
    X(TEST_5, "test 5: two stores in one ms get different gens")                                   \
    X(TEST_6, "test 6: an owner is killed and its operation ends as OWNER_LOST")                   \
    X(TEST_7, "test 7: an owner is stopped past its grace: LOST is told, its delete finds ENDED")  \
    X(TEST_8, "test 8: an owner's link is cut while a cancel is on its way; told once")            \
    X(TEST_9, "test 9: one REQUESTED and later ALREADY_REQUESTED of one gen")                      \
    X(TEST_10, "test 10: a finish and a cancel of one gen under way at once, both answered")       \
    X(TEST_11, "test 11: STOPPED was asked for, DELIVERED is the answer at the deadline")          \
    X(TEST_12, "test 12: a child stored under a cancelled parent is born cancelled")               \
    X(TEST_13, "test 13: a bulk cancel while stores and deletes are under way")                    \
    X(TEST_14, "test 14: FULL{operations} at a limit")                                             \
    X(TEST_15, "test 15: an operation is adopted after a restart, and goes on")                    \
    X(TEST_16, "test 16: a frame of a session came twice, and the second got the first's answer")  \
    X(TEST_18, "test 18: FULL{armed} at the bound of arms")                                        \
    X(TEST_19, "test 19: DENIED in a namespace without rights")                                    \
    X(TEST_20, "test 20: a watcher that is behind gets a snapshot")                                \
    X(STORED, "store: STORED")                                                                     \
    X(EXISTS, "store: REJECT over a live gen answers EXISTS")                                      \
    X(EXISTS_CANCELLING, "store: REJECT over a CANCELLING gen answers EXISTS")                     \
    X(SUPERSEDED, "store: SUPERSEDE cancels the older gen with SUPERSEDED")                        \
    X(JOINED, "store: JOIN, several live gens of a key")                                           \
    X(EXPIRED, "ttl: its end ends an operation as EXPIRED")                                        \
    X(DEADLINE, "ttl: its end cancels with DEADLINE")                                              \
    X(TOUCHED, "touch: TOUCHED")                                                                   \
    X(TOUCH_CANCELLING, "touch of one that is CANCELLING")                                         \
    X(TOUCH_ENDED, "touch of one that has ended")                                                  \
    X(KEPT, "on_owner_loss KEEP: adopted from no owner by another session")                        \
    X(NO_OWNER, "a cancel above RECORDED of a kept operation: NO_OWNER")                           \
    X(PARENT, "a parent's cancel is its child's, with PARENT")                                     \
    X(PARENT_ENDED, "store: PARENT_ENDED")                                                         \
    X(DETACHED, "detach: DETACHED")                                                                \
    X(FOREIGN_DELETE, "a delete by another than the owner")                                        \
    X(ENDED_TOLD, "a notice of an end by another")                                                 \
    X(DELETED_CANCELLED, "delete says that a cancel came first")                                   \
    X(DELETED_CLEAN, "delete says that no cancel came")                                            \
    X(DELETE_ENDED, "delete of one that has ended: ENDED")                                         \
    X(REQUESTED, "cancel: REQUESTED")                                                              \
    X(ALREADY_REQUESTED, "cancel: ALREADY_REQUESTED")                                              \
    X(ARMED, "cancel: ARMED")                                                                      \
    X(ARMED_INCOMPLETE, "cancel: ARMED, memory_incomplete, soon after a restart")                  \
    X(FINISHED, "cancel: FINISHED")                                                                \
    X(FINISHED_CAUSE, "cancel: FINISHED with the cause of a cancel before")                        \
    X(CANCEL_OWNER_LOST, "cancel: OWNER_LOST")                                                     \
    X(NOT_FOUND, "cancel: NOT_FOUND")                                                              \
    X(STALE_GEN, "cancel or get: STALE_GEN")                                                       \
    X(STALE_EPOCH, "a gen that was never given out: STALE_EPOCH")                                  \
    X(RECOVERING, "RECOVERING reached the application")                                            \
    X(RECOVERING_WIRE, "RECOVERING on the wire, and asked again by the library")                   \
    X(DELIVERED, "cancel with level: DELIVERED")                                                   \
    X(STOPPED, "cancel with level: STOPPED")                                                       \
    X(LEVEL_ENDED, "cancel with level: ended otherwise, with the level reached")                   \
    X(BULK_LABEL, "bulk cancel by label")                                                          \
    X(BULK_SPACE, "bulk cancel of a namespace")                                                    \
    X(BULK_SESSION, "bulk cancel of a session")                                                    \
    X(AFTER_GEN, "cancel with after_gen")                                                          \
    X(DISARMED, "disarm: DISARMED")                                                                \
    X(ARMED_LISTED, "armed lists an arm")                                                          \
    X(DRAINING, "store under a drain: DRAINING")                                                   \
    X(DRAINED, "drain: DRAINED")                                                                   \
    X(DRAIN_TIMED_OUT, "drain: its deadline, with stragglers")                                     \
    X(UNDRAINED, "undrain: UNDRAINED")                                                             \
    X(WAIT_CANCELLING, "wait until CANCELLING is answered")                                        \
    X(WAIT_ENDED, "wait until ENDED is answered")                                                  \
    X(WAIT_TIMED_OUT, "wait: TIMED_OUT")                                                           \
    X(EVENTS, "watch: events")                                                                     \
    X(LISTED, "list: a page")                                                                      \
    X(SHUTTING_DOWN, "SIGTERM answers what is parked: SHUTTING_DOWN")                              \
    X(CLOSED, "close: a session ends at once")                                                     \
    X(SESSION_LOST, "a session is lost in a daemon that ran on")                                   \
    X(RESUMED, "a session is resumed")                                                             \
    X(NOT_BOUND, "a frame of a session that is not bound to its connection: NOT_BOUND")            \
    X(TOO_OLD, "an id below the window: TOO_OLD")                                                  \
    X(LOST_POSSIBLE, "degraded longer than the grace: LOST_POSSIBLE")                              \
    X(LOST, "LOST is told once the session is known to be lost")                                   \
    X(ADOPTED_CANCELLED, "adopt: CANCELLING, by the journal or by what covers it")                 \
    X(RECOVERED, "the journal gave back an answered cancel after kill -9")                         \
    X(ARM_RECOVERED, "the journal gave back an arm after kill -9")                                 \
    X(BULK_RECOVERED, "the journal gave back a bulk cancel after kill -9")                         \
    X(JOURNAL_REFUSED, "a journal that fails: ERROR_JOURNAL on the wire")                          \
    X(JOURNAL_FULL, "a journal that fails: FULL{journal}")                                         \
    X(UNKNOWN, "UNKNOWN: the session is lost, and nobody can say")                                 \
    X(UNAVAILABLE, "UNAVAILABLE: never sent")                                                      \
    X(TIMED_OUT, "TIMED_OUT: no answer within the deadline")                                       \
    X(LEASE_HELD, "the lease clock stood still for a stall")                                       \
    X(DIED_AT_REPLY, "the daemon died at a reply")                                                 \
    X(DIED_AT_RECORD, "the daemon died at a record")                                               \
    X(DIED_IN_COMMIT, "the daemon died in a commit")                                               \
    X(DIED_FAILING, "the daemon died while its journal failed")                                    \
    X(HEALED, "after the faults everything settled")

enum sometimes {
#define SOMETIMES_ENUM(name, rule) SOMETIMES_##name,
    SOMETIMES_TABLE(SOMETIMES_ENUM)
#undef SOMETIMES_ENUM
        SOMETIMES_COUNT
};

/* X(NAME, words) */
#define FAULT_TABLE(X)                                                                             \
    X(PARTIAL, "partial frames")                                                                   \
    X(DELAY, "bytes delayed")                                                                      \
    X(CLOG, "a link clogged")                                                                      \
    X(CUT, "a link cut")                                                                           \
    X(DROP, "a link cut, bytes on their way lost")                                                 \
    X(HALF_OPEN, "a link half open")                                                               \
    X(DUPLICATE, "a frame duplicated")                                                             \
    X(REORDER, "replies reordered")                                                                \
    X(DIAL_LOST, "a dial that nobody answers")                                                     \
    X(DAEMON_KILLED, "the daemon killed at an output")                                             \
    X(DAEMON_STOPPED, "the daemon stopped by SIGTERM")                                             \
    X(DAEMON_STALLED, "the daemon stalled")                                                        \
    X(DAEMON_JUMPED, "the daemon's clock jumped")                                                  \
    X(CLIENT_KILLED, "a client killed")                                                            \
    X(CLIENT_STALLED, "a client stalled")                                                          \
    X(CLIENT_JUMPED, "a client's clock jumped")                                                    \
    X(DISK_FULL, "a disk full")                                                                    \
    X(DISK_SYNC, "an fsync failing")                                                               \
    X(DISK_SLOW, "a slow commit")                                                                  \
    X(DISK_TORN, "a tail torn by a crash")

enum fault {
#define FAULT_ENUM(name, words) FAULT_##name,
    FAULT_TABLE(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

#endif
