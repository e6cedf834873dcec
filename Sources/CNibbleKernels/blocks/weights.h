// How much an element's error counts in a search: a function of its value, times its column's importance.
#ifndef NIBBLE_BLOCKS_WEIGHTS_H
#define NIBBLE_BLOCKS_WEIGHTS_H

#include "lanes.h"

/// Fills lanes->w from lanes->x: x^2 + evenness * mean x^2 of the sub-block. Evenness 0 cares for large weights above
/// all; a large one gives plain square error.
NK_INLINE void nk_set_weights(nk_lanes *lanes, float evenness) {
  int n = lanes->length;
  nk_v8 squares = nk_splat(0.0f);
  for (int i = 0; i < n; i++) squares += lanes->x[i] * lanes->x[i];
  nk_v8 floor = squares * (evenness / (float)n);
  for (int i = 0; i < n; i++) lanes->w[i] = lanes->x[i] * lanes->x[i] + floor;
}

/// Multiplies the weights by importance, which is first divided by `largest` (as a power of two), so that no sum
/// overflows. No element falls below 2^-12 of the most important one: unimportant is not the same as absent.
NK_INLINE void nk_apply_importance(nk_lanes *lanes, const nk_v8 *importance, nk_v8 largest) {
  nk_v8 factor = nk_normalizer(largest);
  for (int i = 0; i < lanes->length; i++) {
    lanes->w[i] *= nk_max(importance[i] * factor, nk_splat(0x1p-12f));
  }
}

NK_INLINE nk_v8 nk_largest(const nk_v8 *x, int length) {
  nk_v8 largest = nk_splat(0.0f);
  for (int i = 0; i < length; i++) largest = nk_max(largest, nk_abs(x[i]));
  return largest;
}

/// Loads a group of 256 values as `set_count` sets of eight sub-blocks, each brought to a magnitude of about 1, with
/// their weights. Where the sub-blocks are `shared` parts of one block, they get one common factor.
///
/// - `importance`: 256 numbers or null.
/// - Returns the power of two that each lane was multiplied by (with `shared`, the same in all sets).
NK_INLINE nk_v8 nk_prepare(
  const float *values, const float *importance, float evenness, int shared, int set_count, nk_lanes *sets) {
  int length = NK_GROUP / NK_LANES / set_count;
  nk_v8 largest = nk_splat(0.0f), most = nk_splat(0.0f);
  nk_v8 importances[NK_LANE_LENGTH];
  for (int s = 0; s < set_count; s++) {
    sets[s].length = length;
    nk_load_lanes(values + s * NK_LANES * length, length, sets[s].x);
    largest = nk_max(largest, nk_largest(sets[s].x, length));
  }
  if (importance) {
    nk_load_lanes(importance, NK_LANE_LENGTH, importances);
    most = nk_largest(importances, NK_LANE_LENGTH);
  }
  if (shared) {
    largest = nk_across_max(largest);
    most = nk_across_max(most);
  }
  nk_v8 factor = nk_normalizer(largest);
  for (int s = 0; s < set_count; s++) {
    for (int i = 0; i < length; i++) sets[s].x[i] *= factor;
    nk_set_weights(&sets[s], evenness);
    if (importance) {
      if (set_count > 1) nk_load_lanes(importance + s * NK_LANES * length, length, importances);
      nk_apply_importance(&sets[s], importances, most);
    }
  }
  return factor;
}

#endif
