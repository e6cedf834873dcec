// The search for a scale alone: x ~ scale * l, l an integer in [low, high].
#ifndef NIBBLE_BLOCKS_SYMMETRIC_H
#define NIBBLE_BLOCKS_SYMMETRIC_H

#include "lanes.h"

/// Sums of w*x*l and w*l*l for l = clamp(round(x * inverse)), for four inverse scales at once.
NK_INLINE void nk_symmetric_sums(
  const nk_lanes *lanes, float low, float high, const nk_v8 inverse[4], nk_v8 xl[4], nk_v8 ll[4]) {
  for (int t = 0; t < 4; t++) xl[t] = ll[t] = nk_splat(0.0f);
  for (int i = 0; i < lanes->length; i++) {
    nk_v8 x = lanes->x[i], w = lanes->w[i];
    for (int t = 0; t < 4; t++) {
      nk_v8 l = nk_round(nk_clamp(x * inverse[t], low, high));
      nk_v8 wl = w * l;
      xl[t] += wl * x;
      ll[t] += wl * l;
    }
  }
}

/// The best scale found so far, and its gain: the weighted square sum that it takes off the error.
typedef struct {
  nk_v8 scale, gain;
} nk_symmetric_fit;

NK_INLINE void nk_symmetric_improve(
  const nk_lanes *lanes, float low, float high, const nk_v8 inverse[4], nk_symmetric_fit *fit) {
  nk_v8 xl[4], ll[4];
  nk_symmetric_sums(lanes, low, high, inverse, xl, ll);
  for (int t = 0; t < 4; t++) {
    nk_v8 scale = nk_ratio(xl[t], ll[t]);
    nk_v8 gain = scale * xl[t];
    nk_v8i better = gain > fit->gain;
    fit->scale = better ? scale : fit->scale;
    fit->gain = better ? gain : fit->gain;
  }
}

/// The element of largest magnitude of each lane, with its sign.
NK_INLINE nk_v8 nk_extreme(const nk_lanes *lanes) {
  nk_v8 extreme = lanes->x[0];
  for (int i = 1; i < lanes->length; i++) {
    extreme = nk_abs(lanes->x[i]) > nk_abs(extreme) ? lanes->x[i] : extreme;
  }
  return extreme;
}

/// Tries scales that bring the extreme element to `ends[t]` (a negative or positive level, not whole), four a step,
/// then scales next to the best.
NK_INLINE nk_symmetric_fit nk_symmetric_search(
  const nk_lanes *lanes, float low, float high, const float *ends, int end_count, int refinements) {
  nk_v8 unit = nk_inverse(nk_extreme(lanes));
  nk_symmetric_fit fit = {nk_splat(0.0f), nk_splat(0.0f)};
  for (int first = 0; first < end_count; first += 4) {
    nk_v8 inverse[4];
    for (int t = 0; t < 4; t++) inverse[t] = unit * ends[first + t];
    nk_symmetric_improve(lanes, low, high, inverse, &fit);
  }
  static const float steps[3][4] = {
    {1.0f, 0.985f, 1.015f, 1.03f}, {1.0f, 0.996f, 1.004f, 1.008f}, {1.0f, 0.999f, 1.001f, 1.002f}};
  for (int round = 0; round < refinements; round++) {
    nk_v8 best = nk_inverse(fit.scale), inverse[4];
    for (int t = 0; t < 4; t++) inverse[t] = best * steps[round][t];
    nk_symmetric_improve(lanes, low, high, inverse, &fit);
  }
  return fit;
}

#endif
