# SPDX-License-Identifier: MIT
# The flags of first-party code, and the two functions by which layers and tests are made.

# Where it was built, and when, is in nothing that is installed: the same source gives the same bytes
# (tests/reproducible). Debug builds keep their paths, for debuggers.
add_library(canceld_paths INTERFACE)
foreach(what IN ITEMS debug macro)
    target_compile_options(canceld_paths INTERFACE
        $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-f${what}-prefix-map=${CMAKE_SOURCE_DIR}=/canceld>
        $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-f${what}-prefix-map=${CMAKE_BINARY_DIR}=/canceld/build>)
endforeach()
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)

add_library(canceld_flags INTERFACE)
target_link_libraries(canceld_flags INTERFACE canceld_paths)
target_compile_definitions(canceld_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
target_compile_options(canceld_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wvla -Wwrite-strings -Wpointer-arith -Wundef -Wconversion
    -Wformat=2 -Wcast-qual -Wdate-time -Wno-missing-field-initializers -fno-common -fno-omit-frame-pointer
    $<$<BOOL:${CANCELD_WERROR}>:-Werror>)
if(CANCELD_SANITIZE)
    target_compile_options(canceld_flags INTERFACE -fsanitize=${CANCELD_SANITIZE}
        -fno-sanitize-recover=all)
    target_link_options(canceld_flags INTERFACE -fsanitize=${CANCELD_SANITIZE})
endif()

# Whatever looks at a process from inside makes calls that a daemon of ours never makes.
if(CANCELD_SANITIZE OR CMAKE_C_FLAGS MATCHES "-fprofile|--coverage")
    set(CANCELD_INSTRUMENTED 1)
endif()

# As valgrind is: tests then do as under a sanitizer, and without what valgrind does not do (limits of a process).
if(CANCELD_TEST_SLOWLY)
    target_compile_definitions(canceld_flags INTERFACE TEST_SANITIZED=1 TEST_SLOWLY=1 TEST_PATIENCE=20 TEST_LIMITS=0)
endif()

# canceld_layer(NAME SOURCES... HEADERS... LINKS...): one static library of the runtime. Sources and
# headers stand in the calling directory; includes are written from runtime/ down ("base/slab.h").
function(canceld_layer name)
    cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;LINKS;PRIVATE_LINKS" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/runtime
        FILES ${ARG_HEADERS})
    set_target_properties(${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
    # They go into programs that are loaded anywhere; hidden, that costs nothing.
    set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    target_link_libraries(${name} PUBLIC ${ARG_LINKS} PRIVATE canceld_flags ${ARG_PRIVATE_LINKS})
endfunction()

# How sanitizers behave in tests. At its end a thread sanitizer waits a second for stragglers, for each
# process of each case; our tests wait for theirs themselves.
set(CANCELD_TEST_ENVIRONMENT
    "TSAN_OPTIONS=atexit_sleep_ms=20:suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp"
    "ASAN_OPTIONS=detect_leaks=1")

# canceld_test(NAME LABEL TIMEOUT SOURCES... LINKS...): one test program and its test. Sources are
# written from tests/ or from tests/unit/; without any it is tests/unit/NAME.c.
function(canceld_test name)
    cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LINKS" ${ARGN})
    if(NOT ARG_SOURCES)
        set(ARG_SOURCES ${name}.c)
    endif()
    set(sources)
    foreach(source IN LISTS ARG_SOURCES)
        foreach(directory IN ITEMS ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests ${CMAKE_SOURCE_DIR}/tests/unit)
            cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${directory} OUTPUT_VARIABLE path)
            if(EXISTS ${path})
                break()
            endif()
        endforeach()
        if(NOT EXISTS ${path})
            message(FATAL_ERROR "${name}: there is no ${source} in tests/ or tests/unit/")
        endif()
        list(APPEND sources ${path})
    endforeach()
    add_executable(${name} ${sources})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(${name} PRIVATE ${ARG_LINKS} canceld_test_support canceld_flags)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
        ENVIRONMENT "${CANCELD_TEST_ENVIRONMENT}")
endfunction()
