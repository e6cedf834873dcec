// The float types: F32, F16 and BF16. Numbers too large for the 16-bit types are stored as the largest finite ones.
#ifndef NIBBLE_BLOCKS_PLAIN_H
#define NIBBLE_BLOCKS_PLAIN_H

#include "decode.h"

static void nk_encode_f32(const float *values, size_t count, uint8_t *bytes) {
  memcpy(bytes, values, count * sizeof(float));
}

static void nk_encode_bf16(const float *values, size_t count, uint8_t *bytes) {
  for (size_t i = 0; i < count; i++) {
    uint16_t bits = nk_bfloat_from_float(values[i]);
    if ((bits & 0x7FFF) == 0x7F80) bits -= 1;
    memcpy(bytes + 2 * i, &bits, 2);
  }
}

#if defined(__F16C__) || defined(NK_USE_F16C)

static void nk_decode_f16(const uint8_t *blocks, float *values, size_t count) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    _mm256_storeu_ps(values + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(blocks + 2 * i))));
  }
  for (; i < count; i++) values[i] = nk_get_half(blocks + 2 * i);
}

static void nk_encode_f16(const float *values, size_t count, uint8_t *bytes) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 x = _mm256_loadu_ps(values + i);
    x = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(65504.0f)), _mm256_set1_ps(-65504.0f));
    _mm_storeu_si128((__m128i *)(bytes + 2 * i), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  for (; i < count; i++) nk_put16(bytes + 2 * i, nk_half_bits(values[i]));
}

#else

static void nk_decode_f16(const uint8_t *blocks, float *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = nk_get_half(blocks + 2 * i);
}

static void nk_encode_f16(const float *values, size_t count, uint8_t *bytes) {
  for (size_t i = 0; i < count; i++) nk_put16(bytes + 2 * i, nk_half_bits(values[i]));
}

#endif

#endif
