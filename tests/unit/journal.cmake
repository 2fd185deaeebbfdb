# SPDX-License-Identifier: MIT
foreach(name IN ITEMS test_journal_file test_journal_finish test_journal_history test_journal
        test_journal_damage test_journal_proof test_journal_refused test_journal_kill)
    canceld_test(${name} LABEL unit TIMEOUT 600
        SOURCES unit/${name}.c unit/journal_rig.c
        LINKS canceld_journal PkgConfig::SQLITE)
endforeach()
