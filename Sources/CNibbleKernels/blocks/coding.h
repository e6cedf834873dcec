// From a fitted scale to stored bits: half-precision scales that stay finite, and codes for a stored scale.
#ifndef NIBBLE_BLOCKS_CODING_H
#define NIBBLE_BLOCKS_CODING_H

#include "../shared/half.h"
#include "codebook.h"
#include "settings.h"

/// The bits of the nearest f16, saturated at 65504.
NK_INLINE uint16_t nk_half_bits(float value) {
  if (value > 65504.0f) return 0x7BFF;
  if (value < -65504.0f) return 0xFBFF;
  return nk_half_from_float(value);
}

/// As nk_half_bits, but only zero becomes zero, so that blocks of tiny values keep what f16's smallest step can hold.
NK_INLINE uint16_t nk_scale_bits(float scale) {
  uint16_t half = nk_half_bits(scale);
  return half & 0x7FFF || scale == 0.0f ? half : half | 1;
}

NK_INLINE float nk_inverse_scale(float scale) { return scale == 0.0f ? 0.0f : 1.0f / scale; }

/// The low byte of clamp(round(value), low, high) + bias, for an even bias.
NK_INLINE uint8_t nk_code(float value, float low, float high, float bias) {
  float clamped = value < high ? value : high;
  clamped = clamped > low ? clamped : low;
  return (uint8_t)nk_bits_from_float(clamped + (12582912.0f + bias));
}

NK_INLINE void nk_code_symmetric(
  const float *values, int count, float inverse, const nk_symmetric_settings *settings, uint8_t *codes) {
  float low = settings->low, high = settings->high, bias = settings->bias;
  for (int i = 0; i < count; i++) codes[i] = nk_code(values[i] * inverse, low, high, bias);
}

NK_INLINE void nk_code_affine(
  const float *values, int count, float inverse, float offset, float high, uint8_t *codes) {
  for (int i = 0; i < count; i++) codes[i] = nk_code((values[i] - offset) * inverse, 0.0f, high, 0.0f);
}

NK_INLINE void nk_code_codebook(const float *values, int count, float inverse, uint8_t *codes) {
  for (int i = 0; i < count; i++) codes[i] = nk_iq4_code(values[i] * inverse);
}

/// The smallest and the largest value of each lane.
NK_INLINE void nk_bounds(const nk_v8 *x, int length, nk_v8 *low, nk_v8 *high) {
  *low = *high = x[0];
  for (int i = 1; i < length; i++) {
    *low = nk_min(*low, x[i]);
    *high = nk_max(*high, x[i]);
  }
}

#endif
