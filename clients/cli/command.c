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
     .options = OPTION_BIT(TTL) | OPTION_BIT(POLICY) | OPTION_BIT(META)},
    {.name = "cancel", .usage = "KEY", .run = command_cancel,
     .summary = "Cancel the operations of a key, or one generation of it",
     .doc = "Asks for the end of every live operation of the key, or of one generation, and says "
            "what really happened. With --ack it waits for more: `delivered`, its owner was told; "
            "`stopped`, its owner has ended it. Where the deadline passes first it prints the "
            "level that was reached and exits with 5; where the operation ended in another way, "
            "with 1.",
     .operands = OPERANDS_KEY,
     .options = OPTION_BIT(GEN) | OPTION_BIT(AFTER_GEN) | OPTION_BIT(REASON) | OPTION_BIT(ACTOR) |
                OPTION_BIT(ACK) | OPTION_BIT(DEADLINE) | OPTION_BIT(ARM)},
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
    {.name = "get", .usage = "KEY", .run = command_get,
     .summary = "Print what is known of one operation",
     .doc = "Prints what is known of the current operation of the key, else of the newest "
            "remembered one.",
     .operands = OPERANDS_KEY, .options = OPTION_BIT(GEN)},
    {.name = "list", .usage = "", .run = command_list,
     .summary = "Print all operations of the namespace, one a line",
     .doc = "Prints the operations of the namespace, one a line: those that have not ended, or "
            "those of one state.",
     .operands = OPERANDS_NONE, .options = OPTION_BIT(STATE) | OPTION_BIT(OWNER)},
    {.name = "count", .usage = "", .run = command_count,
     .summary = "Print how many operations there are",
     .doc = "Prints how many operations `list` would print.",
     .operands = OPERANDS_NONE, .options = OPTION_BIT(STATE) | OPTION_BIT(OWNER)},
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
    {.name = "ping", .usage = "", .run = command_ping,
     .summary = "Ask whether the daemon answers",
     .doc = "Asks whether the daemon answers, and how long that takes.",
     .operands = OPERANDS_NONE},
    {.name = "stats", .usage = "", .run = command_stats,
     .summary = "Print the counters and limits of the daemon",
     .doc = "Prints the counters and limits of the daemon, one a line; with --json one object.",
     .operands = OPERANDS_NONE},
    {.name = "run", .usage = "--key KEY -- COMMAND...", .run = command_run,
     .summary = "Run a command that anyone can cancel",
     .doc = "Runs a command as an operation, in a process group of its own. When the operation is "
            "cancelled the group is sent the signal, and what is left of it SIGKILL after the "
            "grace. Signals that cancelctl gets go to the group as well.\n\n"
            "Its outcome is COMPLETED where the command ended with 0, CANCELLED where it ended "
            "after it was sent the signal for a cancel, else FAILED. The exit status is the "
            "command's, or 128 + n where signal n ended it.\n\n"
            "Where the connection to the daemon is lost the command goes on, and the session is "
            "resumed as soon as the daemon is there again. A daemon that was restarted knows "
            "nothing of the command, which goes on all the same: LOST_POSSIBLE is said on "
            "standard error, as is everything else that cancelctl itself has to say.",
     .operands = OPERANDS_COMMAND, .required = OPTION_BIT(KEY),
     .options = OPTION_BIT(KEY) | OPTION_BIT(TTL) | OPTION_BIT(POLICY) | OPTION_BIT(META) |
                OPTION_BIT(GRACE) | OPTION_BIT(SIGNAL) | OPTION_BIT(NO_DAEMON)},
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
