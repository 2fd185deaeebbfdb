/* SPDX-License-Identifier: MIT */
/* Chance from a seed: splitmix64. The same on every machine and by every compiler. */
#ifndef CANCELD_TESTS_SIM_CHANCE_H
#define CANCELD_TESTS_SIM_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t chance_next(struct chance *chance)
{
    chance->state += UINT64_C(0x9e3779b97f4a7c15);
    return chance_mix(chance->state);
}

/* 0 to n - 1; n up to 2^32. 0 for n of 0. */
static inline uint64_t chance_below(struct chance *chance, uint64_t n)
{
    return ((chance_next(chance) >> 32) * n) >> 32;
}

/* From low to high, both included. */
static inline uint64_t chance_from(struct chance *chance, uint64_t low, uint64_t high)
{
    return low + chance_below(chance, high - low + 1);
}

static inline bool chance_strikes(struct chance *chance, uint64_t per_100k)
{
    return chance_below(chance, 100000) < per_100k;
}

#endif
