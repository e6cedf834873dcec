// The search of MXFP4: of two exponents the one with the smaller weighted square error.
#ifndef NIBBLE_BLOCKS_MICROSCALING_H
#define NIBBLE_BLOCKS_MICROSCALING_H

#include "../include/nk_blocks.h"
#include "../shared/microscaling.h"
#include "coding.h"
#include "weights.h"

/// Between the magnitudes of E2M1, and how far it is from each to the next.
static const float nk_e2m1_middles[7] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f};
static const float nk_e2m1_steps[7] = {0.5f, 0.5f, 0.5f, 0.5f, 1.0f, 1.0f, 2.0f};

/// The weighted square error where lanes are rounded to E2M1 times `scale`, a power of two.
NK_INLINE nk_v8 nk_e2m1_error(const nk_lanes *lanes, nk_v8 scale) {
  const nk_v8 inverse = nk_inverse(scale);
  nk_v8 error = nk_splat(0.0f);
  for (int i = 0; i < lanes->length; i++) {
    const nk_v8 magnitude = nk_abs(lanes->x[i]) * inverse;
    nk_v8 rounded = nk_splat(0.0f);
    for (int k = 0; k < 7; k++) {
      const nk_v8i above = magnitude > nk_e2m1_middles[k];
      rounded += nk_bits_to_lanes(nk_lanes_to_bits(nk_splat(nk_e2m1_steps[k])) & above);
    }
    const nk_v8 difference = (magnitude - rounded) * scale;
    error += lanes->w[i] * difference * difference;
  }
  return error;
}

/// The largest element lies in 4 ... 8 times the first scale that is tried (section 6.3), and in 2 ... 4 times the other.
static void nk_search_mxfp4(const float *values, const float *importance, const nk_block_parts *out) {
  enum { largest_exponent = 252 };  // 6 * 2^125 is still finite
  nk_lanes lanes;
  const nk_v8 factor = nk_prepare(values, importance, nk_mxfp4_evenness, 0, 1, &lanes);
  const nk_v8 largest = nk_largest(lanes.x, lanes.length);
  const nk_v8 usual = nk_bits_to_lanes(nk_lanes_to_bits(largest) & 0x7F800000) * 0.25f;
  const nk_v8i wider = nk_e2m1_error(&lanes, usual * 2.0f) < nk_e2m1_error(&lanes, usual);
  const nk_v8 scale = (wider ? usual * 2.0f : usual) * nk_denormalizer(factor);
  for (int j = 0; j < NK_LANES; j++) {
    uint32_t exponent = nk_bits_from_float(scale[j]) >> 23;
    if (exponent > largest_exponent) exponent = largest_exponent;
    out->scales[j] = (uint16_t)exponent;
    const float inverse = 0.5f / nk_half_of_exponent((uint8_t)exponent);
    for (int i = 0; i < 32; i++) {
      const float magnitude = values[32 * j + i] < 0 ? -values[32 * j + i] : values[32 * j + i];
      int place = 0;
      for (int k = 0; k < 7; k++) place += magnitude * inverse > nk_e2m1_middles[k];
      out->codes[32 * j + i] = (uint8_t)(values[32 * j + i] < 0 && place > 0 ? 7 - place : 8 + place);
    }
  }
}

#endif
