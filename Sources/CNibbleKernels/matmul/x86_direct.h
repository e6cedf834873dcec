// One activation row times 8 weight rows, straight from the packed bytes: what generation spends its time on. The
// including file defines nk_dot32, the products of 32 codes as 8 sums of int32, and NK_NARROW: 1 where sums of products of small codes
// stay in 16 bits as long as these hold them, 0 where nk_dot32 widens for nothing.
#ifndef NK_MATMUL_X86_DIRECT_H
#define NK_MATMUL_X86_DIRECT_H

#include "x86_scales.h"

NK_X86 __m256i nk_pair_sums32(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}

NK_X86 __m256i nk_pair_sums64(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}

/// The sums of 8 vectors of 8, in order.
NK_X86 __m256i nk_sums8(const __m256i v[8]) {
  __m256i t[4], u[2];
  for (int i = 0; i < 4; i++) t[i] = nk_pair_sums32(v[2 * i], v[2 * i + 1]);
  for (int i = 0; i < 2; i++) u[i] = nk_pair_sums64(t[2 * i], t[2 * i + 1]);
  return _mm256_add_epi32(_mm256_permute2x128_si256(u[0], u[1], 0x20), _mm256_permute2x128_si256(u[0], u[1], 0x31));
}

/// The sums of 8 vectors of 16 that are int16, in order: `levels` of the three rounds of sums are still within 16 bits.
NK_X86 __m256i nk_narrow_sums8(const __m256i v[8], const int levels) {
  const __m256i one = _mm256_set1_epi16(1);
  __m256i t[4], u[2];
  for (int i = 0; i < 4; i++)
    t[i] = _mm256_add_epi16(_mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]), _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
  for (int i = 0; i < 2; i++)
    u[i] = _mm256_add_epi16(_mm256_unpacklo_epi64(t[2 * i], t[2 * i + 1]), _mm256_unpackhi_epi64(t[2 * i], t[2 * i + 1]));
  const __m256i first = _mm256_permute2x128_si256(u[0], u[1], 0x20), second = _mm256_permute2x128_si256(u[0], u[1], 0x31);
  if (levels == 3) return _mm256_madd_epi16(_mm256_add_epi16(first, second), one);
  return _mm256_add_epi32(_mm256_madd_epi16(first, one), _mm256_madd_epi16(second, one));
}

/// How many rounds of nk_narrow_sums8 16 bits hold: three for codes up to 15, two for codes up to 31; 0 where there is no such sum.
NK_X86 int nk_narrow_levels(const enum nk_weight_type type) {
  switch (type) {
    case NK_WEIGHT_Q4_0:
    case NK_WEIGHT_Q4_1:
    case NK_WEIGHT_Q4_K: return 3 * NK_NARROW;
    case NK_WEIGHT_Q5_0:
    case NK_WEIGHT_Q5_1:
    case NK_WEIGHT_Q5_K:
    case NK_WEIGHT_MXFP4: return 2 * NK_NARROW;
    default: return 0;
  }
}

/// The sums of 8 vectors of 16 that are int16, in order, each half of 8 times its scale of the pair in `scales`: `levels` of the first
/// two rounds of sums are still within 16 bits.
NK_X86 __m256i nk_scaled_sums8(const __m256i v[8], const int levels, const __m256i scales) {
  const __m256i one = _mm256_set1_epi16(1);
  __m256i t[4], u[2];
  for (int i = 0; i < 4; i++) {
    t[i] = _mm256_add_epi16(_mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]), _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
    if (levels == 1) t[i] = _mm256_madd_epi16(t[i], one);
  }
  for (int i = 0; i < 2; i++) {
    const __m256i a = _mm256_unpacklo_epi64(t[2 * i], t[2 * i + 1]), b = _mm256_unpackhi_epi64(t[2 * i], t[2 * i + 1]);
    u[i] = levels == 1 ? _mm256_add_epi32(a, b) : _mm256_madd_epi16(_mm256_add_epi16(a, b), one);
  }
  // A register's lower half holds the sums of columns 0 to 15.
  const __m256i first = _mm256_permute2x128_si256(u[0], u[1], 0x20), second = _mm256_permute2x128_si256(u[0], u[1], 0x31);
  return _mm256_add_epi32(_mm256_mullo_epi32(first, _mm256_srai_epi32(_mm256_slli_epi32(scales, 16), 16)),
                          _mm256_mullo_epi32(second, _mm256_srai_epi32(scales, 16)));
}

