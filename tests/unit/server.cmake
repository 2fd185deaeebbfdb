# SPDX-License-Identifier: MIT
canceld_test(test_options LABEL unit TIMEOUT 120
    SOURCES unit/test_options.c
    LINKS canceld_server)
canceld_test(test_log LABEL unit TIMEOUT 120
    SOURCES unit/test_log.c
    LINKS canceld_server)
canceld_test(test_server_files LABEL unit TIMEOUT 120
    SOURCES unit/test_server_files.c
    LINKS canceld_server)
canceld_test(test_epoch LABEL unit TIMEOUT 120
    SOURCES unit/test_epoch.c
    LINKS canceld_server)
target_link_options(test_epoch PRIVATE -Wl,--wrap=write,--wrap=fsync,--wrap=renameat)

# The program itself: started, asked and ended as its users do it.
canceld_test(test_canceld LABEL integration TIMEOUT 300
    SOURCES unit/test_canceld.c unit/canceld_program.c
    LINKS canceld_server)
target_compile_definitions(test_canceld PRIVATE CANCELD_PROGRAM="$<TARGET_FILE:canceld>")
add_dependencies(test_canceld canceld)
