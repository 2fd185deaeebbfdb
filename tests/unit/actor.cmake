# SPDX-License-Identifier: MIT
foreach(name IN ITEMS test_mailbox test_actor test_actor_loop test_actor_watch test_ask)
    canceld_test(${name} LABEL unit TIMEOUT 300 SOURCES unit/${name}.c LINKS canceld_actor)
endforeach()
