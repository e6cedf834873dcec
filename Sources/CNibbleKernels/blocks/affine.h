// The search for a scale and an offset: x ~ scale * l + offset, l an integer in [0, high].
#ifndef NIBBLE_BLOCKS_AFFINE_H
#define NIBBLE_BLOCKS_AFFINE_H

#include "lanes.h"

/// Weighted sums over each lane that do not depend on codes.
typedef struct {
  nk_v8 w, x, xx;
} nk_affine_totals;

NK_INLINE nk_affine_totals nk_affine_total(const nk_lanes *lanes) {
  nk_affine_totals total = {nk_splat(0.0f), nk_splat(0.0f), nk_splat(0.0f)};
  for (int i = 0; i < lanes->length; i++) {
    nk_v8 wx = lanes->w[i] * lanes->x[i];
    total.w += lanes->w[i];
    total.x += wx;
    total.xx += wx * lanes->x[i];
  }
  return total;
}

/// Sums of w*l, w*l*l and w*x*l for l = clamp(round(x * slope + shift)).
typedef struct {
  nk_v8 l, ll, xl;
} nk_affine_sums;

/// Computes the sums of three maps at once.
NK_INLINE void nk_affine_sum(
  const nk_lanes *lanes, float high, const nk_v8 slope[3], const nk_v8 shift[3], nk_affine_sums sums[3]) {
  for (int t = 0; t < 3; t++) sums[t].l = sums[t].ll = sums[t].xl = nk_splat(0.0f);
  for (int i = 0; i < lanes->length; i++) {
    nk_v8 x = lanes->x[i], w = lanes->w[i];
    for (int t = 0; t < 3; t++) {
      nk_v8 l = nk_round(nk_clamp(x * slope[t] + shift[t], 0.0f, high));
      nk_v8 wl = w * l;
      sums[t].l += wl;
      sums[t].ll += wl * l;
      sums[t].xl += wl * x;
    }
  }
}

/// What a scale and an offset take off the weighted square sum of x, given the codes' sums.
NK_INLINE nk_v8 nk_affine_gain(
  const nk_affine_totals *total, const nk_affine_sums *sums, nk_v8 scale, nk_v8 offset) {
  nk_v8 cross = 2.0f * (scale * sums->xl + offset * total->x);
  nk_v8 square = scale * (scale * sums->ll + 2.0f * (offset * sums->l)) + offset * (offset * total->w);
  return cross - square;
}

/// The best scale and offset found so far.
typedef struct {
  nk_v8 scale, offset, gain;
} nk_affine_fit;

/// Fits scale and offset to each map's codes and keeps the best. No offset is above `ceiling`; scales are >= 0.
NK_INLINE void nk_affine_improve(
  const nk_lanes *lanes, const nk_affine_totals *total, float high, nk_v8 ceiling, const nk_v8 slope[3],
  const nk_v8 shift[3], nk_affine_fit *fit) {
  nk_affine_sums sums[3];
  nk_affine_sum(lanes, high, slope, shift, sums);
  for (int t = 0; t < 3; t++) {
    nk_v8 determinant = total->w * sums[t].ll - sums[t].l * sums[t].l;
    determinant = determinant > 1e-6f * (total->w * sums[t].ll) ? determinant : nk_splat(0.0f);
    nk_v8 scale = nk_ratio(total->w * sums[t].xl - total->x * sums[t].l, determinant);
    nk_v8 offset = nk_ratio(total->x - scale * sums[t].l, total->w);
    nk_v8i above = offset > ceiling;
    nk_v8 bound = nk_ratio(sums[t].xl - ceiling * sums[t].l, sums[t].ll);
    scale = above ? bound : scale;
    offset = above ? ceiling : offset;
    nk_v8 gain = nk_affine_gain(total, &sums[t], scale, offset);
    nk_v8i better = (gain > fit->gain) & (scale >= 0.0f);
    fit->scale = better ? scale : fit->scale;
    fit->offset = better ? offset : fit->offset;
    fit->gain = better ? gain : fit->gain;
  }
}

/// A pair of clippings to try: how many levels the ends of the range are moved inwards (or outwards, negative).
typedef struct {
  float low, high;
} nk_clipping;

/// Searches scale and offset of lanes whose smallest value is 0 and whose largest is `range`.
NK_INLINE nk_affine_fit nk_affine_search(
  const nk_lanes *lanes, const nk_affine_totals *total, float high, nk_v8 range, nk_v8 ceiling,
  const nk_clipping *clippings, int clipping_count, int refinements) {
  nk_v8 unit = nk_inverse(range);
  nk_affine_fit fit = {range * (1.0f / high), nk_min(nk_splat(0.0f), ceiling), nk_splat(-1e30f)};
  for (int first = 0; first < clipping_count; first += 3) {
    nk_v8 slope[3], shift[3];
    for (int t = 0; t < 3; t++) {
      nk_clipping c = clippings[first + t];
      slope[t] = unit * (high + c.low + c.high);
      shift[t] = nk_splat(-c.low);
    }
    nk_affine_improve(lanes, total, high, ceiling, slope, shift, &fit);
  }
  static const float steps[3] = {1.0f, 0.985f, 1.015f};
  for (int round = 0; round < refinements; round++) {
    nk_v8 inverse = nk_inverse(fit.scale), middle = nk_splat(0.5f * high), slope[3], shift[3];
    for (int t = 0; t < 3; t++) {
      slope[t] = inverse * steps[t];
      shift[t] = middle + steps[t] * ((0.0f - fit.offset) * inverse - middle);
    }
    nk_affine_improve(lanes, total, high, ceiling, slope, shift, &fit);
  }
  return fit;
}

#endif
