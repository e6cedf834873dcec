// The search for a scale over the non-linear 4-bit levels of IQ4_NL and IQ4_XS: x ~ scale * level(code).
#ifndef NIBBLE_BLOCKS_CODEBOOK_H
#define NIBBLE_BLOCKS_CODEBOOK_H

#include "symmetric.h"

static const int8_t nk_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// The level nearest to each lane's value, found by counting the midpoints below it.
NK_INLINE nk_v8 nk_iq4_nearest(nk_v8 value) {
  nk_v8 level = nk_splat(-127.0f);
  for (int k = 0; k < 15; k++) {
    float step = (float)(nk_iq4_levels[k + 1] - nk_iq4_levels[k]);
    nk_v8i above = value > 0.5f * (float)(nk_iq4_levels[k] + nk_iq4_levels[k + 1]);
    level += nk_bits_to_lanes(nk_lanes_to_bits(nk_splat(step)) & above);
  }
  return level;
}

/// The code of the level nearest to `value`.
NK_INLINE uint8_t nk_iq4_code(float value) {
  int code = 0;
  for (int k = 0; k < 15; k++) code += value > 0.5f * (float)(nk_iq4_levels[k] + nk_iq4_levels[k + 1]);
  return (uint8_t)code;
}

/// Sums of w*x*level and w*level*level for the levels nearest to x * inverse.
NK_INLINE void nk_codebook_sums(const nk_lanes *lanes, nk_v8 inverse, nk_v8 *xl, nk_v8 *ll) {
  nk_v8 a = nk_splat(0.0f), b = nk_splat(0.0f);
  for (int i = 0; i < lanes->length; i++) {
    nk_v8 level = nk_iq4_nearest(lanes->x[i] * inverse);
    nk_v8 wl = lanes->w[i] * level;
    a += wl * lanes->x[i];
    b += wl * level;
  }
  *xl = a;
  *ll = b;
}

NK_INLINE void nk_codebook_improve(const nk_lanes *lanes, nk_v8 inverse, nk_symmetric_fit *fit) {
  nk_v8 xl, ll;
  nk_codebook_sums(lanes, inverse, &xl, &ll);
  nk_v8 scale = nk_ratio(xl, ll);
  nk_v8 gain = scale * xl;
  nk_v8i better = gain > fit->gain;
  fit->scale = better ? scale : fit->scale;
  fit->gain = better ? gain : fit->gain;
}

/// Tries scales that bring the extreme element to `ends[t]`, then scales next to the best.
NK_INLINE nk_symmetric_fit nk_codebook_search(
  const nk_lanes *lanes, const float *ends, int end_count, const float *steps, int step_count) {
  nk_v8 unit = nk_inverse(nk_extreme(lanes));
  nk_symmetric_fit fit = {nk_splat(0.0f), nk_splat(0.0f)};
  for (int t = 0; t < end_count; t++) nk_codebook_improve(lanes, unit * ends[t], &fit);
  for (int t = 0; t < step_count; t++) nk_codebook_improve(lanes, nk_inverse(fit.scale) * steps[t], &fit);
  return fit;
}

#endif
