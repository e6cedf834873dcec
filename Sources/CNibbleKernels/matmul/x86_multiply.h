// The products of every type on x86, from the including file's nk_tile and NK_TILE_COLUMNS: the activation rows of its
// widest tile.
#ifndef NK_MATMUL_X86_MULTIPLY_H
#define NK_MATMUL_X86_MULTIPLY_H

#include "float_rows.h"
#include "x86_direct.h"
#include "x86_panel.h"

typedef void nk_tile_function(const uint8_t *panel, const nk_activations *x, size_t i, float *sums);

// One shape's tiles of 1, 2, 4 and NK_TILE_COLUMNS activation rows. `type` stands for all types of the same shape.
#define NK_TILE(name, type, count)                                                                             \
  static __attribute__((noinline)) void name(const uint8_t *panel, const nk_activations *x, size_t i, float *s) { \
    nk_tile(nk_shape_of(type), count, panel, x, i, s);                                                         \
  }
#define NK_TILES(name, type)                  \
  NK_TILE(name##_1, type, 1)                  \
  NK_TILE(name##_2, type, 2)                  \
  NK_TILE(name##_4, type, 4)                  \
  NK_TILE(name##_all, type, NK_TILE_COLUMNS)  \
  static nk_tile_function *const name[4] = {name##_1, name##_2, name##_4, name##_all};

NK_TILES(nk_tiles_q4_offset, NK_WEIGHT_Q4_0)
NK_TILES(nk_tiles_q4_minimum, NK_WEIGHT_Q4_1)
NK_TILES(nk_tiles_q5_offset, NK_WEIGHT_Q5_0)
NK_TILES(nk_tiles_q5_minimum, NK_WEIGHT_Q5_1)
NK_TILES(nk_tiles_q8, NK_WEIGHT_Q8_0)
NK_TILES(nk_tiles_q2_k, NK_WEIGHT_Q2_K)
NK_TILES(nk_tiles_q3_k, NK_WEIGHT_Q3_K)
NK_TILES(nk_tiles_q6_k, NK_WEIGHT_Q6_K)

/// Up to this many activation rows, expanding a panel costs more than it saves.
NK_X86 size_t nk_direct_limit(const enum nk_weight_type type) { return nk_code_offset(type) == 128 ? 3 : 2; }

static int nk_takes_words(enum nk_weight_type type) { return nk_shape_of(type).is_wide; }

NK_X86 void nk_multiply_codes(const enum nk_weight_type type, nk_tile_function *const tiles[4], const nk_matrix *w,
                              size_t first_row, size_t row_count, const nk_activations *x, size_t count, float *y,
                              size_t y_stride, void *scratch) {
  const size_t blocks = w->columns / 32, row_bytes = w->columns / nk_block_columns(type) * nk_block_bytes(type);
  const size_t step = row_count < 8 ? 1 : count <= nk_direct_limit(type) || row_count < 16 ? 8 : 16;
  for (size_t r = 0; r < row_count; r += step) {
    // The last rows are taken together with rows before them; of fewer than 8, each is taken 8 times.
    if (r + step > row_count) r = row_count - step;
    const uint8_t *p = w->bytes + (first_row + r) * row_bytes;
    if (step < 16) {
      for (size_t i = 0; i < count; i++) {
        float sums[8];
        nk_direct8(type, p, step == 1 ? 0 : row_bytes, x, i, sums);
        memcpy(y + i * y_stride + r, sums, step * sizeof(float));
      }
      continue;
    }
    uint8_t *panel = scratch;
    nk_fill_panel(type, p, row_bytes, blocks, panel, 0);
    nk_fill_panel(type, p + 8 * row_bytes, row_bytes, blocks, panel, 8);
    for (size_t i = 0, tile; i < count; i += tile) {
      float sums[NK_TILE_COLUMNS * 16];
      const size_t left = count - i;
      const int kind = left >= NK_TILE_COLUMNS ? 3 : left >= 4 ? 2 : left >= 2 ? 1 : 0;
      tile = kind == 3 ? NK_TILE_COLUMNS : (size_t)1 << kind;
      tiles[kind](panel, x, i, sums);
      for (size_t j = 0; j < tile; j++) memcpy(y + (i + j) * y_stride + r, sums + 16 * j, 16 * sizeof(float));
    }
  }
}

#define NK_MULTIPLY(name, type, tiles)                                                                                \
  static __attribute__((noinline)) void name(const nk_matrix *w, size_t first_row, size_t row_count,                  \
                                             const nk_activations *x, size_t count, float *y, size_t y_stride,        \
                                             void *scratch) {                                                         \
    nk_multiply_codes(type, tiles, w, first_row, row_count, x, count, y, y_stride, scratch);                          \
  }

NK_MULTIPLY(multiply_q4_0, NK_WEIGHT_Q4_0, nk_tiles_q4_offset)
NK_MULTIPLY(multiply_q4_1, NK_WEIGHT_Q4_1, nk_tiles_q4_minimum)
NK_MULTIPLY(multiply_q5_0, NK_WEIGHT_Q5_0, nk_tiles_q5_offset)
NK_MULTIPLY(multiply_q5_1, NK_WEIGHT_Q5_1, nk_tiles_q5_minimum)
NK_MULTIPLY(multiply_q8_0, NK_WEIGHT_Q8_0, nk_tiles_q8)
NK_MULTIPLY(multiply_q2_k, NK_WEIGHT_Q2_K, nk_tiles_q2_k)
NK_MULTIPLY(multiply_q3_k, NK_WEIGHT_Q3_K, nk_tiles_q3_k)
NK_MULTIPLY(multiply_q4_k, NK_WEIGHT_Q4_K, nk_tiles_q4_minimum)
NK_MULTIPLY(multiply_q5_k, NK_WEIGHT_Q5_K, nk_tiles_q5_minimum)
NK_MULTIPLY(multiply_q6_k, NK_WEIGHT_Q6_K, nk_tiles_q6_k)
NK_MULTIPLY(multiply_iq4_nl, NK_WEIGHT_IQ4_NL, nk_tiles_q8)
NK_MULTIPLY(multiply_iq4_xs, NK_WEIGHT_IQ4_XS, nk_tiles_q8)
NK_MULTIPLY(multiply_mxfp4, NK_WEIGHT_MXFP4, nk_tiles_q5_offset)

static void nk_multiply_x86(const nk_matrix *w, size_t first_row, size_t row_count, const nk_activations *x,
                            size_t count, float *y, size_t y_stride, void *scratch) {
#define NK_CASE(type, name) \
  case NK_WEIGHT_##type: name(w, first_row, row_count, x, count, y, y_stride, scratch); break
  switch (w->type) {
    NK_CASE(F32, nk_multiply_f32);
    NK_CASE(F16, nk_multiply_f16);
    NK_CASE(BF16, nk_multiply_bf16);
    NK_CASE(Q4_0, multiply_q4_0);
    NK_CASE(Q4_1, multiply_q4_1);
    NK_CASE(Q5_0, multiply_q5_0);
    NK_CASE(Q5_1, multiply_q5_1);
    NK_CASE(Q8_0, multiply_q8_0);
    NK_CASE(Q2_K, multiply_q2_k);
    NK_CASE(Q3_K, multiply_q3_k);
    NK_CASE(Q4_K, multiply_q4_k);
    NK_CASE(Q5_K, multiply_q5_k);
    NK_CASE(Q6_K, multiply_q6_k);
    NK_CASE(IQ4_NL, multiply_iq4_nl);
    NK_CASE(IQ4_XS, multiply_iq4_xs);
    NK_CASE(MXFP4, multiply_mxfp4);
  }
}

#endif
