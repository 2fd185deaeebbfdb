/* SPDX-License-Identifier: MIT */
/* What somebody may do in a namespace. A set of roles is an or of these. */
#ifndef CANCELD_REGISTRY_ROLE_H
#define CANCELD_REGISTRY_ROLE_H

enum role {
    ROLE_OWNER = 1,     /* store, adopt, delete, touch, detach; get and wait */
    ROLE_CANCELLER = 2, /* cancel, disarm; get and wait */
    ROLE_READER = 4,    /* get, wait, list, count, watch, armed, history */
    ROLE_ADMIN = 8,     /* all of these, drain and undrain */
    ROLES_ALL = 15
};

#endif
