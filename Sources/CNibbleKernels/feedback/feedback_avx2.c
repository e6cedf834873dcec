// The same source as feedback_scalar.c, compiled for AVX2.
#if defined(__x86_64__)

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi"
#pragma STDC FP_CONTRACT OFF
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#define NK_FEEDBACK_TABLE nk_feedback_table_avx2
#include "table.inc.h"

#pragma clang attribute pop

#endif
