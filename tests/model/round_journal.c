/* SPDX-License-Identifier: MIT */
/* A journal in memory, that is slow and fails when it likes; and rights, made up from names. */
#include "model/round.h"

#include "base/check.h"

#include <string.h>

/* ---- what a restart would find ---- */

static struct bytes keep(struct round *round, struct bytes bytes)
{
    return bytes_of(arena_copy(&round->forever, bytes.data, bytes.size), bytes.size);
}

static struct model_record copy_record(struct round *round, const struct journal_record *record)
{
    struct model_record copy = {.number = ++round->records_given, .record = *record};
    copy.record.space = keep(round, record->space);
    copy.record.key = keep(round, record->key);
    copy.record.label = keep(round, record->label);
    copy.record.cause.text = keep(round, record->cause.text);
    copy.record.cause.actor = keep(round, record->cause.actor);
    copy.record.cause.peer = keep(round, record->cause.peer);
    return copy;
}

/* The entry that the record is about, NULL for none. */
static struct model_record *find_entry(struct round *round, enum journal_kind kind,
                                       const struct journal_record *record)
{
    for (size_t i = 0; i < round->journal.count; i++) {
        struct model_record *entry = list_at(&round->journal, i);
        bool same = kind == JOURNAL_CANCEL ? entry->record.gen == record->gen &&
                                                 bytes_equal(entry->record.space, record->space) &&
                                                 bytes_equal(entry->record.key, record->key)
                    : kind == JOURNAL_BULK ? entry->record.bulk == record->bulk
                                           : bytes_equal(entry->record.key, record->key) &&
                                                 bytes_equal(entry->record.space, record->space);
        if (entry->record.kind == kind && same && !(kind == JOURNAL_BULK && entry->is_explained)) {
            return entry;
        }
    }
    return NULL;
}

static void remove_entry(struct round *round, struct model_record *entry)
{
    if (entry != NULL) {
        list_remove(&round->journal,
                    (size_t) (entry - (struct model_record *) round->journal.items));
    }
}

/* One that is there stays as it was, but it is open again: its owner is back. */
static void fold_cancel(struct round *round, const struct model_record *record)
{
    struct model_record *entry = find_entry(round, JOURNAL_CANCEL, &record->record);
    if (entry != NULL) {
        entry->record.by_owner = false;
        return;
    }
    entry = list_push(&round->journal);
    *entry = *record;
    entry->record.kind = JOURNAL_CANCEL;
}

/* Whose owner ended it may end it again in the next run. */
static void fold_end(struct round *round, const struct journal_record *end)
{
    struct model_record *entry = find_entry(round, JOURNAL_CANCEL, end);
    if (entry != NULL && end->by_owner) {
        entry->record.by_owner = true;
    } else {
        remove_entry(round, entry);
    }
}

static void fold(struct round *round, const struct model_record *record)
{
    const struct journal_record *said = &record->record;
    switch (said->kind) {
    case JOURNAL_ARM:
        remove_entry(round, find_entry(round, JOURNAL_ARM, said));
        *(struct model_record *) list_push(&round->journal) = *record;
        break;
    case JOURNAL_CANCEL:
        fold_cancel(round, record);
        break;
    case JOURNAL_BULK:
        *(struct model_record *) list_push(&round->journal) = *record;
        break;
    case JOURNAL_END:
        fold_end(round, said);
        break;
    case JOURNAL_BULK_SETTLED:
        remove_entry(round, find_entry(round, JOURNAL_BULK, said));
        break;
    case JOURNAL_ARM_USED:
    case JOURNAL_ARM_GONE:
        remove_entry(round, find_entry(round, JOURNAL_ARM, said));
        break;
    default:
        break;
    }
    if (said->kind == JOURNAL_ARM_USED) {
        fold_cancel(round, record);
    }
}

/* ---- the registry's port ---- */

static void journal(void *context, const struct journal_record *record)
{
    struct round *round = context;
    struct model_record copy = copy_record(round, record);
    round_trace_record(round, &copy);
    *(struct model_record *) list_push(&round->records) = copy;
    fold(round, &copy);
}

