# SPDX-License-Identifier: MIT
# Mbed TLS's cryptography: Debian 12 has it without a .pc file and without a CMake package.
find_path(MbedCrypto_INCLUDE_DIR mbedtls/md.h)
find_library(MbedCrypto_LIBRARY mbedcrypto)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MbedCrypto REQUIRED_VARS MbedCrypto_LIBRARY MbedCrypto_INCLUDE_DIR)
if(MbedCrypto_FOUND AND NOT TARGET canceld_mbedcrypto)
    add_library(canceld_mbedcrypto UNKNOWN IMPORTED)
    set_target_properties(canceld_mbedcrypto PROPERTIES
        IMPORTED_LOCATION ${MbedCrypto_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${MbedCrypto_INCLUDE_DIR})
endif()
