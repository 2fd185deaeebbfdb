# SPDX-License-Identifier: MIT
foreach(subject IN ITEMS value text line exit_code arguments group prometheus top)
    canceld_test(test_cli_${subject} LABEL unit TIMEOUT 60
        SOURCES unit/test_cli_${subject}.c
        LINKS canceld_cli)
endforeach()
