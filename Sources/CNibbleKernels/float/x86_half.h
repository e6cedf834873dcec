// Conversions of half rows with F16C.
#ifndef NK_FLOAT_X86_HALF_H
#define NK_FLOAT_X86_HALF_H

#include "../shared/half.h"

static void nk_half_to_float(const uint16_t *x, size_t count, float *out) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
  for (; i < count; i++) out[i] = nk_float_from_half(x[i]);
}

static void nk_float_to_half(const float *x, size_t count, uint16_t *out) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128((__m128i *)(out + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < count; i++) out[i] = nk_half_from_float(x[i]);
}

#endif
