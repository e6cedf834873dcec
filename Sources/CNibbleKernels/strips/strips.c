// Arranging weights in strips and expanding them, in portable C.
#include "strips.h"

#pragma STDC FP_CONTRACT OFF

void nk_strip_set_levels(nk_strips *w, const float *values, const uint16_t *numbers) {
  memcpy(w->values, values, sizeof w->values);
  memcpy(w->levels, numbers, sizeof w->levels);
}

size_t nk_strip_bytes(const nk_strips *w) {
  size_t groups = (w->columns + w->group_columns - 1) / w->group_columns;
  return groups * nk_strip_head_bytes(w) + w->columns / 32 * nk_strip_block_bytes(w->codes);
}

/// Codes of 32 columns of one row to their places in the block of its strip.
static void pack_block(enum nk_strip_codes kind, const uint8_t *codes, uint8_t *place) {
  uint32_t words[8];
  memcpy(words, codes, 32);
  if (kind == NK_STRIP_8_BITS) {
    for (size_t s = 0; s < 8; s++) memcpy(place + 64 * s, words + s, 4);
    return;
  }
  for (size_t s = 0; s < 4; s++) {
    uint32_t both = (words[s] & 0x0F0F0F0F) | (words[s + 4] & 0x0F0F0F0F) << 4;
    memcpy(place + 64 * s, &both, 4);
  }
}

void nk_strip_pack(const nk_strips *w, size_t rows, const uint8_t *codes, const float *scales, const int32_t *zeros,
                   const float *minima, uint8_t *strip) {
  const size_t columns = w->columns, length = w->group_columns, groups = (columns + length - 1) / length;
  const size_t block_bytes = nk_strip_block_bytes(w->codes);
  memset(strip, 0, nk_strip_bytes(w));
  for (size_t g = 0; g < groups; g++) {
    for (size_t r = 0; r < rows; r++) {
      memcpy(strip + 4 * r, scales + r * groups + g, 4);
      if (w->offset == NK_STRIP_ZERO_POINTS) {
        uint32_t zero = (uint32_t)zeros[r * groups + g] & 0x7FFF, pair = zero | zero << 16;
        memcpy(strip + 64 + 4 * r, &pair, 4);
      }
      if (w->offset == NK_STRIP_MINIMA) memcpy(strip + 64 + 4 * r, minima + r * groups + g, 4);
    }
    strip += nk_strip_head_bytes(w);
    const size_t end = columns - g * length < length ? columns : (g + 1) * length;
    for (size_t c = g * length; c < end; c += 32, strip += block_bytes)
      for (size_t r = 0; r < rows; r++) pack_block(w->codes, codes + r * columns + c, strip + 4 * r);
  }
}

void nk_strip_decode(const nk_strips *w, size_t row, float *out) {
  const size_t r = row % nk_strip_rows, length = w->group_columns;
  const uint8_t *p = w->bytes + row / nk_strip_rows * nk_strip_bytes(w);
  for (size_t first = 0; first < w->columns; first += length) {
    const nk_strip_head head = nk_strip_head_at(w, p);
    const float scale = head.scales[r];
    const int zero = head.zeros ? head.zeros[r] & 0x7FFF : w->zero;
    p += nk_strip_head_bytes(w);
    const size_t end = w->columns - first < length ? w->columns : first + length;
    for (size_t c = first; c < end; c += 32, p += nk_strip_block_bytes(w->codes))
      for (size_t k = 0; k < 32; k++) {
        float value;
        if (w->codes == NK_STRIP_8_BITS) {
          value = (float)(p[64 * (k / 4) + 4 * r + k % 4] - zero) * scale;
        } else {
          const int code = p[64 * (k / 4 % 4) + 4 * r + k % 4] >> (k < 16 ? 0 : 4) & 15;
          value = (w->codes == NK_STRIP_4_BITS ? (float)(code - zero) : w->values[code]) * scale;
        }
        out[c + k] = head.minima ? value + head.minima[r] : value;
      }
  }
}
