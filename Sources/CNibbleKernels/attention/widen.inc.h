// Rows of the cache in single precision. Included by attend.inc.h; NK_HALF (float of a half) is defined by who includes that.

static inline float nk_bfloat(uint16_t bfloat) {
  const uint32_t bits = (uint32_t)bfloat << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// One row of codes and their scales.
static inline void nk_widen_blocks(const uint8_t *row, size_t size, float *out) {
  for (size_t first = 0; first < size; first += NK_ATTENTION_BLOCK) {
    uint16_t half;
    memcpy(&half, row + size + first / NK_ATTENTION_BLOCK * sizeof half, sizeof half);
    const float step = NK_HALF(half);
    const int8_t *codes = (const int8_t *)row + first;
    if (size - first >= NK_ATTENTION_BLOCK) {
      for (size_t i = 0; i < NK_ATTENTION_BLOCK; i++) out[first + i] = step * (float)codes[i];
    } else {
      for (size_t i = 0; i < size - first; i++) out[first + i] = step * (float)codes[i];
    }
  }
}

/// Rows first ..< first + count of `rows` as `padded` floats each, and rows of zeros up to a multiple of 16.
static void nk_widen(enum nk_attention_element element, const void *rows, size_t first, size_t count, size_t size,
                     size_t padded, float *room) {
  const size_t row_bytes = nk_attention_row_bytes(element, size);
  const uint8_t *row = (const uint8_t *)rows + first * row_bytes;
  for (size_t k = 0; k < count; k++, row += row_bytes) {
    float *out = room + k * padded;
    const uint16_t *shorts = (const uint16_t *)(const void *)row;
    switch (element) {
      case NK_ATTENTION_FLOAT: memcpy(out, row, size * sizeof(float)); break;
      case NK_ATTENTION_HALF:
        for (size_t i = 0; i < size; i++) out[i] = NK_HALF(shorts[i]);
        break;
      case NK_ATTENTION_BFLOAT:
        for (size_t i = 0; i < size; i++) out[i] = nk_bfloat(shorts[i]);
        break;
      case NK_ATTENTION_BLOCKS: nk_widen_blocks(row, size, out); break;
    }
    for (size_t i = size; i < padded; i++) out[i] = 0;
  }
  memset(room + count * padded, 0, ((count + 15) / 16 * 16 - count) * padded * sizeof(float));
}
