// The row kernels of nk_float.h, written once in vector-extension C and compiled for each instruction set: the same
// operations in the same order, hence the same bits.
//
// The including file defines NK_LANES (floats of a vector: 4, 8 or 16) and, where the compiler converts halves with
// instructions, NK_HARDWARE_HALF.
#ifndef NK_FLOAT_ROWS_H
#define NK_FLOAT_ROWS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../shared/float_lanes.h"
#include "../shared/half.h"

#pragma STDC FP_CONTRACT OFF

enum { nk_vector_count = 32 / NK_LANES };

/// The 32 chains of a sum.
typedef union {
  nk_lanes vectors[nk_vector_count];
  float chains[32];
} nk_sum;

NK_INLINE float nk_total(nk_sum *sum) {
  for (int width = 16; width > 0; width /= 2)
    for (int i = 0; i < width; i++) sum->chains[i] += sum->chains[i + width];
  return sum->chains[0];
}

static float nk_dot(const float *x, const float *y, size_t count) {
  nk_sum sum = {0};
  size_t i = 0;
  for (; i + 32 <= count; i += 32)
    for (int v = 0; v < nk_vector_count; v++) {
      const float *a = x + i + NK_LANES * v, *b = y + i + NK_LANES * v;
      sum.vectors[v] = __builtin_elementwise_fma(NK_LOAD(a), NK_LOAD(b), sum.vectors[v]);
    }
  for (int j = 0; i < count; i++, j++) sum.chains[j] = fmaf(x[i], y[i], sum.chains[j]);
  return nk_total(&sum);
}

/// Sum of (x[i] - center)^power, power 1 or 2.
NK_INLINE float nk_central_sum(const float *x, float center, int power, size_t count) {
  nk_sum sum = {0};
  size_t i = 0;
  for (; i + 32 <= count; i += 32)
    for (int v = 0; v < nk_vector_count; v++) {
      nk_lanes difference = NK_LOAD(x + i + NK_LANES * v) - center;
      sum.vectors[v] = power == 1 ? sum.vectors[v] + difference
                                  : __builtin_elementwise_fma(difference, difference, sum.vectors[v]);
    }
  for (int j = 0; i < count; i++, j++) {
    float difference = x[i] - center;
    sum.chains[j] = power == 1 ? sum.chains[j] + difference : fmaf(difference, difference, sum.chains[j]);
  }
  return nk_total(&sum);
}

static float nk_sum_of_squares(const float *x, size_t count) { return nk_dot(x, x, count); }

static ptrdiff_t nk_first_non_finite(const float *x, size_t count) {
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    nk_signs bad = {0};
    for (int v = 0; v < nk_vector_count; v++) {
      nk_lanes difference = NK_LOAD(x + i + NK_LANES * v) - NK_LOAD(x + i + NK_LANES * v);  // NaN unless finite
      bad |= difference != difference;
    }
    int32_t any = 0;
    for (int lane = 0; lane < NK_LANES; lane++) any |= bad[lane];
    if (any) break;
  }
  for (; i < count; i++)
    if ((nk_bits_from_float(x[i]) & 0x7F800000) == 0x7F800000) return (ptrdiff_t)i;
  return -1;
}

static void nk_add(const float *x, const float *y, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = x[i] + y[i];
}

static void nk_scale(const float *x, float factor, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = x[i] * factor;
}

static void nk_axpy(float factor, const float *x, size_t count, float *y) {
  size_t i = 0;
  for (; i + NK_LANES <= count; i += NK_LANES)
    NK_STORE(y + i, __builtin_elementwise_fma(NK_SPLAT(factor), NK_LOAD(x + i), NK_LOAD(y + i)));
  for (; i < count; i++) y[i] = fmaf(factor, x[i], y[i]);
}

static void nk_rms_norm(const float *x, const float *weight, size_t count, float epsilon, float *out) {
  float factor = 1 / sqrtf(nk_sum_of_squares(x, count) / (float)count + epsilon);
  for (size_t i = 0; i < count; i++) out[i] = x[i] * factor * weight[i];
}

static void nk_layer_norm(const float *x, const float *weight, const float *bias, size_t count, float epsilon,
                          float *out) {
  float mean = nk_central_sum(x, 0, 1, count) / (float)count;
  float factor = 1 / sqrtf(nk_central_sum(x, mean, 2, count) / (float)count + epsilon);
  if (bias) {
    for (size_t i = 0; i < count; i++) out[i] = (x[i] - mean) * factor * weight[i] + bias[i];
  } else {
    for (size_t i = 0; i < count; i++) out[i] = (x[i] - mean) * factor * weight[i];
  }
}

#include "exponentials.h"
#include "rotate.h"

static void nk_bfloat_to_float(const uint16_t *x, size_t count, float *out) {
  for (size_t i = 0; i < count; i++) out[i] = nk_float_from_bfloat(x[i]);
}

static void nk_float_to_bfloat(const float *x, size_t count, uint16_t *out) {
  for (size_t i = 0; i < count; i++) out[i] = nk_bfloat_from_float(x[i]);
}

#include "small_floats.h"

#define NK_FLOAT_TABLE(half_to_float, float_to_half)                                                                   \
  {half_to_float, float_to_half, nk_bfloat_to_float, nk_float_to_bfloat, nk_e4m3_to_float, nk_float_to_e4m3,           \
   nk_e5m2_to_float, nk_float_to_e5m2, nk_e2m1_to_float, nk_float_to_e2m1, nk_dot, nk_sum_of_squares,                  \
   nk_first_non_finite, nk_add, nk_scale, nk_axpy, nk_rms_norm, nk_layer_norm, nk_softmax, nk_silu_multiply,           \
   nk_gelu_multiply, nk_gelu, nk_softcap, nk_rotate}

#endif
