# SPDX-License-Identifier: MIT
# Writes the include file of a man page: INCLUDE as it is, and a section with what each command of
# PROGRAM, if it has any, says of itself. Called with -D PROGRAM= -D INCLUDE= -D OUTPUT=.
function(help_of text)
    execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C.UTF-8 ${PROGRAM} ${ARGN} --help
        OUTPUT_VARIABLE said RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "${PROGRAM} ${ARGN} --help ended with ${status}")
    endif()
    # What roff would take for its own.
    string(REPLACE "\\" "\\e" said "${said}")
    string(REPLACE "\n." "\n\\&." said "${said}")
    string(REPLACE "\n'" "\n\\&'" said "${said}")
    set(${text} "${said}" PARENT_SCOPE)
endfunction()

file(READ ${INCLUDE} page)
help_of(help)
string(FIND "${help}" "\n Commands (" begin)
if(begin GREATER -1)
    string(SUBSTRING "${help}" ${begin} -1 list)
    string(REGEX REPLACE "\n\n.*" "" list "${list}")
    string(REGEX MATCHALL "\n  [a-z]+" commands "${list}")
    string(APPEND page "\n[COMMANDS]\n")
    foreach(command IN LISTS commands)
        string(STRIP "${command}" command)
        help_of(help ${command})
        # What every command takes stands under OPTIONS.
        string(REGEX REPLACE "\n +--json .*" "\n" help "${help}")
        string(APPEND page ".SS ${command}\n.nf\n${help}.fi\n")
    endforeach()
endif()
file(WRITE ${OUTPUT} "${page}")
