// The same source as blocks_scalar.c, compiled for AVX2.
#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2,f16c,bmi,bmi2"))), apply_to = function)

#define NK_USE_F16C
#define NK_BLOCK_TABLE nk_block_table_avx2
#include "table.h"

#pragma clang attribute pop

#endif
