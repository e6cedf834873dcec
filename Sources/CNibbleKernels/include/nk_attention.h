// Causal attention of one key-value head over its cache.
#ifndef NK_ATTENTION_H
#define NK_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

/// Keys that one step of the softmax takes together.
enum { NK_ATTENTION_KEYS = 64 };

/// How keys and values are stored.
enum nk_attention_element { NK_ATTENTION_HALF, NK_ATTENTION_FLOAT };

/// One tile: some tokens, and all query heads that share one key-value head.
///
/// Row r of the tile is query head r % group_count of token r / group_count. Token t stands at position
/// first_position + t and sees the positions up to its own, and no further back than `window` of them (0 = all):
///
///   result[r] = sum_k softmax_k(score(scale * query[r] . keys[k])) * values[k]
///
/// where score(x) is softcap * tanh(x / softcap), or x when softcap is 0. All sums are in single precision.
typedef struct {
  const float *query;  // row r at (r / group_count) * token_stride + (r % group_count) * head_size
  float *result;       // the same layout
  const void *keys;    // [positions, head_size] of `element`
  const void *values;  // [positions, head_size] of `element`
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
