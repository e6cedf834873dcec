// The search of the super-block types without offset (Q3_K, Q6_K, IQ4_XS): one f16 scale for 256 elements, times a
// signed integer for each sub-block.
#ifndef NIBBLE_BLOCKS_SUPER_SYMMETRIC_H
#define NIBBLE_BLOCKS_SUPER_SYMMETRIC_H

#include "../include/nk_blocks.h"
#include "coding.h"
#include "settings.h"
#include "weights.h"

/// The levels of one type: integers, or the 4-bit codebook.
typedef struct {
  const nk_symmetric_settings *integers;  // null for the codebook
  const nk_codebook_settings *codebook;
  float sub_low, sub_high;  // levels of a sub-block's scale
  int set_count;            // 1: 8 sub-blocks of 32; 2: 16 of 16
  int rounds;               // refinements of the common scale
} nk_super_symmetric;

/// Sums of w*x*l and w*l*l for four inverse scales.
NK_INLINE void nk_super_sums(
  const nk_super_symmetric *type, const nk_lanes *lanes, const nk_v8 inverse[4], nk_v8 xl[4], nk_v8 ll[4]) {
  if (type->integers) {
    nk_symmetric_sums(lanes, type->integers->low, type->integers->high, inverse, xl, ll);
  } else {
    for (int t = 0; t < 4; t++) nk_codebook_sums(lanes, inverse[t], &xl[t], &ll[t]);
  }
}

/// Chooses each sub-block's integer for the common scale `scale` (the nearest to its own best scale, or a neighbour),
/// and adds up the sums that give the best common scale for these codes.
/// - Returns the gain: what the codes take off the weighted square sum.
NK_INLINE double nk_super_assign(
  const nk_super_symmetric *type, const nk_lanes *sets, const nk_symmetric_fit *fits, float scale, nk_v8 *subs,
  double *xl_sum, double *ll_sum) {
  double gain_sum = 0;
  *xl_sum = *ll_sum = 0;
  float inverse_scale = nk_inverse_scale(scale);
  for (int s = 0; s < type->set_count; s++) {
    nk_v8 middle = nk_round(nk_clamp(fits[s].scale * inverse_scale, type->sub_low, type->sub_high));
    nk_v8 candidates[4], inverse[4], xl[4], ll[4];
    static const float steps[4] = {0, 1, -1, 2};
    for (int t = 0; t < 4; t++) {
      candidates[t] = nk_clamp(middle + steps[t], type->sub_low, type->sub_high);
      inverse[t] = nk_inverse(candidates[t] * scale);
    }
    nk_super_sums(type, &sets[s], inverse, xl, ll);
    nk_v8 gain = nk_splat(-1e30f), best_xl = gain, best_ll = gain, sub = gain;
    for (int t = 0; t < 4; t++) {
      nk_v8 full = candidates[t] * scale;
      nk_v8 this_gain = full * (2.0f * xl[t] - full * ll[t]);
      nk_v8i better = this_gain > gain;
      gain = better ? this_gain : gain;
      best_xl = better ? xl[t] : best_xl;
      best_ll = better ? ll[t] : best_ll;
      sub = better ? candidates[t] : sub;
    }
    subs[s] = sub;
    for (int j = 0; j < NK_LANES; j++) {
      gain_sum += (double)gain[j];
      *xl_sum += (double)sub[j] * (double)best_xl[j];
      *ll_sum += (double)sub[j] * (double)sub[j] * (double)best_ll[j];
    }
  }
  return gain_sum;
}

NK_INLINE void nk_search_super_symmetric(
  const float *values, const float *importance, const nk_super_symmetric *type, const nk_block_parts *out) {
  nk_lanes sets[2];
  nk_symmetric_fit fits[2];
  float evenness = type->integers ? type->integers->evenness : type->codebook->evenness;
  nk_v8 factors = nk_prepare(values, importance, evenness, 1, type->set_count, sets);
  float factor = factors[0], back = 1.0f / factor, extreme = 0.0f;
  for (int s = 0; s < type->set_count; s++) {
    if (type->integers) {
      const nk_symmetric_settings *settings = type->integers;
      fits[s] = nk_symmetric_search(
        &sets[s], settings->low, settings->high, settings->ends, settings->end_count, settings->refinements);
    } else {
      const nk_codebook_settings *settings = type->codebook;
      fits[s] = nk_codebook_search(
        &sets[s], settings->ends, settings->end_count, settings->steps, settings->step_count);
    }
    for (int j = 0; j < NK_LANES; j++) {
      float scale = fits[s].scale[j];
      extreme = __builtin_fabsf(scale) > __builtin_fabsf(extreme) ? scale : extreme;
    }
  }
  // Codes are judged with the common scale that is stored, hence the rounding to f16 and back.
  nk_v8 subs[2] = {nk_splat(0.0f), nk_splat(0.0f)}, trial[2];
  double best = -1e300;
  uint16_t best_bits = 0;
  float scale = extreme / type->sub_low;
  for (int round = 0; round <= type->rounds; round++) {
    uint16_t bits = nk_scale_bits(scale * back);
    double xl, ll;
    double gain = nk_super_assign(type, sets, fits, nk_float_from_half(bits) * factor, trial, &xl, &ll);
    if (gain > best) {
      best = gain;
      best_bits = bits;
      subs[0] = trial[0];
      subs[1] = trial[1];
    }
    if (!(ll > 0)) break;
    scale = (float)(xl / ll);
  }
  out->scales[0] = best_bits;
  float common = nk_float_from_half(best_bits);
  int length = sets[0].length;
  for (int s = 0; s < type->set_count; s++) {
    for (int j = 0; j < NK_LANES; j++) {
      int index = s * NK_LANES + j;
      float sub = subs[s][j];
      float inverse = nk_inverse_scale(common * sub);
      out->sub_scales[index] = (uint8_t)(int)(sub - type->sub_low);
      const float *x = values + index * length;
      if (type->integers) {
        nk_code_symmetric(x, length, inverse, type->integers, out->codes + index * length);
      } else {
        nk_code_codebook(x, length, inverse, out->codes + index * length);
      }
    }
  }
}

static void nk_search_q3_k(const float *values, const float *importance, const nk_block_parts *out) {
  static const nk_super_symmetric type = {&nk_q3_k_settings, 0, -32, 31, 2, 2};
  nk_search_super_symmetric(values, importance, &type, out);
}

static void nk_search_q6_k(const float *values, const float *importance, const nk_block_parts *out) {
  static const nk_super_symmetric type = {&nk_q6_k_settings, 0, -128, 127, 2, 2};
  nk_search_super_symmetric(values, importance, &type, out);
}

static void nk_search_iq4_xs(const float *values, const float *importance, const nk_block_parts *out) {
  static const nk_super_symmetric type = {0, &nk_iq4_settings, -32, 31, 1, 2};
  nk_search_super_symmetric(values, importance, &type, out);
}

#endif
