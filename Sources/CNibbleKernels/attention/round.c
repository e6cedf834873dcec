// Keys and values rounded to blocks of 8-bit codes.
#include "nk_attention.h"
#include "shared/half.h"

#pragma STDC FP_CONTRACT OFF

void nk_attention_round(const float *x, size_t head_size, uint8_t *row) {
  uint8_t *scales = row + head_size;
  for (size_t first = 0; first < head_size; first += NK_ATTENTION_BLOCK) {
    const size_t count = head_size - first < NK_ATTENTION_BLOCK ? head_size - first : NK_ATTENTION_BLOCK;
    // The bits of magnitudes are ordered as these are, infinity and NaN above all numbers.
    uint32_t top = 0;
    for (size_t i = 0; i < count; i++) {
      const uint32_t bits = nk_bits_from_float(x[first + i]) & 0x7FFFFFFF;
      top = bits > top ? bits : top;
    }
    const uint16_t scale = nk_half_from_float(nk_float_from_bits(top) / 127.0f);
    memcpy(scales + first / NK_ATTENTION_BLOCK * 2, &scale, 2);
    const float step = nk_float_from_half(scale);
    const int is_usable = (scale & 0x7FFF) != 0 && (scale & 0x7C00) != 0x7C00;
    const float inverse = is_usable ? 1.0f / step : 0.0f;
    for (size_t i = 0; i < count; i++) {
      float level = is_usable ? x[first + i] * inverse : 0.0f;
      level = level > 127.0f ? 127.0f : level < -127.0f ? -127.0f : level;
      level += 12582912.0f;  // 1.5 * 2^23: the last place is 1, so that the sum rounds to a whole number
      row[first + i] = (uint8_t)(nk_bits_from_float(level) & 0xFF);
    }
  }
  if (head_size % 2) row[nk_attention_row_bytes(NK_ATTENTION_BLOCKS, head_size) - 1] = 0;
}
