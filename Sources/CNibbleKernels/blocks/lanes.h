// Eight sub-blocks side by side: lane j of every vector belongs to sub-block j, so that the searches run on eight
// sub-blocks at once, need no sums across lanes, and give the same bits on every instruction set.
#ifndef NIBBLE_BLOCKS_LANES_H
#define NIBBLE_BLOCKS_LANES_H

#include <stdint.h>
#include <string.h>

typedef float nk_v8 __attribute__((ext_vector_type(8)));
typedef int32_t nk_v8i __attribute__((ext_vector_type(8)));

#define NK_INLINE static inline __attribute__((always_inline))

enum { NK_LANES = 8, NK_LANE_LENGTH = 32, NK_GROUP = 256 };

/// Values of eight sub-blocks and their weights in the error that a search minimizes.
typedef struct {
  nk_v8 x[NK_LANE_LENGTH];
  nk_v8 w[NK_LANE_LENGTH];
  int length;  // elements of a sub-block: 16 or 32
} nk_lanes;

NK_INLINE nk_v8 nk_splat(float value) { return (nk_v8)value; }
NK_INLINE nk_v8 nk_min(nk_v8 a, nk_v8 b) { return a < b ? a : b; }
NK_INLINE nk_v8 nk_max(nk_v8 a, nk_v8 b) { return a > b ? a : b; }
NK_INLINE nk_v8 nk_bits_to_lanes(nk_v8i bits) { return (nk_v8)bits; }
NK_INLINE nk_v8i nk_lanes_to_bits(nk_v8 value) { return (nk_v8i)value; }
NK_INLINE nk_v8 nk_abs(nk_v8 a) { return nk_bits_to_lanes(nk_lanes_to_bits(a) & 0x7FFFFFFF); }

/// To the nearest integer, ties to even; |a| < 2^22.
NK_INLINE nk_v8 nk_round(nk_v8 a) { return (a + 12582912.0f) - 12582912.0f; }

NK_INLINE nk_v8 nk_clamp(nk_v8 a, float low, float high) { return nk_max(nk_min(a, nk_splat(high)), nk_splat(low)); }

/// a / b, or 0 where b is not positive.
NK_INLINE nk_v8 nk_ratio(nk_v8 a, nk_v8 b) { return b > 0.0f ? a / (b > 0.0f ? b : nk_splat(1.0f)) : nk_splat(0.0f); }

/// 1 / a, or 0 where a is 0.
NK_INLINE nk_v8 nk_inverse(nk_v8 a) { return a == 0.0f ? nk_splat(0.0f) : 1.0f / (a == 0.0f ? nk_splat(1.0f) : a); }

NK_INLINE nk_v8 nk_load(const float *address) {
  nk_v8 value;
  memcpy(&value, address, sizeof value);
  return value;
}

NK_INLINE void nk_store(float *address, nk_v8 value) { memcpy(address, &value, sizeof value); }

/// Sets out[i][j] = values[j * stride + i] for i and j in 0..<8.
NK_INLINE void nk_transpose8(const float *values, int stride, nk_v8 *out) {
  nk_v8 r[8], s[8], t[8];
  for (int j = 0; j < 8; j++) r[j] = nk_load(values + j * stride);
  for (int j = 0; j < 8; j += 2) {
    s[j] = __builtin_shufflevector(r[j], r[j + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    s[j + 1] = __builtin_shufflevector(r[j], r[j + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int j = 0; j < 8; j += 4) {
    t[j] = __builtin_shufflevector(s[j], s[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    t[j + 1] = __builtin_shufflevector(s[j], s[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    t[j + 2] = __builtin_shufflevector(s[j + 1], s[j + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    t[j + 3] = __builtin_shufflevector(s[j + 1], s[j + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  for (int j = 0; j < 4; j++) {
    out[j] = __builtin_shufflevector(t[j], t[j + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    out[j + 4] = __builtin_shufflevector(t[j], t[j + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

/// Loads eight consecutive sub-blocks of `length` values.
NK_INLINE void nk_load_lanes(const float *values, int length, nk_v8 *out) {
  for (int i = 0; i < length; i += 8) nk_transpose8(values + i, length, out + i);
}

/// The power of two 2^-e that brings `magnitude` >= 0 into [1, 4), or less where it is subnormal; exact to multiply by.
NK_INLINE nk_v8 nk_normalizer(nk_v8 magnitude) {
  nk_v8i exponent = nk_lanes_to_bits(magnitude) & 0x7F800000;
  exponent = exponent > 0x7E800000 ? (nk_v8i)0x7E800000 : exponent;
  return nk_bits_to_lanes(0x7F000000 - exponent);
}

/// The inverse of nk_normalizer's result; its smallest value, 2^-127, is subnormal and exact.
NK_INLINE nk_v8 nk_denormalizer(nk_v8 normalizer) { return 1.0f / normalizer; }

/// The largest of the eight lanes, in every lane.
NK_INLINE nk_v8 nk_across_max(nk_v8 a) {
  float result = a[0];
  for (int j = 1; j < NK_LANES; j++) result = a[j] > result ? a[j] : result;
  return nk_splat(result);
}

#endif
