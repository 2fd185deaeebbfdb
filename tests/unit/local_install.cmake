# SPDX-License-Identifier: MIT
# Installs libcanceld-local to a directory of its own and builds its example against it: by CMake, by pkg-config,
# and with the archive alone.
set(root ${BUILD}/tests/local_install)
file(REMOVE_RECURSE ${root})

function(run)
    execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "${ARGV}\n${text}")
    endif()
endfunction()

set(flags)
if(SANITIZE)
    set(flags -fsanitize=${SANITIZE})
endif()
set(example ${SOURCE}/runtime/local/examples)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${root}/usr --component local)
run(${CMAKE_COMMAND} -S ${example} -B ${root}/build -G ${GENERATOR}
    -D CMAKE_PREFIX_PATH=${root}/usr -D CMAKE_C_COMPILER=${COMPILER} -D CMAKE_C_FLAGS=${flags})
run(${CMAKE_COMMAND} --build ${root}/build)
run(${root}/build/example_local_map)

set(ENV{PKG_CONFIG_PATH} ${root}/usr/${LIBDIR}/pkgconfig)
execute_process(COMMAND pkg-config --define-prefix --cflags --libs canceld-local
    OUTPUT_VARIABLE words OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(words UNIX_COMMAND ${words})
run(${COMPILER} -std=c11 ${flags} ${example}/local_map.c ${words} -pthread -o ${root}/shared)
run(${COMPILER} -std=c11 ${flags} -I${root}/usr/include ${example}/local_map.c
    ${root}/usr/${LIBDIR}/libcanceld-local.a -pthread -o ${root}/archive)
run(${root}/archive)

# Nothing is shown but what the headers declare.
file(READ ${root}/usr/include/canceld/local.h header)
file(READ ${root}/usr/include/canceld/words.h words)
string(APPEND header ${words})
function(check_symbols)
    execute_process(COMMAND nm ${ARGV} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[^\n]+ [A-Z] [^\n]+" symbols "${symbols}")
    list(LENGTH symbols count)
    if(count LESS 40)
        message(FATAL_ERROR "${ARGV}: only ${count} symbols")
    endif()
    foreach(line IN LISTS symbols)
        string(REGEX REPLACE "^.* " "" symbol "${line}")
        if(NOT header MATCHES "[^a-z_]${symbol}\\(" AND NOT symbol MATCHES "^(__asan|__odr|_?_?ubsan|__tsan)")
            message(FATAL_ERROR "${ARGV}: ${symbol} is shown, and not in the header")
        endif()
    endforeach()
endfunction()
check_symbols(-D --defined-only ${root}/usr/${LIBDIR}/libcanceld-local.so)
check_symbols(-g --defined-only ${root}/usr/${LIBDIR}/libcanceld-local.a)
