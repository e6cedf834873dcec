// The search of the types whose blocks are 32 elements with one scale each: eight blocks at a time, one a lane.
#ifndef NIBBLE_BLOCKS_LEGACY_H
#define NIBBLE_BLOCKS_LEGACY_H

#include "../include/nk_blocks.h"
#include "affine.h"
#include "codebook.h"
#include "coding.h"
#include "settings.h"
#include "weights.h"

/// Symmetric types: codes are l - low, l in [lowest, high].
NK_INLINE void nk_search_symmetric32(
  const float *values, const float *importance, const nk_symmetric_settings *settings, const nk_block_parts *out) {
  nk_lanes lanes;
  nk_v8 factor = nk_prepare(values, importance, settings->evenness, 0, 1, &lanes);
  nk_symmetric_fit fit = nk_symmetric_search(
    &lanes, settings->low, settings->high, settings->ends, settings->end_count, settings->refinements);
  nk_v8 scale = fit.scale * nk_denormalizer(factor);
  for (int j = 0; j < NK_LANES; j++) {
    out->scales[j] = nk_scale_bits(scale[j]);
    float inverse = nk_inverse_scale(nk_float_from_half(out->scales[j]));
    nk_code_symmetric(values + 32 * j, 32, inverse, settings, out->codes + 32 * j);
  }
}

static void nk_search_q4_0(const float *values, const float *importance, const nk_block_parts *out) {
  nk_search_symmetric32(values, importance, &nk_q4_0_settings, out);
}

static void nk_search_q5_0(const float *values, const float *importance, const nk_block_parts *out) {
  nk_search_symmetric32(values, importance, &nk_q5_0_settings, out);
}

static void nk_search_q8_0(const float *values, const float *importance, const nk_block_parts *out) {
  nk_search_symmetric32(values, importance, &nk_q8_0_settings, out);
}

/// Types with a scale and a free offset.
NK_INLINE void nk_search_affine32(
  const float *values, const float *importance, const nk_affine_settings *settings, const nk_block_parts *out) {
  nk_lanes lanes;
  nk_v8 factor = nk_prepare(values, importance, settings->evenness, 0, 1, &lanes);
  nk_v8 low, high;
  nk_bounds(lanes.x, 32, &low, &high);
  for (int i = 0; i < 32; i++) lanes.x[i] -= low;
  nk_affine_totals total = nk_affine_total(&lanes);
  nk_affine_fit fit = nk_affine_search(
    &lanes, &total, settings->high, high - low, nk_splat(1e9f), settings->clippings, settings->clipping_count,
    settings->refinements);
  nk_v8 back = nk_denormalizer(factor);
  nk_v8 scale = fit.scale * back, offset = (fit.offset + low) * back;
  for (int j = 0; j < NK_LANES; j++) {
    out->scales[j] = nk_scale_bits(scale[j]);
    out->offsets[j] = nk_half_bits(offset[j]);
    float inverse = nk_inverse_scale(nk_float_from_half(out->scales[j]));
    nk_code_affine(
      values + 32 * j, 32, inverse, nk_float_from_half(out->offsets[j]), settings->high, out->codes + 32 * j);
  }
}

static void nk_search_q4_1(const float *values, const float *importance, const nk_block_parts *out) {
  nk_search_affine32(values, importance, &nk_q4_1_settings, out);
}

static void nk_search_q5_1(const float *values, const float *importance, const nk_block_parts *out) {
  nk_search_affine32(values, importance, &nk_q5_1_settings, out);
}

static void nk_search_iq4_nl(const float *values, const float *importance, const nk_block_parts *out) {
  const nk_codebook_settings *settings = &nk_iq4_settings;
  nk_lanes lanes;
  nk_v8 factor = nk_prepare(values, importance, settings->evenness, 0, 1, &lanes);
  nk_symmetric_fit fit = nk_codebook_search(
    &lanes, settings->ends, settings->end_count, settings->steps, settings->step_count);
  nk_v8 scale = fit.scale * nk_denormalizer(factor);
  for (int j = 0; j < NK_LANES; j++) {
    out->scales[j] = nk_half_bits(scale[j]);  // may be zero: the codebook has no level 0
    float inverse = nk_inverse_scale(nk_float_from_half(out->scales[j]));
    nk_code_codebook(values + 32 * j, 32, inverse, out->codes + 32 * j);
  }
}

#endif
