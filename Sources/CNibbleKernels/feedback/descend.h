// Coordinate descent on the codes of one row.
#ifndef NIBBLE_FEEDBACK_DESCEND_H
#define NIBBLE_FEEDBACK_DESCEND_H

#include "products.h"

/// The nearest codes of eight neighbouring columns' values.
NK_INLINE nk_v8i nk_round_row(const nk_grid_row *grid, size_t column, nk_v8 x, nk_v8 *value) {
  nk_v8 scale = nk_load(grid->scales + column), shift = nk_load(grid->shifts + column);
  nk_v8 scaled = (x - shift) * nk_load(grid->inverses + column);
  if (!grid->levels) {
    nk_v8 zero = nk_load(grid->zeros + column);
    nk_v8 level = nk_round(nk_max(nk_min(scaled, grid->top - zero), 0.0f - zero));
    *value = level * scale + shift;
    return __builtin_convertvector(level + zero, nk_v8i);
  }
  nk_v8i code = (nk_v8i)0;
  for (size_t t = 0; t + 1 < grid->level_count; t++) code -= scaled > nk_splat(grid->thresholds[t]);
  nk_v8 level;
  for (int j = 0; j < 8; j++) level[j] = grid->levels[code[j]];
  *value = level * scale + shift;
  return code;
}

static size_t descend(
  const nk_grid_row *grid, const float *matrix, size_t column_count, const float *inverse_diagonal, size_t pass_limit,
  float *gradient, float *values, uint8_t *codes) {
  size_t changes = 0;
  for (size_t pass = 0; pass < pass_limit; pass++) {
    changes = 0;
    for (size_t start = 0; start < column_count; start += 8) {
      nk_v8 inverse = nk_load(inverse_diagonal + start);
      for (int next = 0; next < 8;) {
        nk_v8 value = nk_load(values + start), best;
        nk_v8 wanted = value - nk_load(gradient + start) * inverse;
        nk_v8i code = nk_round_row(grid, start, wanted, &best);
        // Strictly nearer by more than the rounding of these sums, so that no two codes alternate.
        nk_v8i nearer = nk_abs(best - wanted) < nk_abs(value - wanted) * 0.999999f;
        nearer &= inverse > 0.0f;
        while (next < 8 && !nearer[next]) next++;
        if (next == 8) break;
        size_t column = start + (size_t)next;
        nk_v8 change = nk_splat(best[next] - value[next]);
        const float *row = matrix + column * column_count;
        for (size_t i = 0; i < column_count; i += 8) {
          nk_store(gradient + i, nk_load(gradient + i) + change * nk_load(row + i));
        }
        values[column] = best[next];
        codes[column] = (uint8_t)code[next];
        changes++;
        next++;
      }
    }
    if (!changes) break;
  }
  return changes;
}

#endif