/// Adds group `b` of 8 rows (blocks at p, p + stride ...) times activation block `block` to `sum`.
NK_X86 __m256 nk_direct_group(const enum nk_weight_type type, const uint8_t *p, size_t stride, const int b,
                              const nk_scales8 *s, const nk_activations *x, size_t block, __m256 sum) {
  const int has_sub_scales = nk_has_sub_scales(type), offset = nk_code_offset(type), levels = nk_narrow_levels(type);
  __m256i codes = nk_load256(x->codes + 32 * block), v[8];
#pragma clang loop unroll(full)
  for (size_t r = 0; r < 8; r++) {
    const __m256i weights = nk_codes32(type, p + r * stride, b);
    v[r] = levels || has_sub_scales ? _mm256_maddubs_epi16(weights, codes) : nk_dot32(type, weights, codes);
  }
  __m256i total, pair = _mm256_set1_epi32(nk_pair_at(x->half_sums, block));
  if (has_sub_scales) {
    total = nk_scaled_sums8(v, type == NK_WEIGHT_Q6_K ? 1 : 2, _mm256_load_si256((const __m256i *)s->sub_scale[b]));
  } else {
    total = levels ? nk_narrow_sums8(v, levels) : nk_sums8(v);
  }
  if (has_sub_scales && offset) {
    __m256i scales = _mm256_load_si256((const __m256i *)s->sub_scale[b]);
    __m256i offsets = _mm256_mullo_epi16(scales, _mm256_set1_epi16((short)offset));
    total = _mm256_sub_epi32(total, _mm256_madd_epi16(offsets, pair));
  } else if (offset && offset < 128) {
    total = _mm256_sub_epi32(total, _mm256_madd_epi16(_mm256_set1_epi16((short)offset), pair));
  }
  __m256 scale = _mm256_set1_ps(x->scales[block]);
  const int g = has_sub_scales ? 0 : b;
  __m256 factor = _mm256_mul_ps(_mm256_load_ps(s->scale[g]), scale);
  sum = _mm256_fmadd_ps(factor, _mm256_cvtepi32_ps(total), sum);
  if (nk_has_minimum(type))
    sum = _mm256_fmadd_ps(_mm256_load_ps(s->minimum[b]), _mm256_set1_ps(x->sums[block]), sum);
  if (type == NK_WEIGHT_Q2_K) {
    __m256i minima = _mm256_madd_epi16(_mm256_load_si256((const __m256i *)s->sub_minimum[b]), pair);
    sum = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_load_ps(s->minimum[0]), scale), _mm256_cvtepi32_ps(minima), sum);
  }
  return sum;
}

/// y[8] for activation row `i` and 8 weight rows that begin at `p`.
NK_X86 void nk_direct8(const enum nk_weight_type type, const uint8_t *p, size_t stride, const nk_activations *x,
                       size_t i, float *y) {
  const size_t groups = nk_block_columns(type) / 32, bytes = nk_block_bytes(type), blocks = x->columns / 32;
  __m256 sum = _mm256_setzero_ps();
  // The rows are read side by side, which hides from the processor that memory is read in order: name the next rows.
  const uint8_t *ahead = p + 8 * stride;
  for (size_t b = 0; b < blocks; b += groups) {
    for (size_t k = 0; k < 8 * bytes; k += 64) __builtin_prefetch(ahead + k);
    nk_scales8 s;
    nk_scales_of_blocks(type, p, stride, &s);
    if (groups == 1) {
      sum = nk_direct_group(type, p, stride, 0, &s, x, i * blocks + b, sum);
    } else {
      // Unrolled, so that shifts by the group's number are immediate.
#pragma clang loop unroll(full)
      for (int g = 0; g < 8; g++) sum = nk_direct_group(type, p, stride, g, &s, x, i * blocks + b + (size_t)g, sum);
    }
    p += bytes;
    ahead += 8 * bytes;
  }
  _mm256_storeu_ps(y, sum);
}

#endif
