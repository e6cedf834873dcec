// The parts of a strip, and the loop over strips that every table shares.
#ifndef NK_STRIPS_STRIPS_H
#define NK_STRIPS_STRIPS_H

#include <string.h>

#include "../include/nk_strips.h"

extern const nk_strip_table nk_strips_scalar;
extern const nk_strip_table nk_strips_avx2;
extern const nk_strip_table nk_strips_avx512;
extern const nk_strip_table nk_strips_neon;

/// nk_strip_table.takes_words of tables that multiply bytes.
static inline int nk_strips_take_no_words(enum nk_strip_codes codes) {
  (void)codes;
  return 0;
}

#define NK_STRIP_INLINE static inline __attribute__((always_inline))

/// Bytes before a group's codes.
NK_STRIP_INLINE size_t nk_strip_head_bytes(const nk_strips *w) { return w->offset == NK_STRIP_ONE_ZERO ? 64 : 128; }

/// Bytes of the codes of 32 columns.
NK_STRIP_INLINE size_t nk_strip_block_bytes(const enum nk_strip_codes codes) {
  return codes == NK_STRIP_8_BITS ? 512 : 256;
}

/// Names the memory that few activation rows will need a page later: they go through it faster than it is fetched unasked.
NK_STRIP_INLINE void nk_strip_prefetch(const enum nk_strip_codes codes, const int count, const uint8_t *p) {
  if (count > 2) return;
  for (size_t k = 0; k < nk_strip_block_bytes(codes); k += 64) __builtin_prefetch(p + 4096 + k);
}

/// What multiplies a group's codes, as the kernels read it.
typedef struct {
  const float *scales;
  const int32_t *zeros;  // of the group, or NULL
  const float *minima;   // of the group, or NULL
} nk_strip_head;

NK_STRIP_INLINE nk_strip_head nk_strip_head_at(const nk_strips *w, const uint8_t *p) {
  nk_strip_head head = {(const float *)p, 0, 0};
  if (w->offset == NK_STRIP_ZERO_POINTS) head.zeros = (const int32_t *)(p + 64);
  if (w->offset == NK_STRIP_MINIMA) head.minima = (const float *)(p + 64);
  return head;
}

/// One strip's sums with some activation rows from row `i` on: sums[count][16].
typedef void nk_strip_tile_function(const nk_strips *w, const uint8_t *strip, const nk_activations *x, size_t i,
                                    float *sums);

/// The tiles of one kind of codes: of 1, 2, 4 and `widest` (at most 12) activation rows.
typedef struct {
  nk_strip_tile_function *of[4];
  size_t widest;
} nk_strip_tiles;

/// Arranges a strip in `scratch` for many activation rows, where that pays, and gives back what multiplies six of them with it.
typedef nk_strip_tile_function *nk_strip_panel_function(const nk_strips *w, const uint8_t *strip, size_t count,
                                                        uint8_t *scratch);

/// Multiplies with the tiles of the matrix's kind of codes, or with panels of its strips.
static inline void nk_strips_multiply(const nk_strip_tiles *tiles, nk_strip_panel_function *panel, const nk_strips *w,
                                      size_t first_row, size_t row_count, const nk_activations *x, size_t count, float *y,
                                      size_t y_stride, void *scratch) {
  const size_t strip_bytes = nk_strip_bytes(w), end = first_row + row_count;
  for (size_t row = first_row, taken; row < end; row += taken) {
    const uint8_t *strip = w->bytes + row / nk_strip_rows * strip_bytes;
    const size_t skipped = row % nk_strip_rows;
    taken = nk_strip_rows - skipped < end - row ? nk_strip_rows - skipped : end - row;
    nk_strip_tile_function *const with_panel = panel ? panel(w, strip, count, scratch) : 0;
    for (size_t i = 0, tile; i < count; i += tile) {
      float sums[12 * nk_strip_rows] __attribute__((aligned(64)));
      const size_t left = count - i;
      if (with_panel && left >= 6) {
        tile = 6;
        with_panel(w, scratch, x, i, sums);
      } else {
        const int kind = left >= tiles->widest ? 3 : left >= 4 ? 2 : left >= 2 ? 1 : 0;
        tile = kind == 3 ? tiles->widest : (size_t)1 << kind;
        tiles->of[kind](w, strip, x, i, sums);
      }
      for (size_t j = 0; j < tile; j++)
        memcpy(y + (i + j) * y_stride + (row - first_row), sums + nk_strip_rows * j + skipped, taken * sizeof(float));
    }
  }
}

// From an including file's nk_strip_tile(codes, count, w, strip, x, i, sums) and NK_STRIP_WIDEST(codes), the activation rows of the
// widest tile: its tiles of one kind of codes, and its multiply, with panels or NULL.
#define NK_STRIP_TILE(name, codes, count)                                                                          \
  static __attribute__((noinline)) void name(const nk_strips *w, const uint8_t *strip, const nk_activations *x,    \
                                             size_t i, float *sums) {                                              \
    nk_strip_tile(codes, count, w, strip, x, i, sums);                                                             \
  }
#define NK_STRIP_TILES(name, codes)                  \
  NK_STRIP_TILE(name##_1, codes, 1)                  \
  NK_STRIP_TILE(name##_2, codes, 2)                  \
  NK_STRIP_TILE(name##_4, codes, 4)                  \
  NK_STRIP_TILE(name##_all, codes, NK_STRIP_WIDEST(codes))  \
  static const nk_strip_tiles name = {{name##_1, name##_2, name##_4, name##_all}, NK_STRIP_WIDEST(codes)};
#define NK_STRIP_MULTIPLY(name, panel)                                                                                     \
  NK_STRIP_TILES(nk_4_bits, NK_STRIP_4_BITS)                                                                          \
  NK_STRIP_TILES(nk_8_bits, NK_STRIP_8_BITS)                                                                          \
  NK_STRIP_TILES(nk_5_bit_levels, NK_STRIP_5_BIT_LEVELS)                                                              \
  NK_STRIP_TILES(nk_8_bit_levels, NK_STRIP_8_BIT_LEVELS)                                                              \
  NK_STRIP_TILES(nk_12_bit_levels, NK_STRIP_12_BIT_LEVELS)                                                            \
  static void name(const nk_strips *w, size_t first_row, size_t row_count, const nk_activations *x, size_t count,     \
                   float *y, size_t y_stride, void *scratch) {                                                        \
    static const nk_strip_tiles *const tiles[5] = {&nk_4_bits, &nk_8_bits, &nk_5_bit_levels, &nk_8_bit_levels,        \
                                                   &nk_12_bit_levels};                                                \
    nk_strips_multiply(tiles[w->codes], panel, w, first_row, row_count, x, count, y, y_stride, scratch);              \
  }

#endif
