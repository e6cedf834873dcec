// The scales and minima of eight rows' blocks, with AVX2: shared by the AVX2 and the AVX-512 table.
#ifndef NK_MATMUL_X86_SCALES_H
#define NK_MATMUL_X86_SCALES_H

#include "x86_codes.h"

/// Scales of 8 rows' blocks, as [group][row].
typedef struct {
  float scale[8][8] __attribute__((aligned(32)));
  float minimum[8][8] __attribute__((aligned(32)));      // Q2_K: the first row holds minimum_scale
  int32_t sub_scale[8][8] __attribute__((aligned(32)));  // pairs of int16
  int32_t sub_minimum[8][8] __attribute__((aligned(32)));
} nk_scales8;

/// The half floats of 8 rows at p, p + stride ...
NK_X86 __m256 nk_halves8(const uint8_t *p, size_t stride) {
  uint16_t h[8];
#pragma clang loop unroll(full)
  for (size_t r = 0; r < 8; r++) memcpy(&h[r], p + r * stride, 2);
  __m128i v = _mm_cvtsi32_si128(h[0]);
  v = _mm_insert_epi16(v, h[1], 1);
  v = _mm_insert_epi16(v, h[2], 2);
  v = _mm_insert_epi16(v, h[3], 3);
  v = _mm_insert_epi16(v, h[4], 4);
  v = _mm_insert_epi16(v, h[5], 5);
  v = _mm_insert_epi16(v, h[6], 6);
  v = _mm_insert_epi16(v, h[7], 7);
  return _mm256_cvtph_ps(v);
}

/// The scales of MXFP4's 8 rows at p, p + stride ..., as nk_half_of_exponent.
NK_X86 __m256 nk_exponents8(const uint8_t *p, size_t stride) {
  uint8_t bytes[8];
#pragma clang loop unroll(full)
  for (size_t r = 0; r < 8; r++) bytes[r] = p[r * stride];
  const __m256i e = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes));
  const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
  const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
  __m256i bits = _mm256_blendv_epi8(normal, small, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e));
  bits = _mm256_blendv_epi8(bits, _mm256_set1_epi32(0x7FC00000), _mm256_cmpeq_epi32(e, _mm256_set1_epi32(255)));
  return _mm256_castsi256_ps(bits);
}

NK_X86 void nk_transpose8_words(__m256i v[8]) {
  __m256i t[8], u[8];
  for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm256_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
  }
  for (int i = 0; i < 2; i++) {
    for (int j = 0; j < 2; j++) {
      u[4 * i + 2 * j] = _mm256_unpacklo_epi64(t[4 * i + j], t[4 * i + j + 2]);
      u[4 * i + 2 * j + 1] = _mm256_unpackhi_epi64(t[4 * i + j], t[4 * i + j + 2]);
    }
  }
  for (int i = 0; i < 4; i++) {
    v[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
    v[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
  }
}

/// Stores 8 vectors of 8 groups as [group][row].
NK_X86 void nk_store_transposed(__m256i v[8], void *out) {
  nk_transpose8_words(v);
  for (int b = 0; b < 8; b++) _mm256_store_si256((__m256i *)out + b, v[b]);
}

/// The halves that are the low or (`high`) high 16 bits of 8 words, as floats.
NK_X86 __m256 nk_halves_of_words(__m256i words, const int high) {
  words = high ? _mm256_srli_epi32(words, 16) : _mm256_and_si256(words, _mm256_set1_epi32(0xFFFF));
  return _mm256_cvtph_ps(_mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}

/// The first four words of 8 rows at p, p + stride ...: word k of each row, in the order of the rows.
NK_X86 void nk_words_of_rows(const uint8_t *p, size_t stride, __m256i words[4]) {
  __m256i rows[4], low[2], high[2];
  for (size_t r = 0; r < 4; r++) {
    rows[r] = _mm256_inserti128_si256(_mm256_castsi128_si256(nk_load128(p + r * stride)), nk_load128(p + (r + 4) * stride), 1);
  }
  for (int i = 0; i < 2; i++) {
    low[i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
    high[i] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
  }
  words[0] = _mm256_unpacklo_epi64(low[0], low[1]);
  words[1] = _mm256_unpackhi_epi64(low[0], low[1]);
  words[2] = _mm256_unpacklo_epi64(high[0], high[1]);
  words[3] = _mm256_unpackhi_epi64(high[0], high[1]);
}

/// The scales and minima of Q4_K and Q5_K, whose blocks begin with two halves and nk_six_bit_scales' 12 bytes: all 8 rows at once.
NK_X86 void nk_six_bit_scales_of_blocks(const uint8_t *p, size_t stride, nk_scales8 *s) {
  __m256i head[4];
  nk_words_of_rows(p, stride, head);
  const __m256i halves = head[0], a = head[1], b = head[2], c = head[3];
  const __m256i six = _mm256_set1_epi8(0x3F), four = _mm256_set1_epi8(0x0F), two = _mm256_set1_epi8(0x30);
  const __m256i words[4] = {
      _mm256_and_si256(a, six),
      _mm256_or_si256(_mm256_and_si256(c, four), _mm256_and_si256(_mm256_srli_epi32(a, 2), two)),
      _mm256_and_si256(b, six),
      _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(c, 4), four), _mm256_and_si256(_mm256_srli_epi32(b, 2), two))};
  const __m256 scale = nk_halves_of_words(halves, 0);
  const __m256 minimum = _mm256_xor_ps(nk_halves_of_words(halves, 1), _mm256_set1_ps(-0.0f));
#pragma clang loop unroll(full)
  for (int g = 0; g < 8; g++) {
#pragma clang loop unroll(full)
    for (int k = 0; k < 2; k++) {
      const __m256i byte = _mm256_and_si256(_mm256_srli_epi32(words[2 * k + g / 4], 8 * (g % 4)), _mm256_set1_epi32(0xFF));
      _mm256_store_ps(k ? s->minimum[g] : s->scale[g], _mm256_mul_ps(_mm256_cvtepi32_ps(byte), k ? minimum : scale));
    }
  }
}

/// The scales of IQ4_XS, whose blocks begin with a half, 8 high pairs of bits and 8 low nibbles (nk_iq4_xs_scales).
NK_X86 void nk_iq4_xs_scales_of_blocks(const uint8_t *p, size_t stride, nk_scales8 *s) {
  __m256i head[4];
  nk_words_of_rows(p, stride, head);
  const __m256 scale = nk_halves_of_words(head[0], 0);
#pragma clang loop unroll(full)
  for (int g = 0; g < 8; g++) {
    const __m256i low = _mm256_and_si256(_mm256_srli_epi32(head[1], 4 * g), _mm256_set1_epi32(15));
    const __m256i high = _mm256_and_si256(_mm256_srli_epi32(head[0], 16 + 2 * g), _mm256_set1_epi32(3));
    const __m256i six = _mm256_or_si256(low, _mm256_slli_epi32(high, 4));
    _mm256_store_ps(s->scale[g], _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(six, _mm256_set1_epi32(32))), scale));
  }
}

