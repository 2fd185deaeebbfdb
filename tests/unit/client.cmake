# SPDX-License-Identifier: MIT
# The engine of the client library against a daemon played by the test.
foreach(name IN ITEMS test_client_engine test_client_session test_client_notices test_client_storm)
    canceld_test(${name} LABEL unit TIMEOUT 300
        SOURCES unit/${name}.c unit/client_rig.c
        LINKS canceld_client_static)
endforeach()
