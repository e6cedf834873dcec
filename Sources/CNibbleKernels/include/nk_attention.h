// Causal attention of one key-value head over its cache.
#ifndef NK_ATTENTION_H
#define NK_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

/// Keys that one step of the softmax takes together.
enum { NK_ATTENTION_KEYS = 64 };

/// How keys and values are stored, a row of head_size numbers a position.
///
/// NK_ATTENTION_BLOCKS: the row's codes, head_size bytes of -127...127; then for each run of 32 of them, the last perhaps shorter,
/// a scale in half precision; then a byte of zeros where head_size is odd. A number is its run's scale times its code.
enum nk_attention_element { NK_ATTENTION_HALF, NK_ATTENTION_FLOAT, NK_ATTENTION_BFLOAT, NK_ATTENTION_BLOCKS };

/// Codes that share a scale.
enum { NK_ATTENTION_BLOCK = 32 };

/// Bytes of a row.
static inline size_t nk_attention_row_bytes(enum nk_attention_element element, size_t head_size) {
  switch (element) {
    case NK_ATTENTION_FLOAT: return 4 * head_size;
    case NK_ATTENTION_HALF:
    case NK_ATTENTION_BFLOAT: return 2 * head_size;
    case NK_ATTENTION_BLOCKS: return (head_size + 1) / 2 * 2 + (head_size + NK_ATTENTION_BLOCK - 1) / NK_ATTENTION_BLOCK * 2;
  }
  return 0;
}

/// Floats of a widened row: a multiple of 16.
static inline size_t nk_attention_padded(size_t head_size) { return (head_size + 15) / 16 * 16; }

/// Rounds a row to NK_ATTENTION_BLOCKS: a run's scale is max|x| / 127 as a half, its codes are to nearest, ties to even. A run
/// with an infinity, a NaN or a number beyond 8e6 gets an infinite scale and codes of 0, so that scores with it are NaN.
void nk_attention_round(const float *x, size_t head_size, uint8_t *row);

/// One tile: some tokens, and all query heads that share one key-value head.
///
/// Row r of the tile is query head r % group_count of token r / group_count. Token t stands at position
/// first_position + t and sees the positions up to its own, and no further back than `window` of them (0 = all):
///
///   result[r] = sum_k softmax_k(score(scale * query[r] . keys[k])) * values[k]
///
/// where score(x) is softcap * tanh(x / softcap), or x when softcap is 0. All sums are in single precision, in the same order on every
/// instruction set. A value that is infinite or NaN spoils the rows that see it and no others.
typedef struct {
  const float *query;  // row r at (r / group_count) * token_stride + (r % group_count) * head_size
  float *result;       // the same layout
  const void *keys;    // [positions] rows of `element`
  const void *values;  // [positions] rows of `element`
  float *scratch;      // nk_attention_scratch(row_count, head_size) floats
  size_t token_stride;
  size_t row_count;
  size_t group_count;
  size_t head_size;
  size_t first_position;
  size_t window;
  float scale;
  float softcap;
  enum nk_attention_element element;
} nk_attention_tile;

typedef void (*nk_attend_function)(const nk_attention_tile *tile);

/// Floats of scratch that a tile needs.
size_t nk_attention_scratch(size_t row_count, size_t head_size);

/// Computes a tile with the best instructions of this machine.
void nk_attend(const nk_attention_tile *tile);

/// The function for one instruction set, for tests; null where this machine or build lacks it.
nk_attend_function nk_attend_for(enum nk_instruction_set set);

#endif
