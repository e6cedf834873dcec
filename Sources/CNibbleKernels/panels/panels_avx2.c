// The same source as panels_scalar.c, compiled for AVX2, which adds pairs of products in one instruction.
#if defined(__x86_64__)

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#define NK_PANEL_TABLE nk_panel_table_avx2
#define nk_pair_products(left, right) ((nk_v8i)_mm256_madd_epi16(_mm256_set1_epi32(left), (__m256i)(right)))
#include "panels.inc.h"

#pragma clang attribute pop

#endif
