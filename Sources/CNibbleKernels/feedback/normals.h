// The normal equations of the groups' scales and minima, with the codes fixed.
#ifndef NIBBLE_FEEDBACK_NORMALS_H
#define NIBBLE_FEEDBACK_NORMALS_H

#include "products.h"

static void normals(
  const float *matrix, size_t column_count, const uint32_t *first, size_t group_count, const float *levels,
  const float *gradient, float *scales, float *slopes) {
  for (size_t g = 0; g < group_count; g++) {
    nk_v8 slope = nk_splat(0.0f);
    for (size_t i = first[g]; i < first[g + 1]; i++) slope += nk_load(levels + 8 * i) * nk_load(gradient + 8 * i);
    nk_store(slopes + 8 * g, slope);
    for (size_t h = 0; h < group_count; h++) nk_store(scales + 8 * (g * group_count + h), nk_splat(0.0f));
  }
  for (size_t h = 0; h < group_count; h++) {
    size_t start = first[h], length = first[h + 1] - start, g = h;
    nk_v8 sum = nk_splat(0.0f);
    for (size_t i = start / 8 * 8; i < first[group_count]; i += 8) {
      nk_v8 products[8];
      nk_zero8(products);
      nk_multiply8(matrix + i * column_count + start, column_count, levels + 8 * start, length, products);
      for (size_t r = 0; r < 8 && i + r < first[group_count]; r++) {
        if (i + r < start) continue;
        if (i + r == first[g + 1]) {
          nk_store(scales + 8 * (g * group_count + h), sum);
          sum = nk_splat(0.0f);
          g++;
        }
        sum += products[r] * nk_load(levels + 8 * (i + r));
      }
    }
    nk_store(scales + 8 * (g * group_count + h), sum);
  }
}

static void mixed(
  const float *sums, size_t sum_stride, size_t row_count, const uint32_t *first, size_t group_count,
  const float *levels, const float *gradient, float *result, float *slopes) {
  for (size_t g = 0; g < group_count; g++) {
    size_t start = first[g], length = first[g + 1] - start;
    nk_v8 slope = nk_splat(0.0f);
    for (size_t i = start; i < first[g + 1]; i++) slope += nk_load(gradient + 8 * i);
    nk_store(slopes + 8 * g, slope);
    for (size_t h = 0; h < row_count; h += 8) {
      nk_v8 products[8];
      nk_zero8(products);
      nk_multiply8(sums + h * sum_stride + start, sum_stride, levels + 8 * start, length, products);
      for (size_t r = 0; r < 8 && h + r < group_count; r++) {
        nk_store(result + 8 * (g * group_count + h + r), products[r]);
      }
    }
  }
}

#endif
