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
canceld_test(test_sandbox LABEL unit TIMEOUT 120
    SOURCES unit/test_sandbox.c
    LINKS canceld_server)
# It would end valgrind too.
set_property(TEST test_sandbox APPEND PROPERTY LABELS filter)

canceld_test(test_setting LABEL unit TIMEOUT 60
    SOURCES unit/test_setting.c
    LINKS canceld_server)
canceld_test(test_failing_files LABEL unit TIMEOUT 120
    SOURCES unit/test_failing_files.c unit/failing_calls.c
    LINKS canceld_server)
canceld_test(test_failing_endpoint LABEL unit TIMEOUT 120
    SOURCES unit/test_failing_endpoint.c unit/failing_calls.c
    LINKS canceld_wire)
foreach(call IN ITEMS open openat close read write fsync ftruncate renameat unlink unlinkat flock getrandom fstat
        lstat mkdir chmod socket setrlimit getrlimit bind listen setsockopt getsockname lchown)
    foreach(name IN ITEMS test_failing_files test_failing_endpoint)
        target_link_options(${name} PRIVATE LINKER:--wrap=${call})
    endforeach()
endforeach()

# The program itself: started, asked and ended as its users do it.
canceld_test(test_canceld LABEL integration TIMEOUT 300
    SOURCES unit/test_canceld.c unit/canceld_program.c
    LINKS canceld_server)
target_compile_definitions(test_canceld PRIVATE CANCELD_PROGRAM="$<TARGET_FILE:canceld>")
add_dependencies(test_canceld canceld)

canceld_test(test_config LABEL unit TIMEOUT 120
    SOURCES unit/test_config.c
    LINKS canceld_server)
target_compile_definitions(test_config PRIVATE
    CANCELD_EXAMPLE="${CMAKE_SOURCE_DIR}/docs/canceld.conf.example")
canceld_test(test_rights LABEL unit TIMEOUT 120
    SOURCES unit/test_rights.c
    LINKS canceld_server)
canceld_test(test_tokens LABEL unit TIMEOUT 120
    SOURCES unit/test_tokens.c
    LINKS canceld_server)
canceld_test(test_canceld_rights LABEL integration TIMEOUT 300
    SOURCES unit/test_canceld_rights.c unit/canceld_program.c
    LINKS canceld_wire canceld_proto)
target_compile_definitions(test_canceld_rights PRIVATE CANCELD_PROGRAM="$<TARGET_FILE:canceld>"
    CANCELD_CERTIFICATES="${CMAKE_SOURCE_DIR}/tests/support/make_certificates.sh")
add_dependencies(test_canceld_rights canceld)
