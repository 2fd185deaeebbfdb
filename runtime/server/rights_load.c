/* SPDX-License-Identifier: MIT */
#include "server/rights_load.h"

#include "server/config_file.h"

bool rights_load(const struct options *options, struct rights **rights_out, struct refusal *refusal)
{
    struct rights_config config = {.rules = NULL};
    struct rights *rights;

    if (options->file != NULL) {
        config = *config_file_rights(options->file);
    }
    if (options->tokens != NULL &&
        !tokens_load(options->tokens, options->tokens_key, &config.tokens, refusal)) {
        return false;
    }
    rights = rights_new(&config);
    if (rights == NULL) {
        tokens_free(config.tokens);
        return refuse(refusal, REFUSAL_MEMORY, "there is no memory for the rules");
    }
    *rights_out = rights;
    return true;
}

/* ---- as the service asks ---- */

static size_t port_token(void *context, struct bytes token, uint8_t name_out[CAUSE_PEER_BYTES_MAX])
{
    return rights_token(context, token, name_out);
}

static uint32_t port_principal(void *context, struct bytes name)
{
    return rights_principal(context, name);
}

static uint32_t port_roles(void *context, uint32_t principal, struct bytes space)
{
    return rights_roles(context, principal, space);
}

static void port_space_limits(void *context, struct bytes space, struct space_limits *limits)
{
    rights_space_limits(context, space, limits);
}

static void port_drop(void *context)
{
    rights_free(context);
}

struct service_rights rights_port(struct rights *rights)
{
    return (struct service_rights){.context = rights,
                                   .token = port_token,
                                   .principal = port_principal,
                                   .roles = port_roles,
                                   .space_limits = port_space_limits,
                                   .drop = port_drop};
}
