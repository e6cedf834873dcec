// Weights of schemes, arranged once for products: strips of 16 rows, of which each row's groups of 32 k columns have a
// float32 scale and perhaps a zero point or a minimum.
//
// A code stands for a whole number: itself, or one of 16 levels. With the block's quantized activations (nk_matmul.h: scale
// e, codes x, exact sum S), each block of 32 columns adds, in the order of the columns,
//
//     y = fma((d * unit) * e, float(sum over c of (u - z) * x), y)   and, with minima,   y = fma(m, e * S, y)
//
// where u is the code's number, z the zero point, d the group's scale, m its minimum and unit what one step of the levels
// is worth. The sum of integers is exact. So all tables, any number of activation rows and any split of the
// weight rows give the same bits; the scalar table is the definition.
//
// A strip holds, group after group: scales float [16]; zero points int32 [16] (z in both halves) or minima float [16],
// where it has them; then for each block of 32 columns its codes, [4][16 rows][4] bytes of two 4-bit codes, columns
// 4 s + k low and 16 + 4 s + k high, or [8][16 rows][4] bytes of 8-bit codes, columns 4 s + k. A product thus reads memory in
// order, and 16 rows' sums stand side by side from the first addition to the last.
#ifndef NK_STRIPS_H
#define NK_STRIPS_H

#include <stddef.h>
#include <stdint.h>

#include "nk_matmul.h"

enum { nk_strip_rows = 16 };

/// What the codes' numbers are.
enum nk_strip_codes {
  NK_STRIP_4_BITS = 0,         // 0...15
  NK_STRIP_8_BITS = 1,         // 0...255
  NK_STRIP_5_BIT_LEVELS = 2,   // 4-bit codes, levels of 0...31
  NK_STRIP_8_BIT_LEVELS = 3,   // 4-bit codes, levels of 0...255
  NK_STRIP_12_BIT_LEVELS = 4,  // 4-bit codes, levels of 0...4095
};

/// What a group has beside its scale.
enum nk_strip_offset {
  NK_STRIP_ONE_ZERO = 0,     // nothing: one zero point serves all
  NK_STRIP_ZERO_POINTS = 1,  // a zero point
  NK_STRIP_MINIMA = 2,       // a minimum; one zero point serves all
};

/// A weight matrix `[row_count, columns]` in strips.
typedef struct {
  enum nk_strip_codes codes;
  enum nk_strip_offset offset;
  size_t row_count;
  size_t columns;        // a multiple of 32
  size_t group_columns;  // a multiple of 32; a row's last group may be shorter
  const uint8_t *bytes;  // aligned to 64 bytes
  int zero;              // the one zero point, 0...4095
  float unit;            // what a step of the levels is worth, 1 for integers
  float values[16];      // the levels' values, for expanding rows
  uint16_t levels[16];   // their numbers, values[k] = (levels[k] - zero) * unit as near as they come
} nk_strips;

/// Sets the 16 levels: their values, and their numbers.
void nk_strip_set_levels(nk_strips *w, const float *values, const uint16_t *numbers);

/// Bytes of one strip.
size_t nk_strip_bytes(const nk_strips *w);

/// Arranges one strip.
///
/// `codes`: `[rows, columns]`, a byte each, `rows` of 1...16; missing rows become zeros. `scales`, and `zeros` (0...32767)
/// or `minima` where `w` has them: `[rows, groups]`. `strip`: nk_strip_bytes; `w->bytes` is not read.
void nk_strip_pack(const nk_strips *w, size_t rows, const uint8_t *codes, const float *scales, const int32_t *zeros,
                   const float *minima, uint8_t *strip);

/// Expands a row to floats: ((u - z) * d) + m, or the level's value times d.
void nk_strip_decode(const nk_strips *w, size_t row, float *out);

/// The products of one instruction set; `x` is quantized by the nk_matmul_table of the same machine.
typedef struct {
  /// Computes y[i * y_stride + r - first_row] for i in 0..<count and r in first_row ..< first_row + row_count.
  /// `scratch`: nk_matmul_scratch_bytes, aligned to 64 bytes, used by one thread at a time. `x` has words where takes_words says so.
  void (*multiply)(const nk_strips *w, size_t first_row, size_t row_count, const nk_activations *x, size_t count,
                   float *y, size_t y_stride, void *scratch);
  /// Whether products with these codes read the activations' words.
  int (*takes_words)(enum nk_strip_codes codes);
} nk_strip_table;

/// The table of the best instruction set that this machine has.
const nk_strip_table *nk_strip_products(void);

/// The table of one instruction set, or NULL when this machine (or this build) does not have it.
const nk_strip_table *nk_strip_products_for(enum nk_instruction_set set);

#endif
