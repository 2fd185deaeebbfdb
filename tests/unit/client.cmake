# SPDX-License-Identifier: MIT
# The engine of the client library against a daemon played by the test.
foreach(name IN ITEMS test_client_engine test_client_time test_client_session test_client_notices
        test_client_adopt test_client_take_over test_client_finish test_client_retry test_client_fields test_client_storm
        test_client_restart_storm test_client_damaged)
    canceld_test(${name} LABEL unit TIMEOUT 300
        SOURCES unit/${name}.c unit/client_rig.c
        LINKS canceld_client_static)
endforeach()

# The shared library as applications have it: alone, and with the daemon as a process of its own.
canceld_test(test_client_alone LABEL unit TIMEOUT 120 LINKS canceld::client)
foreach(name IN ITEMS test_client_daemon test_client_kept test_client_restart test_client_verbs test_client_misuse)
    canceld_test(${name} LABEL integration TIMEOUT 300
        SOURCES unit/${name}.c unit/client_relay.c unit/canceld_program.c
        LINKS canceld::client)
    target_compile_definitions(${name} PRIVATE CANCELD_PROGRAM="$<TARGET_FILE:canceld>")
    add_dependencies(${name} canceld)
endforeach()
canceld_test(test_client_tls LABEL integration TIMEOUT 120
    SOURCES unit/test_client_tls.c unit/canceld_program.c
    LINKS canceld::client)
target_compile_definitions(test_client_tls PRIVATE
    CANCELD_PROGRAM="$<TARGET_FILE:canceld>"
    CERTIFICATES_SCRIPT="${CMAKE_SOURCE_DIR}/tests/support/make_certificates.sh")
add_dependencies(test_client_tls canceld)
canceld_test(test_client_examples LABEL integration TIMEOUT 120
    SOURCES unit/test_client_examples.c unit/canceld_program.c)
target_compile_definitions(test_client_examples PRIVATE
    CANCELD_PROGRAM="$<TARGET_FILE:canceld>"
    EXAMPLE_WORKER="$<TARGET_FILE:example_worker>"
    EXAMPLE_STOP="$<TARGET_FILE:example_stop>")
add_dependencies(test_client_examples canceld example_worker example_stop)

# What an application does: installs the library, finds it by CMake and by pkg-config, and builds.
add_test(NAME client_install
    COMMAND ${CMAKE_COMMAND} -D BUILD=${CMAKE_BINARY_DIR} -D SOURCE=${CMAKE_SOURCE_DIR}
        -D COMPILER=${CMAKE_C_COMPILER} -D GENERATOR=${CMAKE_GENERATOR}
        -D LIBDIR=${CMAKE_INSTALL_LIBDIR} -D SANITIZE=${CANCELD_SANITIZE}
        -P ${CMAKE_SOURCE_DIR}/tests/unit/client_install.cmake)
set_tests_properties(client_install PROPERTIES LABELS integration TIMEOUT 120)
