// The search of the super-block types with offsets (Q2_K, Q4_K, Q5_K): an f16 scale and an f16 offset for 256 elements,
// each times an unsigned integer for each sub-block. Offsets are never positive.
#ifndef NIBBLE_BLOCKS_SUPER_AFFINE_H
#define NIBBLE_BLOCKS_SUPER_AFFINE_H

#include "../include/nk_blocks.h"
#include "coding.h"
#include "settings.h"
#include "weights.h"

typedef struct {
  const nk_affine_settings *settings;
  float sub_high;  // highest level of the sub-blocks' scales and offsets
  int set_count;   // 1: 8 sub-blocks of 32; 2: 16 of 16
  int rounds;      // refinements of the common scale and offset
} nk_super_affine;

/// Eight sub-blocks, shifted so that the smallest value of each (or zero, if that is smaller) is zero.
typedef struct {
  nk_lanes lanes;
  nk_affine_totals total;
  nk_v8 low;  // what was subtracted, <= 0
  nk_affine_fit fit;
} nk_affine_set;

/// The normal equations of the common scale d and the common minimum m: x ~ d * sub_scale * l - m * sub_offset.
typedef struct {
  double dd, dm, mm, dx, mx;
} nk_affine_equations;

/// Chooses each sub-block's two integers for the common scale and minimum: the nearest to its own best, or neighbours.
/// - Returns the gain: what the codes take off the weighted square sum.
NK_INLINE double nk_super_affine_assign(
  const nk_super_affine *type, const nk_affine_set *sets, float scale, float minimum, nk_v8 *sub_scales,
  nk_v8 *sub_offsets, nk_affine_equations *equations) {
  float high = type->settings->high, sub_high = type->sub_high;
  float inverse_scale = nk_inverse_scale(scale), inverse_minimum = nk_inverse_scale(minimum);
  double gain_sum = 0;
  *equations = (nk_affine_equations){0, 0, 0, 0, 0};
  for (int s = 0; s < type->set_count; s++) {
    const nk_affine_set *set = &sets[s];
    nk_v8 middle = nk_round(nk_clamp(set->fit.scale * inverse_scale, 0.0f, sub_high));
    nk_v8 bottom = (0.0f - set->low - set->fit.offset) * inverse_minimum;
    bottom = nk_round(nk_clamp(bottom, 0.0f, sub_high));
    nk_v8 best = nk_splat(-1e30f), best_scale = middle, best_offset = bottom;
    nk_affine_sums best_sums = {best, best, best};
    for (int a = -1; a <= 1; a++) {
      nk_v8 sub_scale = nk_clamp(middle + (float)a, 0.0f, sub_high);
      nk_v8 full = sub_scale * scale, inverse = nk_inverse(full);
      nk_v8 slope[3], shift[3], offsets[3], fulls[3];
      nk_affine_sums sums[3];
      for (int t = 0; t < 3; t++) {
        offsets[t] = nk_clamp(bottom + (float)(t - 1), 0.0f, sub_high);
        fulls[t] = 0.0f - offsets[t] * minimum - set->low;
        slope[t] = inverse;
        shift[t] = (0.0f - fulls[t]) * inverse;
      }
      nk_affine_sum(&set->lanes, high, slope, shift, sums);
      for (int t = 0; t < 3; t++) {
        nk_v8 gain = nk_affine_gain(&set->total, &sums[t], full, fulls[t]);
        nk_v8i better = gain > best;
        best = better ? gain : best;
        best_scale = better ? sub_scale : best_scale;
        best_offset = better ? offsets[t] : best_offset;
        best_sums.l = better ? sums[t].l : best_sums.l;
        best_sums.ll = better ? sums[t].ll : best_sums.ll;
        best_sums.xl = better ? sums[t].xl : best_sums.xl;
      }
    }
    sub_scales[s] = best_scale;
    sub_offsets[s] = best_offset;
    nk_v8 xl = best_sums.xl + set->low * best_sums.l, x = set->total.x + set->low * set->total.w;
    for (int j = 0; j < NK_LANES; j++) {
      double sub_scale = (double)best_scale[j], sub_offset = (double)best_offset[j];
      gain_sum += (double)best[j];
      equations->dd += sub_scale * sub_scale * (double)best_sums.ll[j];
      equations->dm += sub_scale * sub_offset * (double)best_sums.l[j];
      equations->mm += sub_offset * sub_offset * (double)set->total.w[j];
      equations->dx += sub_scale * (double)xl[j];
      equations->mx += sub_offset * (double)x[j];
    }
  }
  return gain_sum;
}

