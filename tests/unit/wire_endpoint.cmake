# SPDX-License-Identifier: MIT
canceld_test(test_sp LABEL unit TIMEOUT 60
    SOURCES unit/test_sp.c
    LINKS canceld_sp)
foreach(name IN ITEMS test_endpoint test_endpoint_hostile test_endpoint_interop test_endpoint_open
        test_endpoint_rep test_link_turns)
    canceld_test(${name} LABEL unit TIMEOUT 600
        SOURCES unit/${name}.c unit/endpoint_rig.c
        LINKS canceld_wire nng::nng)
endforeach()
canceld_test(test_endpoint_tls LABEL unit TIMEOUT 600
    SOURCES unit/test_endpoint_tls.c unit/endpoint_rig.c
    LINKS canceld_wire nng::nng)
target_compile_definitions(test_endpoint_tls PRIVATE
    CANCELD_CERTIFICATES="${CMAKE_SOURCE_DIR}/tests/support/make_certificates.sh")
