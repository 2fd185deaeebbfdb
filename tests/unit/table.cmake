# SPDX-License-Identifier: MIT
canceld_test(test_packed LABEL unit TIMEOUT 120 SOURCES unit/test_packed.c LINKS canceld_table)
canceld_test(test_wheel LABEL unit TIMEOUT 120 SOURCES unit/test_wheel.c LINKS canceld_table)
canceld_test(test_line_map LABEL unit TIMEOUT 300 SOURCES unit/test_line_map.c LINKS canceld_table)
# The same with the arithmetic that matches tags where there is no SSE2.
canceld_test(test_line_map_scalar LABEL unit TIMEOUT 300
    SOURCES unit/test_line_map.c ../runtime/table/line_map.c LINKS canceld_table)
target_compile_definitions(test_line_map_scalar PRIVATE LINE_MATCH_SCALAR)
canceld_test(test_radix_tree LABEL unit TIMEOUT 300 SOURCES unit/test_radix_tree.c LINKS canceld_table)
