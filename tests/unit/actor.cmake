# SPDX-License-Identifier: MIT
foreach(name IN ITEMS test_mailbox test_actor test_actor_loop test_actor_watch test_ask
        test_ask_stock test_message_pool test_run_queue test_source)
    canceld_test(${name} LABEL unit TIMEOUT 300 SOURCES unit/${name}.c LINKS canceld_actor)
endforeach()
