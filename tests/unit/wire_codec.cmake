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
if(CANCELD_SANITIZE MATCHES "fuzzer")
    canceld_test(fuzz_codec_equal LABEL unit TIMEOUT 120
        SOURCES fuzz/fuzz_codec_equal.c codec_equal.c LINKS canceld_wire)
    target_link_options(fuzz_codec_equal PRIVATE -fsanitize=fuzzer)
    set_tests_properties(fuzz_codec_equal PROPERTIES DISABLED TRUE)
else()
    canceld_test(fuzz_codec_equal LABEL unit TIMEOUT 120
        SOURCES fuzz/fuzz_codec_equal.c fuzz/fuzz_files.c codec_equal.c LINKS canceld_wire)
    target_compile_definitions(fuzz_codec_equal PRIVATE
        FUZZ_FILES="${CMAKE_SOURCE_DIR}/tests/fuzz/codec")
endif()
target_include_directories(fuzz_codec_equal PRIVATE ${CMAKE_SOURCE_DIR}/tests/unit)
