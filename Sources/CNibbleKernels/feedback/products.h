// Sums of products of matrix rows with a tile.
#ifndef NIBBLE_FEEDBACK_PRODUCTS_H
#define NIBBLE_FEEDBACK_PRODUCTS_H

#include <math.h>

#include "../blocks/lanes.h"
#include "../include/nk_feedback.h"

/// sums[r] += sum over i < count of rows[r * stride + i] * tile[i], for eight rows, in the order of i.
NK_INLINE void nk_multiply8(const float *rows, size_t stride, const float *tile, size_t count, nk_v8 sums[8]) {
  nk_v8 s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
  nk_v8 s4 = sums[4], s5 = sums[5], s6 = sums[6], s7 = sums[7];
  const float *r0 = rows, *r1 = r0 + stride, *r2 = r1 + stride, *r3 = r2 + stride;
  const float *r4 = r3 + stride, *r5 = r4 + stride, *r6 = r5 + stride, *r7 = r6 + stride;
  for (size_t i = 0; i < count; i++) {
    nk_v8 t = nk_load(tile + 8 * i);
    s0 += t * r0[i];
    s1 += t * r1[i];
    s2 += t * r2[i];
    s3 += t * r3[i];
    s4 += t * r4[i];
    s5 += t * r5[i];
    s6 += t * r6[i];
    s7 += t * r7[i];
  }
  sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
  sums[4] = s4, sums[5] = s5, sums[6] = s6, sums[7] = s7;
}

NK_INLINE void nk_zero8(nk_v8 sums[8]) {
  for (int r = 0; r < 8; r++) sums[r] = nk_splat(0.0f);
}

static void multiply(
  const float *matrix, size_t row_count, size_t column_count, const float *tile, float *products) {
  for (size_t i = 0; i < row_count; i += 8) {
    nk_v8 sums[8];
    nk_zero8(sums);
    nk_multiply8(matrix + i * column_count, column_count, tile, column_count, sums);
    for (size_t r = 0; r < 8; r++) nk_store(products + 8 * (i + r), sums[r]);
  }
}

static void load(const float *rows, size_t stride, size_t row_count, size_t column_count, float *tile) {
  for (size_t i = 0; i < column_count; i++) {
    for (size_t r = 0; r < 8; r++) tile[8 * i + r] = r < row_count ? rows[r * stride + i] : 0;
  }
}

static void gradient(
  const float *matrix, size_t column_count, const float *target, const float *values, float *errors, float *result,
  double *objective) {
  double sums[8] = {0};
  for (size_t i = 0; i < column_count; i++) {
    nk_store(errors + 8 * i, nk_load(values + 8 * i) - nk_load(target + 8 * i));
  }
  multiply(matrix, column_count, column_count, errors, result);
  for (size_t i = 0; i < 8 * column_count; i++) sums[i % 8] += (double)errors[i] * (double)result[i];
  for (int r = 0; r < 8; r++) objective[r] = sums[r];
}

#endif