static bool history(void *context, uint64_t ticket, const struct history_query *query)
{
    struct round *round = context;
    if (round->history_is_refused) {
        return false;
    }
    if (query->items_max < 1 || query->items_max > HISTORY_ITEMS_MAX || query->bytes_max == 0 ||
        query->bytes_max > FRAME_BYTES_MAX) {
        round_fail(round, "what the journal is asked for");
    }
    *(struct round_query *) list_push(&round->queries) =
        (struct round_query){.ticket = ticket, .query = *query};
    round->model->history_ticket = ticket;
    return true;
}

static uint64_t journal_pending(void *context)
{
    const struct round *round = context;
    uint64_t limit = round->model == NULL ? 1 : round->model->config.limits.journal_bytes;
    return round->journal_is_full ? 2 * limit + 1 : round->records_given - round->records_kept;
}

/* ---- rights ---- */

static const char *const names[] = {"uid 1000", "",          "token ci",
                                    "token:ci", "token:ops", "observer"};
#define NAMES_COUNT (sizeof names / sizeof names[0])

static uint32_t roles_of(const struct round *round, size_t name, struct bytes space)
{
    uint64_t mix =
        round->rights * 31 + name * 7 + space.size + (space.size == 0 ? 0 : space.data[0]);
    mix = (mix * UINT64_C(0x9e3779b97f4a7c15)) >> 40;
    if (name == NAMES_COUNT - 1 || mix % 10 < 5) {
        return ROLES_ALL;
    }
    return (uint32_t) (mix / 16 % 16);
}

static size_t name_of(struct bytes name)
{
    for (size_t i = 0; i < NAMES_COUNT; i++) {
        if (bytes_equal(name, bytes_of_string(names[i]))) {
            return i;
        }
    }
    return NAMES_COUNT;
}

static size_t token_name(struct bytes token)
{
    return bytes_equal(token, bytes_of_string("secret of ci"))    ? 3
           : bytes_equal(token, bytes_of_string("secret of ops")) ? 4
                                                                  : NAMES_COUNT;
}

static size_t their_token(void *context, struct bytes token, uint8_t name_out[CAUSE_PEER_BYTES_MAX])
{
    (void) context;
    size_t name = token_name(token);
    if (name == NAMES_COUNT) {
        return 0;
    }
    memcpy(name_out, names[name], strlen(names[name]));
    return strlen(names[name]);
}

static struct bytes our_token(void *context, struct bytes token)
{
    (void) context;
    size_t name = token_name(token);
    return name == NAMES_COUNT ? (struct bytes){0} : bytes_of_string(names[name]);
}

/* The numbers of one version of the rights are void in the next. */
static uint32_t their_principal(void *context, struct bytes name)
{
    struct round *round = context;
    size_t number = name_of(name);
    if (number == NAMES_COUNT) {
        round_fail(round, "a name that nobody has");
    }
    return (uint32_t) (round->rights * 100 + number);
}

static uint32_t their_roles(void *context, uint32_t principal, struct bytes space)
{
    struct round *round = context;
    if (principal / 100 != round->rights || principal % 100 >= NAMES_COUNT) {
        round_fail(round, "a number of a principal that is void");
        return 0;
    }
    return roles_of(round, principal % 100, space);
}

static uint32_t our_roles(void *context, struct bytes name, struct bytes space)
{
    const struct round *round = context;
    return roles_of(round, name_of(name), space);
}

static void space_limits(void *context, struct bytes space, struct space_limits *limits)
{
    (void) context;
    if (bytes_equal(space, bytes_of_string("a"))) {
        limits->operations = 5;
        limits->operations_session = 3;
    }
}

void round_change_rights(struct round *round)
{
    round->rights = (round->rights + 1) % 1000;
    round_trace(round, "the rights change");
    registry_rights_changed(round->registry);
}

