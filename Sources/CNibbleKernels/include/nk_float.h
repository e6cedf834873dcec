// Kernels over rows of floats. Rows need no alignment and may have any length, also 0.
//
// A sum over a row is taken in 32 interleaved chains of fused multiply-adds (element i belongs to chain i mod 32), which
// are then added in pairs: chain i and i + 16, i + 8, i + 4, i + 2, i + 1. So all tables give the same bits; the scalar
// table is the definition. In-place use (out == input) is allowed; other overlap is not.
//
// exp stands for a polynomial of degree 7 after reduction by multiples of ln 2: relative error below 2.5e-7 for
// -87 < x < 88, exactly 0 below -87.3, exp(88.3) above 88.3, NaN for NaN.
#ifndef NK_FLOAT_H
#define NK_FLOAT_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

typedef struct {
  /// Conversions to and from the 16-bit formats: to nearest, ties to even; NaN stays NaN.
  void (*half_to_float)(const uint16_t *x, size_t count, float *out);
  void (*float_to_half)(const float *x, size_t count, uint16_t *out);
  void (*bfloat_to_float)(const uint16_t *x, size_t count, float *out);
  void (*float_to_bfloat)(const float *x, size_t count, uint16_t *out);

  /// Conversions to and from the 8-bit floats E4M3 ("fn": no infinities) and E5M2, and the 4-bit float E2M1 in the low
  /// half of a byte: to nearest, ties to even. What is beyond the largest number becomes that one if `saturates`, else
  /// NaN (E4M3) or infinity (E5M2). NaN stays NaN. E2M1 has neither: it saturates, and its NaN is +0.
  void (*e4m3_to_float)(const uint8_t *x, size_t count, float *out);
  void (*float_to_e4m3)(const float *x, size_t count, int saturates, uint8_t *out);
  void (*e5m2_to_float)(const uint8_t *x, size_t count, float *out);
  void (*float_to_e5m2)(const float *x, size_t count, int saturates, uint8_t *out);
  void (*e2m1_to_float)(const uint8_t *x, size_t count, float *out);
  void (*float_to_e2m1)(const float *x, size_t count, uint8_t *out);

  /// Sum of x[i] * y[i].
  float (*dot)(const float *x, const float *y, size_t count);
  /// Sum of x[i]^2.
  float (*sum_of_squares)(const float *x, size_t count);
  /// Index of the first NaN or infinity, -1 if there is none.
  ptrdiff_t (*first_non_finite)(const float *x, size_t count);

  /// out = x + y
  void (*add)(const float *x, const float *y, size_t count, float *out);
  /// out = x * factor
  void (*scale)(const float *x, float factor, size_t count, float *out);
  /// y = fma(factor, x, y)
  void (*axpy)(float factor, const float *x, size_t count, float *y);
  /// out = (x * (1 / sqrt(mean of x^2 + epsilon))) * weight
  void (*rms_norm)(const float *x, const float *weight, size_t count, float epsilon, float *out);
  /// out = ((x - mean) * (1 / sqrt(variance + epsilon))) * weight + bias, where the variance is the mean of (x - mean)^2,
  /// taken in a second pass. `bias` may be null: nothing is added then.
  void (*layer_norm)(const float *x, const float *weight, const float *bias, size_t count, float epsilon, float *out);
  /// x = exp(x - max x) / sum of these; entries of -infinity become 0.
  void (*softmax)(float *x, size_t count);
  /// out = gate / (1 + exp(-gate)) * up
  void (*silu_multiply)(const float *gate, const float *up, size_t count, float *out);
  /// out = gate / (1 + exp(-2 sqrt(2/pi) (gate + 0.044715 gate^3))) * up: GELU with the tanh approximation
  void (*gelu_multiply)(const float *gate, const float *up, size_t count, float *out);
  /// out = x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3)))
  void (*gelu)(const float *x, size_t count, float *out);
  /// out = cap * tanh(x / cap), cap > 0; relative error below 1e-6 for every number, NaN for NaN.
  void (*softcap)(const float *x, float cap, size_t count, float *out);

  /// Rotary embedding in place: turns the pairs (a, b) of each head into (a cos - b sin, a sin + b cos), products and sums
  /// rounded one by one. Head h starts at x + h * head_stride; its pair i is the features 2i and 2i + 1 if `interleaved`,
  /// else i and i + pair_count. Other features stay as they are. Cosines and sines are those of the pairs.
  void (*rotate)(const float *cosines, const float *sines, size_t pair_count, int interleaved, size_t head_count,
                 size_t head_stride, float *x);
} nk_float_table;

/// The table of the best instruction set that this machine has.
const nk_float_table *nk_float(void);

/// The table of one instruction set, or NULL when this machine (or this build) does not have it.
const nk_float_table *nk_float_for(enum nk_instruction_set set);

#endif
