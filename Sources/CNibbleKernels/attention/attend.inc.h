// The attention tile. Included once for each instruction set, which defines NK_ATTEND (the function's name), NK_HALF (float of a
// half) and NK_LANES (floats of a vector). Sums are taken in the same order on all of them, hence the same bits.
//
// Keys are taken 64 at a time: multiplied with several query rows at once in single precision, turned into weights, and
// multiplied with the values. Many rows repay transposing the keys, so that scores of 16 keys stand side by side; a few take them
// as they lie.

#include <math.h>
#include <string.h>

#include "shared/exponentials.h"
#include "shared/float_panel.h"

#pragma STDC FP_CONTRACT OFF

#include "products.inc.h"
#include "softmax.inc.h"
#include "widen.inc.h"

/// The keys of a step that a row sees: from ..< end, counted from the step's first.
typedef struct {
  size_t from, end;
} nk_seen_keys;

static inline nk_seen_keys nk_seen(const nk_attention_tile *tile, size_t row, size_t first, size_t count) {
  const size_t position = tile->first_position + row / tile->group_count, window = tile->window;
  nk_seen_keys seen = {0, 0};
  if (position < first) return seen;
  seen.end = position - first + 1 < count ? position - first + 1 : count;
  if (window && position + 1 > window + first) seen.from = position + 1 - window - first;
  if (seen.from > seen.end) seen.from = seen.end;
  return seen;
}

/// Rows that take the values of the same keys, both counted from the first of theirs.
typedef struct {
  size_t row, rows;
  nk_seen_keys keys;
} nk_value_part;

/// Splits the products of up to six rows with the values of a step: what each row alone sees first, what all of them see, what each
/// alone sees last. In this order a row's keys are taken one after the other, and no row touches a value that it does not see.
static inline size_t nk_value_parts(const nk_seen_keys *seen, size_t rows, size_t count, nk_value_part parts[13]) {
  nk_seen_keys all = {seen[rows - 1].from, seen[0].end};
  if (all.end <= all.from) all.from = all.end = count;
  size_t found = 0;
  for (size_t r = 0; r < rows; r++) {
    const size_t end = seen[r].end < all.from ? seen[r].end : all.from;
    if (seen[r].from < end) parts[found++] = (nk_value_part){r, 1, {seen[r].from, end}};
  }
  if (all.from < all.end) parts[found++] = (nk_value_part){0, rows, all};
  for (size_t r = 0; r < rows; r++) {
    if (all.end < seen[r].end) parts[found++] = (nk_value_part){r, 1, {all.end, seen[r].end}};
  }
  return found;
}

/// Turns a row's scores of from ..< to into weights; keys that it does not see get none.
static inline void nk_weigh(const nk_attention_tile *tile, nk_seen_keys seen, size_t from, size_t to, float *scores,
                            nk_softmax_state *state, float *sums, size_t size) {
  if (seen.from == seen.end) {
    memset(scores + from, 0, (to - from) * sizeof(float));
    return;
  }
  if (tile->softcap > 0) nk_cap_scores(scores + from, to - from, tile->softcap);
  for (size_t k = from; k < seen.from; k++) scores[k] = -INFINITY;
  for (size_t k = seen.end; k < to; k++) scores[k] = -INFINITY;
  nk_softmax_step(scores + from, to - from, state, sums, size);
}

/// Where the parts of a tile's scratch lie.
typedef struct {
  float *queries;  // [rows, padded], times the scale
  float *sums;     // [rows, padded]
  float *scores;   // [6, KEYS]
  float *keys;     // [KEYS / 16, padded, 16], or [KEYS, padded]
  float *room;     // [KEYS, padded]
  nk_softmax_state *states;  // [rows]
} nk_attend_scratch;

/// Many rows: keys first ..< first + count of a step, transposed once for all of them.
static void nk_attend_many(const nk_attention_tile *tile, const nk_attend_scratch *at, size_t padded, size_t first,
                           size_t count) {
  const size_t size = tile->head_size, rows = tile->row_count;
  nk_widen(tile->element, tile->keys, first, count, size, padded, at->room);
  nk_attention_transpose(at->room, (count + 15) / 16 * 16, padded, at->keys);
  nk_widen(tile->element, tile->values, first, count, size, padded, at->room);
  for (size_t r = 0, several; r < rows; r += several) {
    several = nk_tile_columns(rows - r);
    nk_seen_keys seen[6];
    for (size_t j = 0; j < several; j++) seen[j] = nk_seen(tile, r + j, first, count);
    // Later rows see no keys before the first row's, and earlier rows none after the last row's.
    const size_t from = seen[0].from / 16 * 16, end = seen[several - 1].end, to = (end + 15) / 16 * 16;
    if (end <= from) continue;
    float *sums = at->sums + r * padded;
    memset(at->scores, 0, several * NK_ATTENTION_KEYS * sizeof(float));
    for (size_t k = from; k < to; k += 16) {
      nk_attention_multiply(several, at->keys + k * padded, 16, at->queries + r * padded, padded, padded, at->scores + k,
                            NK_ATTENTION_KEYS);
    }
    for (size_t j = 0; j < several; j++) {
      nk_weigh(tile, seen[j], from, to, at->scores + j * NK_ATTENTION_KEYS, at->states + r + j,
               sums + j * padded, padded);
    }
    nk_value_part parts[13];
    for (size_t p = 0, found = nk_value_parts(seen, several, count, parts); p < found; p++) {
      const nk_value_part part = parts[p];
      for (size_t i = 0; i < padded; i += 16) {
        nk_attention_multiply(part.rows, at->room + part.keys.from * padded + i, padded,
                              at->scores + part.row * NK_ATTENTION_KEYS + part.keys.from, NK_ATTENTION_KEYS,
                              part.keys.end - part.keys.from, sums + part.row * padded + i, padded);
      }
    }
  }
}

