/* SPDX-License-Identifier: MIT */
/* Banking. An account that waits for another one's answer takes nothing else meanwhile: what comes is
 * put aside, in order. The teller does not wait: it has as many transactions under way as the mailbox
 * takes. Accounts are split over both loops where there are two. */
#include "savina.h"

#include <stdlib.h>

#define ACCOUNTS 1000

#define ACCOUNT_CREDIT MESSAGE_KIND_FIRST
#define ACCOUNT_DEBIT (MESSAGE_KIND_FIRST + 1)
#define ACCOUNT_ANSWERED (MESSAGE_KIND_FIRST + 2)
#define TELLER_DONE (MESSAGE_KIND_FIRST + 3)

struct transfer {
    struct message message; /* to the source */
    struct message debit;   /* from the source to the destination, and back */
    struct ask ask;         /* the source's */
    struct transfer *aside; /* the next one that waits for the source */
    struct account *source;
    struct account *destination;
    struct teller *teller;
    double amount;
};

struct account {
    struct stage *stage;
    struct actor *actor;
    uint64_t self;
    double balance;
    struct transfer *under_way;
    struct transfer *aside_first;
    struct transfer *aside_last;
};

struct teller {
    struct stage *stage;
    uint64_t self;
    struct account *accounts;
    struct transfer *transfers;
    uint64_t sent;
    uint64_t ended;
    uint64_t size;
    uint64_t random;
};

static void must(enum status status)
{
    ASSERT(status == STATUS_OK);
}

/* ---- accounts ---- */

static void account_done(struct ask *ask, enum ask_end end, struct message *reply)
{
    struct transfer *transfer = (void *) ((char *) ask - offsetof(struct transfer, ask));
    ASSERT(end == ASK_REPLY && reply == &transfer->debit);
    transfer->debit.kind = ACCOUNT_ANSWERED;
    transfer->debit.control = true;
    must(actor_tell(transfer->source->stage->system, transfer->source->self, &transfer->debit));
}

static void account_credit(struct account *account, struct transfer *transfer)
{
    account->balance -= transfer->amount;
    account->under_way = transfer;
    transfer->debit = (struct message){.kind = ACCOUNT_DEBIT, .control = true};
    transfer->ask = (struct ask){.done = account_done};
    must(actor_ask(account->stage->system, transfer->destination->self, &transfer->debit,
                   UINT64_MAX, &transfer->ask));
}

static void account_put_aside(struct account *account, struct transfer *transfer)
{
    transfer->aside = NULL;
    if (account->aside_first == NULL) {
        account->aside_first = transfer;
    } else {
        account->aside_last->aside = transfer;
    }
    account->aside_last = transfer;
}

static void account_answered(struct account *account)
{
    struct transfer *transfer = account->under_way;
    account->under_way = NULL;
    transfer->message.kind = TELLER_DONE;
    transfer->message.control = true;
    must(actor_tell(account->stage->system, transfer->teller->self, &transfer->message));
    struct transfer *next = account->aside_first;
    if (next != NULL) {
        account->aside_first = next->aside;
        account_credit(account, next);
    }
}

static void account_on_message(struct actor *self, struct message *message)
{
    struct account *account = actor_state(self);
    switch (message->kind) {
    case ACCOUNT_CREDIT:
        if (account->under_way != NULL) {
            account_put_aside(account, (struct transfer *) message);
        } else {
            account_credit(account, (struct transfer *) message);
        }
        break;
    case ACCOUNT_DEBIT: {
        struct transfer *transfer = (void *) ((char *) message - offsetof(struct transfer, debit));
        account->balance += transfer->amount;
        actor_reply(self, actor_defer(message), message);
        break;
    }
    default:
        account_answered(account);
        break;
    }
}

/* ---- the teller ---- */

static void transfer_make(struct teller *teller, struct transfer *transfer)
{
    const uint64_t random = harness_random(&teller->random);
    const uint32_t source = (uint32_t) (random % (ACCOUNTS / 10 * 8));
    uint32_t destination = source + (uint32_t) ((random >> 32) % (ACCOUNTS - source));
    destination += destination == source;
    *transfer = (struct transfer){.message = {.kind = ACCOUNT_CREDIT},
                                  .source = &teller->accounts[source],
                                  .destination = &teller->accounts[destination],
                                  .teller = teller,
                                  .amount = (double) (random >> 54)};
}

static uint64_t teller_on_sweep(struct actor *self, uint64_t now_ns)
{
    struct teller *teller = actor_state(self);
    while (teller->sent < teller->size) {
        struct transfer *transfer = &teller->transfers[teller->sent];
        transfer_make(teller, transfer);
        teller->random -= UINT64_C(0x9e3779b97f4a7c15); /* unless it is sent, it is made again */
        if (actor_tell(teller->stage->system, transfer->source->self, &transfer->message) !=
            STATUS_OK) {
            return now_ns;
        }
        teller->random += UINT64_C(0x9e3779b97f4a7c15);
        teller->sent++;
    }
    return TIME_NEVER;
}

static void teller_on_message(struct actor *self, struct message *message)
{
    (void) message;
    struct teller *teller = actor_state(self);
    if (++teller->ended == teller->size) {
        stage_end(teller->stage);
    }
}

static void run(struct stage *stage, uint64_t size, uint64_t seed)
{
    static const struct actor_class account_class = {.name = "account",
                                                     .on_message = account_on_message};
    static const struct actor_class teller_class = {
        .name = "teller", .on_message = teller_on_message, .on_sweep = teller_on_sweep};
    static struct account accounts[ACCOUNTS];
    struct teller teller = {
        .stage = stage, .accounts = accounts, .size = size, .random = seed, .transfers = NULL};
    teller.transfers = calloc(size, sizeof *teller.transfers);
    ASSERT(teller.transfers != NULL);
    double sum = 0;
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        accounts[i] = (struct account){.stage = stage, .balance = 1e6};
        accounts[i].actor = stage_spawn(stage, i % 2, &account_class, &accounts[i]);
        accounts[i].self = actor_self(accounts[i].actor);
    }
    teller.self = actor_self(stage_spawn(stage, 0, &teller_class, &teller));
    stage_play(stage);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        sum += accounts[i].balance;
    }
    ASSERT(sum == ACCOUNTS * 1e6); /* whole numbers: nothing is rounded */
    free(teller.transfers);
}

static uint64_t ops(uint64_t size)
{
    return size;
}

const struct program program_banking = {.row = "banking",
                                        .unit = "ns/op",
                                        .size = 50000,
                                        .size_2_loops = 50000,
                                        .run = run,
                                        .ops = ops};
