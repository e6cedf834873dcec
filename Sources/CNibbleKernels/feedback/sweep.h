// The sweep: columns one after another, each rounded after the errors so far were pushed into it.
#ifndef NIBBLE_FEEDBACK_SWEEP_H
#define NIBBLE_FEEDBACK_SWEEP_H

#include "products.h"

typedef uint8_t nk_v8b __attribute__((ext_vector_type(8)));

/// The nearest codes of eight rows' values and what they stand for.
NK_INLINE nk_v8i nk_round_tile(const nk_grid_tile *grid, size_t group, nk_v8 x, nk_v8 *value) {
  nk_v8 scale = nk_load(grid->scales + 8 * group), shift = nk_load(grid->shifts + 8 * group);
  nk_v8 scaled = (x - shift) * nk_load(grid->inverses + 8 * group);
  if (!grid->levels) {
    nk_v8 zero = nk_load(grid->zeros + 8 * group);
    nk_v8 level = nk_round(nk_max(nk_min(scaled, grid->top - zero), 0.0f - zero));
    *value = level * scale + shift;
    return __builtin_convertvector(level + zero, nk_v8i);
  }
  nk_v8i code = (nk_v8i)0;
  for (size_t t = 0; t + 1 < grid->level_count; t++) code -= scaled > nk_load(grid->thresholds + 8 * t);
  nk_v8 level;
  for (int j = 0; j < 8; j++) level[j] = grid->levels[8 * code[j] + j];
  *value = level * scale + shift;
  return code;
}

static void sweep(
  const nk_grid_tile *grid, const float *target, const uint32_t *order, const float *feedback, const float *pivots,
  float damping, size_t column_count, float *errors, float *values, uint8_t *codes, double *objective) {
  double total[8] = {0};
  for (size_t start = 0; start < column_count; start += 8) {
    const float *rows = feedback ? feedback + start * column_count : 0;
    nk_v8 sums[8], cost = nk_splat(0.0f);
    nk_zero8(sums);
    if (rows) nk_multiply8(rows, column_count, errors, start, sums);
    for (size_t r = 0; r < 8; r++) {
      size_t column = order[start + r];
      nk_v8 wanted = nk_load(target + 8 * column), value;
      nk_v8 sum = sums[r];
      for (size_t i = 0; rows && i < r; i++) sum += nk_load(errors + 8 * (start + i)) * rows[r * column_count + start + i];
      nk_v8i code = nk_round_tile(grid, grid->groups[column], wanted + sum, &value);
      nk_v8b bytes = __builtin_convertvector(code, nk_v8b);
      memcpy(codes + 8 * column, &bytes, 8);
      nk_store(values + 8 * column, value);
      nk_v8 error = wanted - value, rest = error + sum;
      nk_store(errors + 8 * (start + r), error);
      float pivot = pivots[start + r];
      if (pivot > 0) cost += rest * rest * pivot - error * error * damping;
    }
    for (int j = 0; j < 8; j++) total[j] += (double)cost[j];
  }
  for (int j = 0; j < 8; j++) objective[j] = total[j];
}

#endif
