# SPDX-License-Identifier: MIT
# What makes a fault in our code harder to use, for all that is ours: decision 0016 says what each costs, and
# what is left out. tests/hardening/ looks whether the programs have it.
option(CANCELD_HARDENING "Compile and link with what makes faults harder to use" ON)
include(CheckCCompilerFlag)
include(CheckPIESupported)

add_library(canceld_hardening INTERFACE)
target_link_libraries(canceld_flags INTERFACE canceld_hardening)
check_pie_supported(LANGUAGES C)
set(CANCELD_HARDENED FALSE)
# Sanitizers look closer than any of these, and do not go together with some of them.
if(CANCELD_HARDENING AND NOT CANCELD_SANITIZE)
    set(CANCELD_HARDENED TRUE)
    foreach(flag IN ITEMS -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
            -mbranch-protection=standard)
        string(MAKE_C_IDENTIFIER "CANCELD_HAS${flag}" result)
        check_c_compiler_flag("-Werror ${flag}" ${result})
        if(${result})
            target_compile_options(canceld_hardening INTERFACE ${flag})
        endif()
    endforeach()
    # Needs an optimiser, which knows how large things are.
    target_compile_options(canceld_hardening INTERFACE
        "$<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>")
    target_link_options(canceld_hardening INTERFACE LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
endif()
