# SPDX-License-Identifier: MIT
# Installs the client library to a directory of its own and builds the examples against it, twice.
set(root ${BUILD}/tests/client_install)
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
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${root}/usr --component client)
run(${CMAKE_COMMAND} -S ${SOURCE}/clients/c/examples -B ${root}/build -G ${GENERATOR}
    -D CMAKE_PREFIX_PATH=${root}/usr -D CMAKE_C_COMPILER=${COMPILER} -D CMAKE_C_FLAGS=${flags})
run(${CMAKE_COMMAND} --build ${root}/build)

# A prefix that was given at the install is not in the .pc file, which was made before; it follows the file.
set(ENV{PKG_CONFIG_PATH} ${root}/usr/${LIBDIR}/pkgconfig)
execute_process(COMMAND pkg-config --define-prefix --cflags --libs canceld-client
    OUTPUT_VARIABLE words OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(words UNIX_COMMAND ${words})
run(${COMPILER} -std=c11 ${flags} ${SOURCE}/clients/c/examples/stop.c ${words} -o ${root}/stop)

# Nothing is exported but what the header declares.
execute_process(COMMAND nm -D --defined-only ${root}/usr/${LIBDIR}/libcanceld-client.so
    OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
file(READ ${root}/usr/include/canceld/client.h header)
file(READ ${root}/usr/include/canceld/words.h words)
string(APPEND header ${words})
string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
foreach(line IN LISTS symbols)
    string(REGEX REPLACE "^.* " "" symbol "${line}")
    if(NOT header MATCHES "[^a-z_]${symbol}\\(")
        message(FATAL_ERROR "${symbol} is exported, and not in the header")
    endif()
endforeach()
