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

#include "../shared/half.h"

#pragma STDC FP_CONTRACT OFF

#ifndef NK_INLINE
#define NK_INLINE static inline __attribute__((always_inline))
#endif

enum { nk_vector_count = 32 / NK_LANES };

typedef float nk_lanes __attribute__((vector_size(4 * NK_LANES), aligned(4)));
typedef uint32_t nk_words __attribute__((vector_size(4 * NK_LANES), aligned(4)));
typedef int32_t nk_signs __attribute__((vector_size(4 * NK_LANES), aligned(4)));

/// The 32 chains of a sum.
typedef union {
  nk_lanes vectors[nk_vector_count];
  float chains[32];
} nk_sum;

#define NK_SPLAT(value) ((value) - (nk_lanes){0})
#define NK_LOAD(p) (*(const nk_lanes *)(const void *)(p))
#define NK_STORE(p, value) (*(nk_lanes *)(void *)(p) = (value))
/// Lane by lane: where `mask` is all ones a, elsewhere b.
#define NK_SELECT(mask, a, b) ((nk_lanes)(((nk_words)(mask) & (nk_words)(a)) | (~(nk_words)(mask) & (nk_words)(b))))
/// The larger number; b when one is NaN.
#define NK_MAX(a, b) NK_SELECT((a) > (b), a, b)

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

/// exp as nk_float.h describes it. A macro and no function: vectors wider than the target's registers have no calling
/// convention. The coefficients are those of the Taylor series; its remainder is below 1e-8 for |r| < 0.35.
#define NK_EXP(argument, result)                                                                    \
  do {                                                                                              \
    nk_lanes argument_ = (argument), x_ = NK_SELECT(argument_ > 88.3f, NK_SPLAT(88.3f), argument_); \
    nk_lanes magic_ = NK_SPLAT(12582912.0f), t_, n_, r_, p_;                                        \
    t_ = __builtin_elementwise_fma(x_, NK_SPLAT(1.44269504f), magic_);                              \
    n_ = t_ - magic_;                                                                               \
    r_ = __builtin_elementwise_fma(n_, NK_SPLAT(-0x1.62e4p-1f), x_);                                \
    r_ = __builtin_elementwise_fma(n_, NK_SPLAT(-0x1.7f7d1cp-20f), r_);                             \
    p_ = __builtin_elementwise_fma(NK_SPLAT(1.0f / 5040), r_, NK_SPLAT(1.0f / 720));                \
    p_ = __builtin_elementwise_fma(p_, r_, NK_SPLAT(1.0f / 120));                                   \
    p_ = __builtin_elementwise_fma(p_, r_, NK_SPLAT(1.0f / 24));                                    \
    p_ = __builtin_elementwise_fma(p_, r_, NK_SPLAT(1.0f / 6));                                     \
    p_ = __builtin_elementwise_fma(p_, r_, NK_SPLAT(0.5f));                                         \
    p_ = __builtin_elementwise_fma(p_, r_, NK_SPLAT(1.0f));                                         \
    p_ = __builtin_elementwise_fma(p_, r_, NK_SPLAT(1.0f));                                         \
    p_ *= (nk_lanes)(((nk_words)t_ - 0x4B400000u + 127u) << 23);                                    \
    (result) = NK_SELECT(x_ < -87.3f, NK_SPLAT(0.0f), p_);                                          \
  } while (0)

static void nk_softmax(float *x, size_t count) {
  if (count == 0) return;
  float largest = x[0];
  size_t i = 0;
  if (count >= NK_LANES) {
    nk_lanes most = NK_LOAD(x);
    for (i = NK_LANES; i + NK_LANES <= count; i += NK_LANES) most = NK_MAX(NK_LOAD(x + i), most);
    for (int lane = 0; lane < NK_LANES; lane++) largest = most[lane] > largest ? most[lane] : largest;
  }
  for (; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  nk_sum sum = {0};
  for (i = 0; i + 32 <= count; i += 32)
    for (int v = 0; v < nk_vector_count; v++) {
      nk_lanes e;
      NK_EXP(NK_LOAD(x + i + NK_LANES * v) - largest, e);
      NK_STORE(x + i + NK_LANES * v, e);
      sum.vectors[v] += e;
    }
  if (i < count) {
    nk_sum last;
    for (int k = 0; k < 32; k++) last.chains[k] = i + (size_t)k < count ? x[i + (size_t)k] : -INFINITY;
    for (int v = 0; v < nk_vector_count; v++) {
      NK_EXP(last.vectors[v] - largest, last.vectors[v]);
      sum.vectors[v] += last.vectors[v];
    }
    memcpy(x + i, last.chains, (count - i) * sizeof(float));
  }
  nk_scale(x, 1 / nk_total(&sum), count, x);
}

/// out = x / (1 + exp(-slope)) * y, where slope is a function of x.
#define NK_GATED(name, slope)                                                      \
  static void name(const float *gate, const float *up, size_t count, float *out) { \
    size_t i = 0;                                                                  \
    for (; i + NK_LANES <= count; i += NK_LANES) {                                 \
      nk_lanes x = NK_LOAD(gate + i), e;                                           \
      NK_EXP(-(slope), e);                                                         \
      NK_STORE(out + i, x / (1.0f + e) * NK_LOAD(up + i));                         \
    }                                                                              \
    if (i < count) {                                                               \
      float last[2][NK_LANES] = {{0}};                                             \
      memcpy(last[0], gate + i, (count - i) * sizeof(float));                      \
      memcpy(last[1], up + i, (count - i) * sizeof(float));                        \
      nk_lanes x = NK_LOAD(last[0]), e;                                            \
      NK_EXP(-(slope), e);                                                         \
      NK_STORE(last[0], x / (1.0f + e) * NK_LOAD(last[1]));                        \
      memcpy(out + i, last[0], (count - i) * sizeof(float));                       \
    }                                                                              \
  }

NK_GATED(nk_silu_multiply, x)
NK_GATED(nk_gelu_multiply, 1.59576912f * (x + 0.044715f * (x * x * x)))

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
   nk_first_non_finite, nk_add, nk_scale, nk_axpy, nk_rms_norm, nk_softmax, nk_silu_multiply, nk_gelu_multiply}

#endif
