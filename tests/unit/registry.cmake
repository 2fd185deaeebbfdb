# SPDX-License-Identifier: MIT
canceld_test(test_registry LABEL unit TIMEOUT 120 SOURCES unit/test_registry.c unit/registry_rig.c
    LINKS canceld_registry)
canceld_test(test_registry_restart LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_restart.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_arm LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_arm.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_groups LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_groups.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_bulk LABEL unit TIMEOUT 300
    SOURCES unit/test_registry_bulk.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_drain LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_drain.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_tree LABEL unit TIMEOUT 240
    SOURCES unit/test_registry_tree.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_watch LABEL unit TIMEOUT 240
    SOURCES unit/test_registry_watch.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_family LABEL unit TIMEOUT 240
    SOURCES unit/test_registry_family.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_follow LABEL unit TIMEOUT 240
    SOURCES unit/test_registry_follow.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_fields LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_fields.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_plain LABEL unit TIMEOUT 240
    SOURCES unit/test_registry_plain.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_births LABEL unit TIMEOUT 60 LINKS canceld_registry)
canceld_test(test_registry_direct LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_direct.c unit/registry_rig.c LINKS canceld_registry)
# Linked with hashes that may be alike, and with memory that may not be had.
canceld_test(test_registry_collisions LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_collisions.c unit/registry_rig.c LINKS canceld_registry)
target_link_options(test_registry_collisions PRIVATE -Wl,--wrap=siphash13 -Wl,--wrap=siphash24)
canceld_test(test_registry_no_memory LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_no_memory.c unit/registry_rig.c LINKS canceld_registry)
target_link_options(test_registry_no_memory PRIVATE
    -Wl,--wrap=mmap -Wl,--wrap=munmap -Wl,--wrap=mprotect -Wl,--wrap=calloc)
canceld_test(test_registry_covers LABEL unit TIMEOUT 120
    SOURCES unit/test_registry_covers.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_edges LABEL unit TIMEOUT 240
    SOURCES unit/test_registry_edges.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_pages LABEL unit TIMEOUT 240
    SOURCES unit/test_registry_pages.c unit/registry_rig.c LINKS canceld_registry)
canceld_test(test_registry_port LABEL unit TIMEOUT 120 LINKS canceld_registry)
