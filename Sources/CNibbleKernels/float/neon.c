// The row kernels for Arm: NEON is part of every 64-bit Arm core, so the compiler's own vectors do.
#if defined(__aarch64__)
#include <math.h>

#include "tables.h"

#define NK_LANES 4
#define NK_HARDWARE_HALF
#include "rows.h"

static void half_to_float(const uint16_t *x, size_t count, float *out) {
  const __fp16 *halves = (const __fp16 *)x;
  for (size_t i = 0; i < count; i++) out[i] = (float)halves[i];
}

static void float_to_half(const float *x, size_t count, uint16_t *out) {
  __fp16 *halves = (__fp16 *)out;
  for (size_t i = 0; i < count; i++) halves[i] = (__fp16)x[i];
}

const nk_float_table nk_float_neon = NK_FLOAT_TABLE(half_to_float, float_to_half);
#endif
