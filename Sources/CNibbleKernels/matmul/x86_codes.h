// Packed weights to vectors of codes and scales, with AVX2: shared by the AVX2 and the AVX-512 table.
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

/// The scales and minima of Q4_K and Q5_K, whose blocks begin with two halves and nk_six_bit_scales' 12 bytes: all 8 rows at once.
NK_X86 void nk_six_bit_scales_of_blocks(const uint8_t *p, size_t stride, nk_scales8 *s) {
  __m256i rows[4], low[2], high[2];
  for (size_t r = 0; r < 4; r++) {
    rows[r] = _mm256_inserti128_si256(_mm256_castsi128_si256(nk_load128(p + r * stride)), nk_load128(p + (r + 4) * stride), 1);
  }
  for (int i = 0; i < 2; i++) {
    low[i] = _mm256_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
    high[i] = _mm256_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
  }
  // Word k of each row, in the order of the rows.
  const __m256i halves = _mm256_unpacklo_epi64(low[0], low[1]), a = _mm256_unpackhi_epi64(low[0], low[1]);
  const __m256i b = _mm256_unpacklo_epi64(high[0], high[1]), c = _mm256_unpackhi_epi64(high[0], high[1]);
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
    case NK_WEIGHT_IQ4_XS: {
      float scales[8];
      _mm256_storeu_ps(scales, nk_halves8(p, stride));
      for (size_t r = 0; r < 8; r++) {
        int8_t sc[8];
        nk_iq4_xs_scales(p + r * stride, sc);
        __m256 f = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)sc)));
        v[r] = _mm256_castps_si256(_mm256_mul_ps(f, _mm256_set1_ps(scales[r])));
      }
      nk_store_transposed(v, s->scale);
      return;
    }
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
      for (size_t r = 0; r < 8; r++) {
        int8_t sc[16];
        nk_q3_scales(p + r * stride + 96, sc);
        v[r] = _mm256_cvtepi8_epi16(nk_load128(sc));
      }
      nk_store_transposed(v, s->sub_scale);
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
