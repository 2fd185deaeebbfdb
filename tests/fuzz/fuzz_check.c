/* SPDX-License-Identifier: MIT */
#include "testing_check.h"

#include <stdlib.h>

/* A crash, which libFuzzer keeps the input of. */
void test_give_up(void)
{
    abort();
}
