/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <string.h>

/* clang-format off */
const struct command commands[] = {
    {.name = "store", .usage = "KEY --ttl TIME", .run = command_store,
     .summary = "Store an operation that no process owns; prints its generation",
     .doc = "Stores an operation that no process owns: it is kept until its ttl ends, or until a "
            "delete. Prints its generation. Renew the ttl with touch, learn of a cancel with wait. "
            "One that was born cancelled is stored all the same, and the exit status is 1.",
     .operands = OPERANDS_KEY, .required = OPTION_BIT(TTL),
     .options = OPTION_BIT(TTL) | OPTION_BIT(POLICY) | OPTION_BIT(META) | OPTION_BIT(LABEL) |
                OPTION_BIT(PARENT)},
    {.name = "cancel", .usage = "[KEY]", .run = command_cancel,
     .summary = "Cancel the operations of a key, a label (--label), a session (--session), or "
                "the whole namespace (--all)",
     .doc = "Asks for the end of every live operation of the key, or of one generation, and says "
            "what really happened. With --ack it waits for more: `delivered`, its owner was told; "
            "`stopped`, its owner has ended it. Where the deadline passes first it prints the "
            "level that was reached and exits with 5; where the operation ended in another way, "
            "with 1.\n\n"
            "With --label, --session or --all it cancels everything of that in the namespace, up "
            "to the newest operation there is, and does not wait for more than the record. It "
            "prints how many it cancelled, how many had been cancelled before, and the first 100 "
            "of them.",
     .operands = OPERANDS_MAY_BE_KEY,
     .options = OPTION_BIT(GEN) | OPTION_BIT(AFTER_GEN) | OPTION_BIT(REASON) | OPTION_BIT(ACTOR) |
                OPTION_BIT(ACK) | OPTION_BIT(DEADLINE) | OPTION_BIT(ARM) | OPTION_BIT(LABEL) |
                OPTION_BIT(SESSION) | OPTION_BIT(ALL)},
    {.name = "delete", .usage = "KEY --gen GEN", .run = command_delete,
     .summary = "End an operation with an outcome",
     .doc = "Ends one operation with an outcome, and says whether a cancel was recorded first.",
     .operands = OPERANDS_KEY, .required = OPTION_BIT(GEN),
     .options = OPTION_BIT(GEN) | OPTION_BIT(OUTCOME)},
    {.name = "touch", .usage = "KEY --gen GEN --ttl TIME", .run = command_touch,
     .summary = "Renew the ttl of an operation",
     .doc = "Renews the ttl of an operation, from now. One that is being cancelled stays so, and "
            "the answer says it.",
     .operands = OPERANDS_KEY, .required = OPTION_BIT(GEN) | OPTION_BIT(TTL),
     .options = OPTION_BIT(GEN) | OPTION_BIT(TTL)},
    {.name = "detach", .usage = "KEY --gen GEN", .run = command_detach,
     .summary = "Cut the tie of an operation to its parent",
     .doc = "Cuts the tie of an operation to its parent: who cancels that one does not cancel this "
            "one any more. Where the parent is being cancelled already, so is this one.",
     .operands = OPERANDS_KEY, .required = OPTION_BIT(GEN), .options = OPTION_BIT(GEN)},
    {.name = "get", .usage = "KEY", .run = command_get,
     .summary = "Print what is known of one operation",
     .doc = "Prints what is known of the current operation of the key, else of the newest "
            "remembered one.",
     .operands = OPERANDS_KEY, .options = OPTION_BIT(GEN)},
    {.name = "list", .usage = "", .run = command_list,
     .summary = "Print all operations of the namespace, one a line",
     .doc = "Prints the operations of the namespace, one a line: those that have not ended, or "
            "those of one state, of one owner, or with all the labels that are given.",
     .operands = OPERANDS_NONE,
     .options = OPTION_BIT(STATE) | OPTION_BIT(OWNER) | OPTION_BIT(LABEL) | OPTION_BIT(OLDEST) |
                OPTION_BIT(UNACKNOWLEDGED) | OPTION_BIT(LIMIT)},
    {.name = "count", .usage = "", .run = command_count,
     .summary = "Print how many operations there are",
     .doc = "Prints how many operations `list` would print.",
     .operands = OPERANDS_NONE,
     .options = OPTION_BIT(STATE) | OPTION_BIT(OWNER) | OPTION_BIT(LABEL)},
    {.name = "wait", .usage = "KEY", .run = command_wait,
     .summary = "Wait until an operation is cancelled or has ended",
     .doc = "Waits for the current operation of the key, else for the newest remembered one, until "
            "it has ended, or with --until=cancelling until it is cancelled or has ended. Without "
            "--deadline it waits for as long as it takes, 24h at most.",
     .operands = OPERANDS_KEY,
     .options = OPTION_BIT(GEN) | OPTION_BIT(UNTIL) | OPTION_BIT(DEADLINE)},
    {.name = "armed", .usage = "", .run = command_armed,
     .summary = "Print the armed keys of the namespace, one a line",
     .doc = "Prints the keys of the namespace whose next operation will be born cancelled.",
     .operands = OPERANDS_NONE},
    {.name = "disarm", .usage = "KEY", .run = command_disarm,
     .summary = "Take an armed cancel back",
     .doc = "Takes an armed cancel back: the next operation of the key will not be born cancelled.",
     .operands = OPERANDS_KEY},
    {.name = "watch", .usage = "", .run = command_watch,
     .summary = "Print what happens in the namespace, one event a line, as it happens",
     .doc = "Prints the operations that are there (SNAPSHOT), then CURRENT, then a line for each "
            "store, state change and end, as it happens. Where events were missed (by a reader "
            "that is too slow, or while the daemon was away) it prints GAP: what was printed "
            "before counts no more, and another snapshot follows. It ends with --count, with "
            "--timeout, or by a signal.",
     .operands = OPERANDS_NONE,
     .options = OPTION_BIT(NO_SNAPSHOT) | OPTION_BIT(EVENT_COUNT) | OPTION_BIT(TIMEOUT)},
    {.name = "drain", .usage = "", .run = command_drain,
     .summary = "Cancel all there is, let nothing more be stored, and wait until it is empty",
     .doc = "Closes the namespace, one session or the whole daemon for new operations (a store "
            "answers DRAINING), cancels all that are there, and waits until none is left, 30s or "
            "as --deadline says. Meanwhile it tells on standard error how many are left. At the "
            "deadline it prints how many, the first 100 of them, and exits with 5. The drain "
            "stays in force after that, and when this command is interrupted: until undrain.",
     .operands = OPERANDS_NONE,
     .options = OPTION_BIT(SESSION) | OPTION_BIT(DAEMON) | OPTION_BIT(DEADLINE) |
                OPTION_BIT(REASON) | OPTION_BIT(ACTOR)},
    {.name = "undrain", .usage = "", .run = command_undrain,
     .summary = "Let operations be stored again",
     .doc = "Takes a drain back. What it has cancelled stays cancelled.",
     .operands = OPERANDS_NONE, .options = OPTION_BIT(SESSION) | OPTION_BIT(DAEMON)},
    {.name = "history", .usage = "[KEY]", .run = command_history,
     .summary = "Print who cancelled what, why, and how long until it stopped",
     .doc = "Prints the cancels of the namespace, or of one key, the newest first: when it was "
            "asked for, who and why, after which time its owner knew (delivered_after) and after "
            "which time it had ended (ended_after), and how. The daemon has to keep a journal.",
     .operands = OPERANDS_MAY_BE_KEY, .options = OPTION_BIT(LIMIT)},
    {.name = "top", .usage = "", .run = command_top,
     .summary = "Show what the daemon does, live, over the whole terminal",
     .doc = "Shows counts, rates, how long cancels take, the oldest operations of the namespace, "
            "and its cancels that no owner has acknowledged. Keys: q ends it, p stops and goes on, "
            "n asks for another namespace, + and - change the interval. With --once it prints one "
            "picture of 80 columns and 24 lines as text, after one interval.",
     .operands = OPERANDS_NONE, .options = OPTION_BIT(ONCE) | OPTION_BIT(INTERVAL)},
    {.name = "ping", .usage = "", .run = command_ping,
     .summary = "Ask whether the daemon answers",
     .doc = "Asks whether the daemon answers, and how long that takes.",
     .operands = OPERANDS_NONE},
    {.name = "stats", .usage = "", .run = command_stats,
     .summary = "Print the counters and limits of the daemon",
     .doc = "Prints the counters and limits of the daemon, one a line; with --json one object; "
            "with --prometheus in its text format, version 0.0.4.",
     .operands = OPERANDS_NONE, .options = OPTION_BIT(PROMETHEUS)},
    {.name = "run", .usage = "--key KEY -- COMMAND...", .run = command_run,
     .summary = "Run a command that anyone can cancel",
     .doc = "Runs a command as an operation, in a process group of its own. When the operation is "
            "cancelled the group is sent the signal, and what is left of it SIGKILL after the "
            "grace. Signals that cancelctl gets go to the group as well.\n\n"
            "Its outcome is COMPLETED where the command ended with 0, CANCELLED where it ended "
            "after it was sent the signal for a cancel, else FAILED. The exit status is the "
            "command's, or 128 + n where signal n ended it.\n\n"
            "With --adopt it takes over an operation that nobody owns, such as one of cancelctl store, "
            "under its generation. Its labels, meta and parent stay, as does its ttl without --ttl; but "
            "a daemon that is restarted later knows only those that are given here. One that is "
            "cancelled already ends as CANCELLED, and the command is not started.\n\n"
            "Where the connection to the daemon is lost the command goes on, and the session is "
            "resumed as soon as the daemon is there again; a daemon that was restarted is told of "
            "it again (ADOPTED). Where the daemon has given it up (LOST) it goes on all the same. "
            "All that cancelctl itself has to say it says on standard error.",
     .operands = OPERANDS_COMMAND, .required = OPTION_BIT(KEY),
     .options = OPTION_BIT(KEY) | OPTION_BIT(TTL) | OPTION_BIT(POLICY) | OPTION_BIT(META) |
                OPTION_BIT(GRACE) | OPTION_BIT(SIGNAL) | OPTION_BIT(NO_DAEMON) | OPTION_BIT(LABEL) |
                OPTION_BIT(PARENT) | OPTION_BIT(ADOPT)},
};
/* clang-format on */

const size_t commands_count = sizeof commands / sizeof commands[0];

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}
