/* SPDX-License-Identifier: MIT */
/* What the registry says of itself, against the model. */
#include "model/round.h"

#include <inttypes.h>
#include <string.h>

void round_check_links(struct round *round)
{
    const struct script_link *link = script_any_link(&round->script);
    if (link != NULL && registry_link_opened(round->registry, link->link) !=
                            model_link_opened(round->model, link->link)) {
        round_fail(round, "registry_link_opened()");
    }
}

/* The rows of `stats` that count what both have. */
static void check_stats(struct round *round)
{
    const struct model *model = round->model;
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {
        {"sessions", model->sessions.count},
        {"connections", model->links.count + round->is_observing},
        {"parked", model->parked.count},
        {"armed", model->armed.count},
    };
    const struct stat_row *rows;
    size_t rows_count = registry_stats(round->registry, &rows);
    for (size_t i = 0; i < rows_count; i++) {
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
            if (strcmp(rows[i].name, counts[j].name) == 0 && rows[i].value != counts[j].count) {
                round_fail(round, "%s: %" PRIu64 ", and not %" PRIu64, counts[j].name,
                           rows[i].value, counts[j].count);
            }
        }
    }
}

static void check_idle(struct round *round)
{
    bool is_open = false;
    bool ours = model_is_idle(round->model, &is_open);
    bool theirs = registry_is_idle(round->registry);
    if (theirs != ours && !(ours && is_open)) {
        round_fail(round, "registry_is_idle() says %d", theirs);
    }
}

void round_check_counts(struct round *round)
{
    check_stats(round);
    check_idle(round);
}
