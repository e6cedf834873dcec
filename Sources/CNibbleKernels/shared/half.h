// Conversions between float and the 16-bit formats, as inline functions that are exact on every machine: round to nearest,
// ties to even; subnormals kept; overflow to infinity; NaN stays NaN.
#ifndef NIBBLE_SHARED_HALF_H
#define NIBBLE_SHARED_HALF_H

#include <stdint.h>
#include <string.h>

static inline float nk_float_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint32_t nk_bits_from_float(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float nk_float_from_half(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  uint32_t magnitude = half & 0x7FFF;
  if (magnitude >= 0x7C00) {
    uint32_t payload = (magnitude & 0x3FF) << 13;
    return nk_float_from_bits(sign | 0x7F800000 | payload | (payload ? 0x400000 : 0));
  }
  float value = nk_float_from_bits(magnitude << 13) * 0x1p112f;
  return nk_float_from_bits(sign | nk_bits_from_float(value));
}

static inline uint16_t nk_half_from_float(float value) {
  uint32_t bits = nk_bits_from_float(value);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return (uint16_t)(sign | 0x7E00 | (magnitude >> 13 & 0x3FF));
  if (magnitude >= 0x477FF000) return (uint16_t)(sign | 0x7C00);
  if (magnitude < 0x38800000) {  // below 2^-14: the sum's last place is 2^-24, a half's smallest step
    float sum = nk_float_from_bits(magnitude) + 0.5f;
    return (uint16_t)(sign | (nk_bits_from_float(sum) - 0x3F000000));
  }
  magnitude += 0xFFF + (magnitude >> 13 & 1);
  return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
}

static inline float nk_float_from_bfloat(uint16_t bfloat) { return nk_float_from_bits((uint32_t)bfloat << 16); }

static inline uint16_t nk_bfloat_from_float(float value) {
  uint32_t bits = nk_bits_from_float(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 64);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

#endif
