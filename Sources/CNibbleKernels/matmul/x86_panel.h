// Panels of 16 rows of codes for the micro-kernels of AVX2 and AVX-512. The including file defines NK_WORDS: 1 where 8-bit codes
// become int16 and half scales pairs of them, 0 where 8-bit codes become unsigned and half scales int32.
#ifndef NK_MATMUL_X86_PANEL_H
#define NK_MATMUL_X86_PANEL_H

#include "../shared/panel_shape.h"
#include "x86_scales.h"

NK_X86 nk_shape nk_shape_of(const enum nk_weight_type type) {
  nk_shape shape = {.depth = 8,
                    .has_minimum = nk_has_minimum(type),
                    .has_sub_scales = nk_has_sub_scales(type),
                    .offset = nk_code_offset(type),
                    .has_offsets = nk_has_sub_scales(type) && nk_code_offset(type)};
  switch (type) {
    case NK_WEIGHT_Q5_0:
    case NK_WEIGHT_Q5_1:
    case NK_WEIGHT_Q5_K:
    case NK_WEIGHT_Q3_K:
    case NK_WEIGHT_MXFP4:  // 16 more than twice the numbers, 4 to 28
      shape.depth = 4;
      break;
    case NK_WEIGHT_Q2_K:
      shape.depth = 4;
      shape.has_minimum = shape.has_sub_minimum = 1;
      break;
    case NK_WEIGHT_Q6_K:
      shape.depth = 2;
      break;
    case NK_WEIGHT_Q8_0:
    case NK_WEIGHT_IQ4_NL:
    case NK_WEIGHT_IQ4_XS:
      shape.is_wide = NK_WORDS;
      if (shape.is_wide) shape.offset = 0;
      break;
    default:
      break;
  }
  return shape;
}

NK_X86 void nk_store_codes(__m256i v[8], uint8_t *out) {
  nk_transpose8_words(v);
  for (int step = 0; step < 8; step++) _mm256_store_si256((__m256i *)(out + 64 * step), v[step]);
}

/// The same of signed codes, as int16.
NK_X86 void nk_store_words(const __m256i v[8], uint8_t *out) {
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; half++) {
    __m256i wide[8];
#pragma clang loop unroll(full)
    for (int r = 0; r < 8; r++) {
      wide[r] = _mm256_cvtepi8_epi16(half ? _mm256_extracti128_si256(v[r], 1) : _mm256_castsi256_si128(v[r]));
    }
    nk_store_codes(wide, out + 512 * half);
  }
}

/// Fills rows `half ..< half + 8` of a panel with the rows at p, p + stride ...
NK_X86 void nk_fill_panel(const enum nk_weight_type type, const uint8_t *p, size_t stride, size_t blocks,
                          uint8_t *panel, size_t half) {
  const nk_shape shape = nk_shape_of(type);
  const size_t groups = nk_block_columns(type) / 32, bytes = nk_block_bytes(type);
  uint8_t *out = panel + 4 * half;
  for (size_t b = 0; b < blocks; b += groups) {
    nk_scales8 s;
    nk_scales_of_blocks(type, p, stride, &s);
    for (int g = 0; g < (int)groups; g++) {
      __m256i v[8];
#pragma clang loop unroll(full)
      for (size_t r = 0; r < 8; r++) {
        v[r] = nk_codes32(type, p + r * stride, g);
        if (shape.offset == 128) v[r] = _mm256_xor_si256(v[r], _mm256_set1_epi8((char)128));
      }
      if (shape.is_wide) {
        nk_store_words(v, out);
      } else {
        nk_store_codes(v, out);
      }
      const int shared = shape.has_sub_scales ? 0 : g;
      _mm256_store_ps((float *)(out + nk_scale_at(shape)), _mm256_load_ps(s.scale[shared]));
      if (shape.has_minimum)
        _mm256_store_ps((float *)(out + nk_minimum_at(shape)), _mm256_load_ps(s.minimum[shared]));
      if (shape.has_sub_scales) {
        const __m256i pairs = _mm256_load_si256((const __m256i *)s.sub_scale[g]);
        __m256i *scales = (__m256i *)(out + nk_sub_scale_at(shape));
#if NK_WORDS
        const __m256i first =
            _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13));
        const __m256i second = _mm256_add_epi8(first, _mm256_set1_epi8(2));
        _mm256_store_si256(scales, _mm256_shuffle_epi8(pairs, first));
        _mm256_store_si256(scales + 2, _mm256_shuffle_epi8(pairs, second));
#else
        _mm256_store_si256(scales, _mm256_srai_epi32(_mm256_slli_epi32(pairs, 16), 16));
        _mm256_store_si256(scales + 2, _mm256_srai_epi32(pairs, 16));
#endif
        _mm256_store_si256((__m256i *)(out + nk_sub_offset_at(shape)),
                           shape.has_sub_minimum ? _mm256_load_si256((const __m256i *)s.sub_minimum[g])
                                                 : _mm256_mullo_epi16(pairs, _mm256_set1_epi16((short)shape.offset)));
      }
      out += nk_panel_stride(shape);
    }
    p += bytes;
  }
}

#endif