void round_add_ports(struct round *round, struct registry_port *theirs, struct model_port *ours)
{
    const struct script_mode *mode = round->config->mode;
    if (mode->journal) {
        theirs->journal = journal;
        theirs->history = history;
        theirs->journal_pending = journal_pending;
        ours->has_journal = true;
    }
    if (mode->rights) {
        theirs->token = their_token;
        theirs->principal = their_principal;
        theirs->roles = their_roles;
        theirs->space_limits = space_limits;
        ours->token = our_token;
        ours->roles = our_roles;
        ours->space_limits = space_limits;
    }
}

/* ---- events of the journal ---- */

void round_keep_all(struct round *round)
{
    const struct script_mode *mode = round->config->mode;
    if (mode->journal && !mode->is_slow && round->records_given > round->records_kept) {
        round->records_kept = round->records_given;
        round->model->records_kept = round->records_given;
        registry_journal_kept(round->registry, round->records_given, round->script.now_ms);
    }
}

static void kept(struct round *round)
{
    uint64_t more = round->records_given - round->records_kept;
    uint64_t number = round->records_kept + script_below(&round->script, more + 1);
    number = script_percent(&round->script, 60) ? round->records_given : number;
    round->records_kept = number;
    round_trace(round, "%u of %u records are kept", (unsigned) number,
                (unsigned) round->records_given);
    registry_journal_kept(round->registry, number, round->script.now_ms);
    round_observe(round);
    model_journal_kept(round->model, number);
    round_check_step(round);
}

static void failed(struct round *round)
{
    round_trace(round, "the journal fails");
    registry_journal_failed(round->registry, round->script.now_ms);
    round_observe(round);
    model_journal_failed(round->model);
    round_check_step(round);
}

/* A page of one entry for each query, and now and then for one that was never asked. */
static void page(struct round *round)
{
    struct script *script = &round->script;
    struct history_entry *entry = arena_take(&round->arena, sizeof *entry);
    uint64_t number = script_below(script, 1000);
    bool failed = script_percent(script, 15);
    uint64_t ticket = number;
    if (round->queries.count > 0 && number > 20) {
        size_t index = (size_t) script_below(script, round->queries.count);
        ticket = ((struct round_query *) list_at(&round->queries, index))->ticket;
        list_remove(&round->queries, index);
    }
    *entry = (struct history_entry){.kind = HISTORY_CANCEL,
                                    .at_unix_ms = 1700000000000 + number,
                                    .space = bytes_of_string("a"),
                                    .key = bytes_of_string("key"),
                                    .gen = number + 1,
                                    .cause = {.code = CAUSE_USER,
                                              .text = bytes_of_string("why"),
                                              .peer = bytes_of_string("uid 1000")},
                                    .outcome = OUTCOME_CANCELLED,
                                    .by_owner = true,
                                    .delivered = true,
                                    .delivered_after_ms = 5,
                                    .ended_after_ms = 9};
    size_t count = failed ? 0 : (size_t) (number % 2);
    uint64_t cursor = failed ? 0 : number % 3;
    round_trace(round, "a page of history for %u", (unsigned) ticket);
    registry_history(round->registry, ticket, entry, count, cursor, failed, script->now_ms);
    round_observe(round);
    model_history(round->model, ticket, entry, count, cursor, failed);
    round_check_step(round);
}

void round_journal_event(struct round *round)
{
    struct script *script = &round->script;
    uint64_t chance = script_below(script, 100);
    bool is_rare =
        round->model->armed.count > 0; /* an arm to be disarmed while the journal is full */
    if (chance < 40) {
        page(round);
    } else if (chance < 45) {
        round->history_is_refused = !round->history_is_refused;
        round->model->history_is_refused = round->history_is_refused;
    } else if (!script->mode->is_slow) {
        return;
    } else if (chance < (is_rare ? 60 : 85)) {
        kept(round);
    } else if (chance < (is_rare ? 65 : 92)) {
        failed(round);
    } else {
        round->journal_is_full = script_percent(script, round->journal_is_full ? 60 : 40);
        round->model->journal_is_full = round->journal_is_full;
        round_trace(round, "the journal is full: %d", round->journal_is_full);
    }
}