/// Up to three rows: the keys of a step as they lie, where they can be multiplied so.
static void nk_attend_few(const nk_attention_tile *tile, const nk_attend_scratch *at, size_t padded, size_t first, size_t count) {
  const size_t size = tile->head_size, rows = tile->row_count, row_bytes = nk_attention_row_bytes(tile->element, size);
  nk_seen_keys seen[3];
  for (size_t r = 0; r < rows; r++) seen[r] = nk_seen(tile, r, first, count);
  const size_t from = seen[0].from / 16 * 16, end = seen[rows - 1].end, to = (end + 15) / 16 * 16;
  if (end <= from) return;
  const int as_stored = padded == size && tile->element != NK_ATTENTION_BLOCKS;
  nk_attention_rows keys = {(const uint8_t *)tile->keys + first * row_bytes, row_bytes, tile->element};
  nk_attention_rows values = {(const uint8_t *)tile->values + first * row_bytes, row_bytes, tile->element};
  if (!as_stored) {
    nk_widen(tile->element, tile->keys, first, count, size, padded, at->keys);
    nk_widen(tile->element, tile->values, first, count, size, padded, at->room);
    keys = (nk_attention_rows){(const uint8_t *)at->keys, padded * sizeof(float), NK_ATTENTION_FLOAT};
    values = (nk_attention_rows){(const uint8_t *)at->room, padded * sizeof(float), NK_ATTENTION_FLOAT};
  }
  const size_t whole = from + (end - from) / 4 * 4;
  nk_attention_scores(rows, at->queries, keys, padded, from, whole, at->scores);
  if (whole < end) {
    // The last one to three keys, with zeros behind them: what follows in the cache is not there yet.
    nk_widen(tile->element, tile->keys, first + whole, end - whole, size, padded, at->keys);
    keys = (nk_attention_rows){(const uint8_t *)at->keys, padded * sizeof(float), NK_ATTENTION_FLOAT};
    nk_attention_scores(rows, at->queries, keys, padded, 0, 4, at->scores + whole);
  }
  for (size_t r = 0; r < rows; r++) {
    nk_weigh(tile, seen[r], from, to, at->scores + r * NK_ATTENTION_KEYS, at->states + r,
             at->sums + r * padded, padded);
  }
  nk_value_part parts[13];
  for (size_t p = 0, found = nk_value_parts(seen, rows, count, parts); p < found; p++) {
    const nk_value_part part = parts[p];
    nk_attention_sums(part.rows, values, at->scores + part.row * NK_ATTENTION_KEYS, part.keys.from, part.keys.end,
                      at->sums + part.row * padded, padded);
  }
}

void NK_ATTEND(const nk_attention_tile *tile) {
  const size_t size = tile->head_size, padded = nk_attention_padded(size), rows = tile->row_count;
  const size_t group = tile->group_count, last = tile->first_position + (rows - 1) / group, window = tile->window;
  nk_attend_scratch at;
  at.queries = tile->scratch;
  at.sums = at.queries + rows * padded;
  at.scores = at.sums + rows * padded;
  at.keys = at.scores + 6 * NK_ATTENTION_KEYS;
  at.room = at.keys + padded * NK_ATTENTION_KEYS;
  at.states = (nk_softmax_state *)(void *)(at.room + padded * NK_ATTENTION_KEYS);
  memset(at.sums, 0, rows * padded * sizeof(float));
  for (size_t r = 0; r < rows; r++) {
    at.states[r] = (nk_softmax_state){-INFINITY, 0};
    const float *query = tile->query + r / group * tile->token_stride + r % group * size;
    float *scaled = at.queries + r * padded;
    for (size_t i = 0; i < size; i++) scaled[i] = query[i] * tile->scale;
    for (size_t i = size; i < padded; i++) scaled[i] = 0;
  }
  const size_t start = window && tile->first_position + 1 > window ? tile->first_position + 1 - window : 0;
  for (size_t first = start; first <= last; first += NK_ATTENTION_KEYS) {
    const size_t count = last + 1 - first < NK_ATTENTION_KEYS ? last + 1 - first : NK_ATTENTION_KEYS;
    if (rows > 3) {
      nk_attend_many(tile, &at, padded, first, count);
    } else {
      nk_attend_few(tile, &at, padded, first, count);
    }
  }
  for (size_t r = 0; r < rows; r++) {
    float *result = tile->result + r / group * tile->token_stride + r % group * size;
    const float factor = 1.0f / at.states[r].total;
    for (size_t i = 0; i < size; i++) result[i] = at.sums[r * padded + i] * factor;
  }
}
