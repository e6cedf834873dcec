// Matrices of 32-bit words turned on their side, in tiles.
#include <stdint.h>
#include <string.h>

#include "../include/nk_groups.h"

typedef uint32_t nk_word4 __attribute__((vector_size(16)));

static inline nk_word4 load4(const uint8_t *p) {
  nk_word4 words;
  memcpy(&words, p, 16);
  return words;
}

/// Four rows of four words, `stride` bytes apart, to four columns, `out_stride` bytes apart.
static inline void block4(const uint8_t *p, size_t stride, uint8_t *out, size_t out_stride) {
  const nk_word4 a = load4(p), b = load4(p + stride), c = load4(p + 2 * stride), d = load4(p + 3 * stride);
  const nk_word4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const nk_word4 ef = __builtin_shufflevector(a, b, 2, 6, 3, 7), gh = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const nk_word4 columns[4] = {
      __builtin_shufflevector(ab, cd, 0, 1, 4, 5), __builtin_shufflevector(ab, cd, 2, 3, 6, 7),
      __builtin_shufflevector(ef, gh, 0, 1, 4, 5), __builtin_shufflevector(ef, gh, 2, 3, 6, 7)};
  for (size_t i = 0; i < 4; i++) memcpy(out + i * out_stride, &columns[i], 16);
}

void nk_transpose_words(const void *words, size_t rows, size_t columns, void *out) {
  enum { tile_rows = 32, tile_columns = 16, tile_stride = 4 * tile_rows };
  const uint8_t *source = words;
  uint8_t *target = out, tile[tile_columns * tile_stride] __attribute__((aligned(64)));
  const size_t stride = 4 * columns, out_stride = 4 * rows;
  const size_t whole_rows = rows / tile_rows * tile_rows, whole_columns = columns / tile_columns * tile_columns;
  // A tile is turned in place of its own: lines of the result that lie a power of two apart would push each other out of the cache.
  for (size_t c = 0; c < whole_columns; c += tile_columns)
    for (size_t r = 0; r < whole_rows; r += tile_rows) {
      for (size_t j = 0; j < tile_rows; j += 4)
        for (size_t i = 0; i < tile_columns; i += 4)
          block4(source + (r + j) * stride + 4 * (c + i), stride, tile + i * tile_stride + 4 * j, tile_stride);
      for (size_t i = 0; i < tile_columns; i++)
        memcpy(target + (c + i) * out_stride + 4 * r, tile + i * tile_stride, tile_stride);
    }
  for (size_t r = 0; r < rows; r++)
    for (size_t c = r < whole_rows ? whole_columns : 0; c < columns; c++)
      memcpy(target + c * out_stride + 4 * r, source + r * stride + 4 * c, 4);
}
