# SPDX-License-Identifier: MIT
foreach(name IN ITEMS test_codec test_codec_groups test_codec_refused test_codec_reply)
    canceld_test(${name} LABEL unit TIMEOUT 120 LINKS canceld_wire canceld_proto)
endforeach()
canceld_test(test_lease_clock LABEL unit TIMEOUT 120 LINKS canceld_registry)
canceld_test(test_service LABEL unit TIMEOUT 300 LINKS canceld_wire canceld_proto)
canceld_test(test_registry_actor LABEL unit TIMEOUT 120 LINKS canceld_registry)

# The quick way of the codec beside the general one.
canceld_test(test_codec_equal LABEL unit TIMEOUT 900
    SOURCES test_codec_equal.c codec_equal.c LINKS canceld_wire canceld_proto)
canceld_test(test_result_equal LABEL unit TIMEOUT 600 LINKS canceld_wire canceld_proto)
canceld_test(test_op_digest LABEL unit TIMEOUT 120 LINKS canceld_wire)
