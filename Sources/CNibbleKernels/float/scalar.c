// The row kernels for any machine.
#include "tables.h"

#define NK_LANES 4
#include "rows.h"

static void half_to_float(const uint16_t *x, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = nk_float_from_half(x[i]);
}

static void float_to_half(const float *x, size_t count, uint16_t *out) {
  for (size_t i = 0; i < count; i++) out[i] = nk_half_from_float(x[i]);
}

const nk_float_table nk_float_scalar = NK_FLOAT_TABLE(half_to_float, float_to_half);
