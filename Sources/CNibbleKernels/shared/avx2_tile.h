// What the AVX2 tiles of up to six activation rows share.
#ifndef NIBBLE_SHARED_AVX2_TILE_H
#define NIBBLE_SHARED_AVX2_TILE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "x86_intrinsics.h"

#define NK_AVX2 static inline __attribute__((always_inline))

/// Activation rows of a tile, `stride` bytes apart. Multiples of the stride that no addressing mode has are made once.
typedef struct {
  const int8_t *codes;
  size_t stride, stride3, stride5;
} nk_tile_rows;

NK_AVX2 nk_tile_rows nk_tile_rows_at(const int8_t *codes, size_t stride) {
  nk_tile_rows rows = {codes, stride, 3 * stride, 5 * stride};
  __asm__("" : "+r"(rows.stride3), "+r"(rows.stride5));
  return rows;
}

/// The four bytes of row `c` from byte `column` on, in all lanes.
NK_AVX2 __m256i nk_four_codes(const nk_tile_rows *rows, const int c, const int column) {
  const int8_t *const p = rows->codes + column;
  const int8_t *const places[6] = {p,
                                   p + rows->stride,
                                   p + 2 * rows->stride,
                                   p + rows->stride3,
                                   p + 4 * rows->stride,
                                   p + rows->stride5};
  int32_t four;
  memcpy(&four, places[c], 4);
  return _mm256_set1_epi32(four);
}

/// Keeps a tile's sums in registers from one step to the next, and the steps in their order.
NK_AVX2 void nk_keep(const int count, __m256i sums[6][2]) {
  for (int c = 0; c < count; c++) __asm__ volatile("" : "+x"(sums[c][0]), "+x"(sums[c][1]));
}

/// Adds the products of four columns of unsigned codes of 16 rows to 16-bit sums or, where codes are wide, of two columns of int16 to
/// 32-bit sums. `at` counts a row's bytes; `is_first` begins the sums.
NK_AVX2 void nk_step(const int is_wide, const int count, const __m256i w0, const __m256i w1, const nk_tile_rows *x, const int at,
                     const int is_first, __m256i sums[6][2]) {
  const __m256i w[2] = {w0, w1};
#pragma clang loop unroll(full)
  for (int c = 0; c < count; c++) {
    const __m256i factor = nk_four_codes(x, c, at);
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++) {
      const __m256i product = is_wide ? _mm256_madd_epi16(w[h], factor) : _mm256_maddubs_epi16(w[h], factor);
      sums[c][h] = is_first  ? product
                   : is_wide ? _mm256_add_epi32(sums[c][h], product)
                             : _mm256_add_epi16(sums[c][h], product);
    }
  }
  nk_keep(count, sums);
}

/// Adds the products of four columns of signed codes of 8 rows, half `h` of 16, to 32-bit sums: |w| times x with w's sign, of which a
/// 16-bit sum holds no more than two.
NK_AVX2 void nk_signed_step(const int count, const __m256i w, const int h, const nk_tile_rows *x, const int column,
                            __m256i sums[6][2]) {
  const __m256i one = _mm256_set1_epi16(1), size = _mm256_abs_epi8(w);
#pragma clang loop unroll(full)
  for (int c = 0; c < count; c++) {
    const __m256i factor = _mm256_sign_epi8(nk_four_codes(x, c, column), w);
    sums[c][h] = _mm256_add_epi32(sums[c][h], _mm256_madd_epi16(_mm256_maddubs_epi16(size, factor), one));
  }
  nk_keep(count, sums);
}

#endif
