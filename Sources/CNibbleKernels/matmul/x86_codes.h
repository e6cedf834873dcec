// Packed weights and activations to vectors of codes, with AVX2: shared by the AVX2 and the AVX-512 table.
#ifndef NK_MATMUL_X86_CODES_H
#define NK_MATMUL_X86_CODES_H

#include "../shared/panel_shape.h"
#include "groups.h"

#define NK_X86 static inline __attribute__((always_inline))

NK_X86 __m128i nk_load128(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
NK_X86 __m256i nk_load256(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

/// 16 bytes to 32 codes: the low nibbles, then the high nibbles.
NK_X86 __m256i nk_nibbles(const uint8_t *p) {
  __m256i bytes = _mm256_broadcastsi128_si256(nk_load128(p));
  bytes = _mm256_srlv_epi64(bytes, _mm256_setr_epi64x(0, 0, 4, 4));
  return _mm256_and_si256(bytes, _mm256_set1_epi8(15));
}

/// 32 bits to 32 bytes: 16 where the bit is set.
NK_X86 __m256i nk_fifth_bits(const uint8_t *p) {
  int32_t bits;
  memcpy(&bits, p, 4);
  __m256i spread = _mm256_shuffle_epi8(
      _mm256_set1_epi32(bits),
      _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
  __m256i masks = _mm256_set1_epi64x((long long)0x8040201008040201);
  spread = _mm256_cmpeq_epi8(_mm256_and_si256(spread, masks), masks);
  return _mm256_and_si256(spread, _mm256_set1_epi8(16));
}

/// Bytes shifted right by `count` (the same for all), masked.
NK_X86 __m256i nk_shifted(__m256i bytes, int count, int mask) {
  return _mm256_and_si256(_mm256_srl_epi16(bytes, _mm_cvtsi32_si128(count)), _mm256_set1_epi8((char)mask));
}

/// The 32 codes of group `b` of the block at `p`: unsigned (offset added), but signed for the 8-bit types.
NK_X86 __m256i nk_codes32(const enum nk_weight_type type, const uint8_t *p, const int b) {
  const int h = b / 4, k = b % 4;
  switch (type) {
    case NK_WEIGHT_Q4_0: return nk_nibbles(p + 2);
    case NK_WEIGHT_Q4_1: return nk_nibbles(p + 4);
    case NK_WEIGHT_Q5_0: return _mm256_or_si256(nk_nibbles(p + 6), nk_fifth_bits(p + 2));
    case NK_WEIGHT_Q5_1: return _mm256_or_si256(nk_nibbles(p + 8), nk_fifth_bits(p + 4));
    case NK_WEIGHT_Q8_0: return nk_load256(p + 2);
    case NK_WEIGHT_IQ4_NL:
    case NK_WEIGHT_IQ4_XS: {
      __m256i values = _mm256_broadcastsi128_si256(nk_load128(nk_iq4_values));
      return _mm256_shuffle_epi8(values, nk_nibbles(type == NK_WEIGHT_IQ4_NL ? p + 2 : p + 8 + 16 * b));
    }
    case NK_WEIGHT_MXFP4: {
      const __m256i doubles = _mm256_broadcastsi128_si256(nk_load128(nk_e2m1_doubles));
      return _mm256_add_epi8(_mm256_shuffle_epi8(doubles, nk_nibbles(p + 1)), _mm256_set1_epi8(16));
    }
    case NK_WEIGHT_Q2_K: return nk_shifted(nk_load256(p + 16 + 32 * h), 2 * k, 3);
    case NK_WEIGHT_Q3_K: {
      __m256i low = nk_shifted(nk_load256(p + 32 + 32 * h), 2 * k, 3);
      __m256i high = b < 2 ? _mm256_sll_epi16(nk_load256(p), _mm_cvtsi32_si128(2 - b))
                           : _mm256_srl_epi16(nk_load256(p), _mm_cvtsi32_si128(b - 2));
      return _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(4)));
    }
    case NK_WEIGHT_Q4_K: return nk_shifted(nk_load256(p + 16 + 32 * (b / 2)), 4 * (b % 2), 15);
    case NK_WEIGHT_Q5_K: {
      __m256i low = nk_shifted(nk_load256(p + 48 + 32 * (b / 2)), 4 * (b % 2), 15);
      __m256i high = b < 4 ? _mm256_sll_epi16(nk_load256(p + 16), _mm_cvtsi32_si128(4 - b))
                           : _mm256_srl_epi16(nk_load256(p + 16), _mm_cvtsi32_si128(b - 4));
      return _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(16)));
    }
    case NK_WEIGHT_Q6_K: {
      __m256i low = nk_shifted(nk_load256(p + 64 * h + 32 * (k % 2)), 4 * (k / 2), 15);
      __m256i high = nk_load256(p + 128 + 32 * h);
      high = k < 2 ? _mm256_sll_epi16(high, _mm_cvtsi32_si128(4 - 2 * k))
                   : _mm256_srl_epi16(high, _mm_cvtsi32_si128(2 * k - 4));
      return _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(48)));
    }
    default: return _mm256_setzero_si256();
  }
}

/// Activation rows `first ..< first + count` to codes, scales and sums (nk_matmul.h).
static void nk_quantize_x86(const nk_activations *x, size_t first, size_t count) {
  size_t blocks = x->columns / 32;
  const __m256i absolute = _mm256_set1_epi32(0x7FFFFFFF);
  for (size_t b = first * blocks; b < (first + count) * blocks; b++) {
    __m256 v[4];
    __m256i largest = _mm256_setzero_si256();
    for (int i = 0; i < 4; i++) {
      v[i] = _mm256_loadu_ps(x->values + 32 * b + 8 * i);
      largest = _mm256_max_epi32(largest, _mm256_and_si256(_mm256_castps_si256(v[i]), absolute));
    }
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xB1));
    uint32_t bits = (uint32_t)_mm_cvtsi128_si32(half);
    float maximum = nk_float_from_bits(bits);
    int is_zero = maximum < 0x1p-100f, is_finite = bits < 0x7F800000;
    __m256 inverse = _mm256_set1_ps(is_zero || !is_finite ? 0 : 127 / maximum);
    __m256i q[4];
    for (int i = 0; i < 4; i++) {
      if (!is_finite) v[i] = _mm256_setzero_ps();
      q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
    }
    __m256i low = _mm256_add_epi32(q[0], q[1]), high = _mm256_add_epi32(q[2], q[3]);
    __m256i sums = _mm256_hadd_epi32(low, high);  // low low high high | low low high high
    sums = _mm256_hadd_epi32(sums, sums);
    __m128i pair = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    int first_sum = _mm_cvtsi128_si32(pair), second_sum = _mm_extract_epi32(pair, 1);
    __m256i codes = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
    codes = _mm256_permutevar8x32_epi32(codes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(x->codes + 32 * b), codes);
    if (x->words) {
      __m256i *words = (__m256i *)(x->words + 32 * b);
      _mm256_storeu_si256(words, _mm256_cvtepi8_epi16(_mm256_castsi256_si128(codes)));
      _mm256_storeu_si256(words + 1, _mm256_cvtepi8_epi16(_mm256_extracti128_si256(codes, 1)));
    }
    x->scales[b] = is_zero ? 0 : maximum / 127;
    x->sums[b] = x->scales[b] * (float)(first_sum + second_sum);
    x->half_sums[2 * b] = (int16_t)first_sum;
    x->half_sums[2 * b + 1] = (int16_t)second_sum;
  }
}

#endif
