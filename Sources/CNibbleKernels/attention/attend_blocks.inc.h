// What the attention tile does with keys and values in blocks of 32 codes of 8 bits (nk_attention.h says how a row lies). Included
// by attend.inc.h; NK_HALF (float of a half) is defined there.

#define NK_ELEMENT uint8_t
#define NK_NAME(name) name##_blocks

enum { BLOCK = NK_ATTENTION_BLOCK };

/// Row `position` of keys or values.
static inline const uint8_t *nk_row_blocks(const void *rows, size_t position, size_t size) {
  return (const uint8_t *)rows + position * nk_attention_row_bytes(NK_ATTENTION_BLOCKS, size);
}

/// The scale of the block of a row in which element `i` lies.
static inline float nk_block_scale(const uint8_t *row, size_t size, size_t i) {
  uint16_t half;
  memcpy(&half, row + size + i / BLOCK * sizeof half, sizeof half);
  return NK_HALF(half);
}

/// scale * query . key for one key.
static inline float nk_score_blocks(const float *query, const uint8_t *row, size_t size, float scale) {
  const int8_t *codes = (const int8_t *)row;
  float sums[16] = {0};
  size_t i = 0;
  for (; i + BLOCK <= size; i += BLOCK) {
    const float step = nk_block_scale(row, size, i);
    float part[16];
    for (size_t l = 0; l < 16; l++) part[l] = query[i + l] * (float)codes[i + l];
    for (size_t l = 0; l < 16; l++) part[l] += query[i + 16 + l] * (float)codes[i + 16 + l];
    for (size_t l = 0; l < 16; l++) sums[l] += step * part[l];
  }
  if (i < size) {
    const float step = nk_block_scale(row, size, i);
    for (; i < size; i++) sums[i % 16] += query[i] * (step * (float)codes[i]);
  }
  for (size_t step = 8; step > 0; step /= 2) {
    for (size_t l = 0; l < step; l++) sums[l] += sums[l + step];
  }
  return scale * sums[0];
}

/// sum[i] += sum_k weights[k] * values[k][i].
static inline void nk_add_values_blocks(const float *weights, const uint8_t *rows, size_t count, size_t size,
                                        float *sum) {
  size_t i = 0;
  for (; i + BLOCK <= size; i += BLOCK) {
    float sums[BLOCK];
    for (size_t l = 0; l < BLOCK; l++) sums[l] = sum[i + l];
    for (size_t k = 0; k < count; k++) {
      const uint8_t *row = nk_row_blocks(rows, k, size);
      const int8_t *codes = (const int8_t *)row + i;
      const float weight = weights[k] * nk_block_scale(row, size, i);
      for (size_t l = 0; l < BLOCK; l++) sums[l] += weight * (float)codes[l];
    }
    for (size_t l = 0; l < BLOCK; l++) sum[i + l] = sums[l];
  }
  if (i == size) return;
  for (size_t k = 0; k < count; k++) {
    const uint8_t *row = nk_row_blocks(rows, k, size);
    const float weight = weights[k] * nk_block_scale(row, size, i);
    for (size_t l = i; l < size; l++) sum[l] += weight * (float)(int8_t)row[l];
  }
}

/// `count` rows in single precision, in `room`.
static inline const float *nk_widened_blocks(const uint8_t *rows, size_t count, size_t size, float *room) {
  for (size_t k = 0; k < count; k++) {
    const uint8_t *row = nk_row_blocks(rows, k, size);
    for (size_t first = 0; first < size; first += BLOCK) {
      const size_t end = size - first < BLOCK ? size : first + BLOCK;
      const float step = nk_block_scale(row, size, first);
      for (size_t i = first; i < end; i++) room[k * size + i] = step * (float)(int8_t)row[i];
    }
  }
  return room;
}

/// keys[i][k] of `count` rows.
static inline void nk_transpose_blocks(const uint8_t *rows, size_t count, size_t size, float *keys) {
  for (size_t k = 0; k < count; k++) {
    const uint8_t *row = nk_row_blocks(rows, k, size);
    for (size_t first = 0; first < size; first += BLOCK) {
      const size_t end = size - first < BLOCK ? size : first + BLOCK;
      const float step = nk_block_scale(row, size, first);
      for (size_t i = first; i < end; i++) keys[i * KEYS + k] = step * (float)(int8_t)row[i];
    }
  }
}

#include "attend_tile.inc.h"