/// Solves the normal equations; keeps `minimum` where they are singular or their solution is not positive.
NK_INLINE void nk_affine_solve(const nk_affine_equations *e, float *scale, float *minimum) {
  double determinant = e->dd * e->mm - e->dm * e->dm;
  if (determinant > 1e-9 * e->dd * e->mm) {
    double m = (e->dx * e->dm - e->mx * e->dd) / determinant;
    double d = (e->dx * e->mm - e->mx * e->dm) / determinant;
    if (m > 0 && d > 0) {
      *minimum = (float)m;
      *scale = (float)d;
      return;
    }
  }
  if (e->dd > 0) {
    double d = (e->dx + (double)*minimum * e->dm) / e->dd;
    if (d > 0) *scale = (float)d;
  }
}

NK_INLINE void nk_search_super_affine(
  const float *values, const float *importance, const nk_super_affine *type, const nk_block_parts *out) {
  const nk_affine_settings *settings = type->settings;
  nk_lanes lanes[2];
  nk_affine_set sets[2];
  nk_v8 factors = nk_prepare(values, importance, settings->evenness, 1, type->set_count, lanes);
  float factor = factors[0], back = 1.0f / factor, scale = 0.0f, minimum = 0.0f;
  for (int s = 0; s < type->set_count; s++) {
    nk_affine_set *set = &sets[s];
    nk_v8 high;
    set->lanes = lanes[s];
    nk_bounds(set->lanes.x, set->lanes.length, &set->low, &high);
    set->low = nk_min(set->low, nk_splat(0.0f));
    for (int i = 0; i < set->lanes.length; i++) set->lanes.x[i] -= set->low;
    set->total = nk_affine_total(&set->lanes);
    set->fit = nk_affine_search(
      &set->lanes, &set->total, settings->high, high - set->low, 0.0f - set->low, settings->clippings,
      settings->clipping_count, settings->refinements);
    for (int j = 0; j < NK_LANES; j++) {
      float sub_scale = set->fit.scale[j], sub_minimum = 0.0f - set->low[j] - set->fit.offset[j];
      scale = sub_scale > scale ? sub_scale : scale;
      minimum = sub_minimum > minimum ? sub_minimum : minimum;
    }
  }
  scale /= type->sub_high;
  minimum /= type->sub_high;
  // Codes are judged with the common numbers that are stored, hence the rounding to f16 and back.
  nk_v8 sub_scales[2], sub_offsets[2], trial_scales[2], trial_offsets[2];
  double best = -1e300;
  uint16_t best_scale = 0, best_minimum = 0;
  for (int round = 0; round <= type->rounds; round++) {
    uint16_t scale_bits = nk_scale_bits(scale * back), minimum_bits = nk_scale_bits(minimum * back);
    nk_affine_equations equations;
    double gain = nk_super_affine_assign(
      type, sets, nk_float_from_half(scale_bits) * factor, nk_float_from_half(minimum_bits) * factor, trial_scales,
      trial_offsets, &equations);
    if (round == 0 || gain > best) {
      best = gain;
      best_scale = scale_bits;
      best_minimum = minimum_bits;
      for (int s = 0; s < type->set_count; s++) {
        sub_scales[s] = trial_scales[s];
        sub_offsets[s] = trial_offsets[s];
      }
    }
    nk_affine_solve(&equations, &scale, &minimum);
  }
  out->scales[0] = best_scale;
  out->offsets[0] = best_minimum ^ 0x8000;
  float common_scale = nk_float_from_half(best_scale), common_minimum = nk_float_from_half(best_minimum);
  int length = lanes[0].length;
  for (int s = 0; s < type->set_count; s++) {
    for (int j = 0; j < NK_LANES; j++) {
      int index = s * NK_LANES + j;
      float sub_scale = sub_scales[s][j], sub_offset = sub_offsets[s][j];
      out->sub_scales[index] = (uint8_t)sub_scale;
      out->sub_offsets[index] = (uint8_t)sub_offset;
      nk_code_affine(
        values + index * length, length, nk_inverse_scale(common_scale * sub_scale), 0.0f - common_minimum * sub_offset,
        settings->high, out->codes + index * length);
    }
  }
}

static void nk_search_q2_k(const float *values, const float *importance, const nk_block_parts *out) {
  static const nk_super_affine type = {&nk_q2_k_settings, 15, 2, 2};
  nk_search_super_affine(values, importance, &type, out);
}

static void nk_search_q4_k(const float *values, const float *importance, const nk_block_parts *out) {
  static const nk_super_affine type = {&nk_q4_k_settings, 63, 1, 1};
  nk_search_super_affine(values, importance, &type, out);
}

static void nk_search_q5_k(const float *values, const float *importance, const nk_block_parts *out) {
  static const nk_super_affine type = {&nk_q5_k_settings, 63, 1, 1};
  nk_search_super_affine(values, importance, &type, out);
}

#endif
