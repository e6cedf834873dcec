// Products of activations with weights that stay in their file bytes:  y[i, r] = sum over c of x[i, c] * W[r, c].
//
// Float weights (F32, F16, BF16) are multiplied in float: y = fma(w[c], x[c], y) for c = 0, 1, 2 ... in this order.
//
// Block weights are multiplied with activations that were quantized to 8 bits in blocks of 32. With the activation block's
// scale e, codes x (-127..127) and exact sum S, and the weight block's codes q, each block adds, in the order of the columns,
//
//     y = fma(d * e, float(sum over c of q * x), y)           and, for types with a minimum,   y = fma(m, e * S, y)
//
// where q is signed (a type's offset is taken off in integers) and d and m are the block's float32 scale and minimum. In
// Q2_K, Q3_K and Q6_K a block has two halves of 16 with integer scales, which multiply the halves' integer sums; Q2_K's
// integer minima multiply the halves' sums of x likewise, and its second line is  y = fma(-dmin * e, float(that), y).
// Every product and sum of integers is exact. So all tables, any number of activation rows and any split of the weight
// rows give the same bits; the scalar table is the definition.
#ifndef NK_MATMUL_H
#define NK_MATMUL_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

/// How weights are stored; the values are the type ids of GGUF files.
enum nk_weight_type {
  NK_WEIGHT_F32 = 0,
  NK_WEIGHT_F16 = 1,
  NK_WEIGHT_Q4_0 = 2,
  NK_WEIGHT_Q4_1 = 3,
  NK_WEIGHT_Q5_0 = 6,
  NK_WEIGHT_Q5_1 = 7,
  NK_WEIGHT_Q8_0 = 8,
  NK_WEIGHT_Q2_K = 10,
  NK_WEIGHT_Q3_K = 11,
  NK_WEIGHT_Q4_K = 12,
  NK_WEIGHT_Q5_K = 13,
  NK_WEIGHT_Q6_K = 14,
  NK_WEIGHT_IQ4_NL = 20,
  NK_WEIGHT_IQ4_XS = 23,
  NK_WEIGHT_BF16 = 30,
  NK_WEIGHT_MXFP4 = 39,
};

/// A weight matrix `[row_count, columns]`, rows one after another; no alignment is needed.
typedef struct {
  enum nk_weight_type type;
  const uint8_t *bytes;
  size_t row_count;
  size_t columns;  // a whole number of blocks
} nk_matrix;

/// Activation rows `[count, columns]`: as floats, and (when a block type is multiplied) quantized.
typedef struct {
  const float *values;
  size_t columns;
  int8_t *codes;       // [count, columns]
  int16_t *words;      // [count, columns]: the codes again, for products that take them so; otherwise NULL
  float *scales;       // [count, columns / 32]: e = max|x| / 127
  float *sums;         // [count, columns / 32]: e * float(sum of the block's codes)
  int16_t *half_sums;  // [count, columns / 32, 2]: sums of the codes of the block's halves
} nk_activations;

/// Bytes of memory for `count` quantized rows; `columns` is a multiple of 32.
static inline size_t nk_activation_bytes(size_t columns, size_t count, int has_words) {
  return count * columns * (has_words ? 3 : 1) + 3 * (count * (columns / 32) * sizeof(float)) + 128;
}

/// Lays out activations in `memory` of nk_activation_bytes, aligned to 64 bytes; quantize fills them.
static inline nk_activations nk_activations_in(void *memory, const float *values, size_t columns, size_t count,
                                               int has_words) {
  const size_t blocks = count * (columns / 32), code_bytes = (count * columns + 63) / 64 * 64;
  int8_t *codes = (int8_t *)memory, *end = codes + code_bytes * (has_words ? 3 : 1);
  float *scales = (float *)end;
  return (nk_activations){
      values, columns, codes, has_words ? (int16_t *)(codes + code_bytes) : 0, scales, scales + blocks,
      (int16_t *)(scales + 2 * blocks)};
}

typedef struct {
  /// Quantizes activation rows `first ..< first + count` of `x->values`. A block whose largest magnitude is below 2^-100
  /// becomes zero; a block with an infinity or a NaN gets that scale and zero codes, so that products with it are NaN.
  void (*quantize)(const nk_activations *x, size_t first, size_t count);
  /// Computes y[i * y_stride + r - first_row] for i in 0..<count and r in first_row ..< first_row + row_count.
  /// `scratch`: nk_matmul_scratch_bytes, aligned to 64 bytes, used by one thread at a time. `x` has words where takes_words says so.
  void (*multiply)(const nk_matrix *w, size_t first_row, size_t row_count, const nk_activations *x, size_t count,
                   float *y, size_t y_stride, void *scratch);
  /// Whether products with weights of this type read the activations' words.
  int (*takes_words)(enum nk_weight_type type);
} nk_matmul_table;

/// Rows that are computed together: splits between threads cost least at multiples of it.
enum { nk_matmul_row_grain = 16 };

/// Bytes of one row, or 0 when `columns` is no whole number of blocks or the type is unknown.
size_t nk_weight_row_bytes(enum nk_weight_type type, size_t columns);

/// Bytes of scratch memory that one thread needs for multiply.
size_t nk_matmul_scratch_bytes(size_t columns);

/// Expands one row of weights to floats, exactly as the formats define them.
void nk_decode_weights(enum nk_weight_type type, const uint8_t *row, size_t columns, float *out);

/// The table of the best instruction set that this machine has.
const nk_matmul_table *nk_matmul(void);

/// The table of one instruction set, or NULL when this machine (or this build) does not have it.
const nk_matmul_table *nk_matmul_for(enum nk_instruction_set set);

#endif
