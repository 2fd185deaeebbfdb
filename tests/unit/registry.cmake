# SPDX-License-Identifier: MIT
canceld_test(test_registry LABEL unit TIMEOUT 120 SOURCES unit/test_registry.c unit/registry_rig.c
    LINKS canceld_registry)
