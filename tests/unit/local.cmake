# SPDX-License-Identifier: MIT
# The embedded registry.
foreach(name IN ITEMS test_local_verbs test_local_lanes test_local_callbacks test_local_inline
        test_local_barrier test_local_misuse test_local_storm)
    canceld_test(${name} LABEL unit TIMEOUT 300 LINKS canceld_local_static)
endforeach()
target_link_options(test_local_lanes PRIVATE LINKER:--wrap=registry_direct)
# Valgrind does not do seccomp(2).
set_property(TEST test_local_barrier APPEND PROPERTY LABELS filter)

# The example, and what an application does: installs the library, finds it by CMake and by pkg-config, builds
# with the shared one and with the archive.
add_test(NAME local_example COMMAND example_local_map)
set_tests_properties(local_example PROPERTIES LABELS unit TIMEOUT 60
    PASS_REGULAR_EXPRESSION "chat-7: finished after 400000 tokens"
    ENVIRONMENT "${CANCELD_TEST_ENVIRONMENT}")
add_test(NAME local_install
    COMMAND ${CMAKE_COMMAND} -D BUILD=${CMAKE_BINARY_DIR} -D SOURCE=${CMAKE_SOURCE_DIR}
        -D COMPILER=${CMAKE_C_COMPILER} -D GENERATOR=${CMAKE_GENERATOR}
        -D LIBDIR=${CMAKE_INSTALL_LIBDIR} -D SANITIZE=${CANCELD_SANITIZE}
        -P ${CMAKE_SOURCE_DIR}/tests/unit/local_install.cmake)
set_tests_properties(local_install PROPERTIES LABELS integration TIMEOUT 120)
