# SPDX-License-Identifier: MIT
canceld_test(test_sp LABEL unit TIMEOUT 60
    SOURCES unit/test_sp.c
    LINKS canceld_sp)
canceld_test(test_endpoint LABEL unit TIMEOUT 600
    SOURCES unit/test_endpoint.c unit/endpoint_rig.c
    LINKS canceld_wire nng::nng)