/// The halves' scales of Q3_K, 12 bytes at 96 of a block (nk_q3_scales), as pairs.
NK_X86 void nk_q3_scales_of_blocks(const uint8_t *p, size_t stride, nk_scales8 *s) {
  __m256i head[4];
  nk_words_of_rows(p + 92, stride, head);
  const __m256i a = head[1], b = head[2], c = head[3];
  const __m256i four = _mm256_set1_epi8(0x0F), two = _mm256_set1_epi8(0x30);
  const __m256i words[4] = {
      _mm256_or_si256(_mm256_and_si256(a, four), _mm256_and_si256(_mm256_slli_epi32(c, 4), two)),
      _mm256_or_si256(_mm256_and_si256(b, four), _mm256_and_si256(_mm256_slli_epi32(c, 2), two)),
      _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(a, 4), four), _mm256_and_si256(c, two)),
      _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(b, 4), four), _mm256_and_si256(_mm256_srli_epi32(c, 2), two))};
#pragma clang loop unroll(full)
  for (int g = 0; g < 8; g++) {
    const __m256i first = _mm256_and_si256(_mm256_srli_epi32(words[g / 2], 16 * (g % 2)), _mm256_set1_epi32(0xFF));
    const __m256i second = _mm256_and_si256(g % 2 ? _mm256_srli_epi32(words[g / 2], 8) : _mm256_slli_epi32(words[g / 2], 8),
                                            _mm256_set1_epi32(0xFF0000));
    _mm256_store_si256((__m256i *)s->sub_scale[g], _mm256_sub_epi16(_mm256_or_si256(first, second), _mm256_set1_epi16(32)));
  }
}

/// Fills what the type has of `s` for the blocks of 8 rows at p, p + stride ...
NK_X86 void nk_scales_of_blocks(const enum nk_weight_type type, const uint8_t *p, size_t stride, nk_scales8 *s) {
  __m256i v[8], m[8];
  switch (type) {
    case NK_WEIGHT_Q4_1:
    case NK_WEIGHT_Q5_1:
      _mm256_store_ps(s->minimum[0], nk_halves8(p + 2, stride));
      _mm256_store_ps(s->scale[0], nk_halves8(p, stride));
      return;
    case NK_WEIGHT_Q4_K:
    case NK_WEIGHT_Q5_K: nk_six_bit_scales_of_blocks(p, stride, s); return;
    case NK_WEIGHT_IQ4_XS: nk_iq4_xs_scales_of_blocks(p, stride, s); return;
    case NK_WEIGHT_Q2_K:
      for (size_t r = 0; r < 8; r++) {
        __m128i packed = nk_load128(p + r * stride), low = _mm_set1_epi8(15);
        v[r] = _mm256_cvtepu8_epi16(_mm_and_si128(packed, low));
        m[r] = _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(packed, 4), low));
      }
      nk_store_transposed(v, s->sub_scale);
      nk_store_transposed(m, s->sub_minimum);
      _mm256_store_ps(s->scale[0], nk_halves8(p + 80, stride));
      _mm256_store_ps(s->minimum[0], _mm256_xor_ps(nk_halves8(p + 82, stride), _mm256_set1_ps(-0.0f)));
      return;
    case NK_WEIGHT_Q3_K:
      nk_q3_scales_of_blocks(p, stride, s);
      _mm256_store_ps(s->scale[0], nk_halves8(p + 108, stride));
      return;
    case NK_WEIGHT_Q6_K:
      for (size_t r = 0; r < 8; r++) v[r] = _mm256_cvtepi8_epi16(nk_load128(p + r * stride + 192));
      nk_store_transposed(v, s->sub_scale);
      _mm256_store_ps(s->scale[0], nk_halves8(p + 208, stride));
      return;
    case NK_WEIGHT_MXFP4: _mm256_store_ps(s->scale[0], nk_exponents8(p, stride)); return;
    default:
      _mm256_store_ps(s->scale[0], nk_halves8(p, stride));
  }
}

#endif
