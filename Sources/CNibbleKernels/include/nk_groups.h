// Groups of values that share one scale: their range, their codes on a grid, and the sums that a search needs.
//
// A grid of integers is a range of codes 0..top with a zero point: level(code) = code - zero, and a value is
// level * scale + shift. A grid of a table has any ascending levels; a code is the index of its level, which is found by
// counting the thresholds that lie below a value.
//
// Sums over a group are taken in eight interleaved lanes (element i belongs to lane i mod 8) for 256 elements at a time;
// these are added, lane by lane, to doubles. So all tables give the same bits; the scalar table is the definition.
#ifndef NK_GROUPS_H
#define NK_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

/// Where codes lie, for a scale that is given by its inverse.
typedef struct {
  float inverse;  // 1 / scale; 0 brings every value to level 0
  float shift;    // taken off a value before it is scaled
  float zero;     // the code of level 0; a whole number
  float top;      // the largest code
} nk_affine_grid;

/// Ascending levels, and the values between them.
typedef struct {
  const float *levels;      // count
  const float *thresholds;  // count - 1: a value above threshold i has a code above i
  size_t count;
} nk_level_table;

/// What a search wants to know of a group whose codes are rounded on a grid; l is the level of x, w its weight.
typedef struct {
  double error;  // sum of w (x - l scale - shift)^2
  double wlx, wl, wll, wx, w;
} nk_group_sums;

typedef struct {
  /// The smallest and the largest of `count` > 0 values.
  void (*range)(const float *x, size_t count, float *low, float *high);
  /// code = clamp(round((x - shift) * inverse) + zero, 0, top), ties to even.
  void (*encode)(const float *x, size_t count, nk_affine_grid grid, uint8_t *codes);
  /// x = (code - zero) * scale, plus *shift unless `shift` is null (so that a negative zero stays one).
  void (*expand)(const uint8_t *codes, size_t count, float scale, float zero, const float *shift, float *x);
  /// The sums of a group; `weights` may be null, for ones.
  void (*sums)(const float *x, const float *weights, size_t count, nk_affine_grid grid, float scale, nk_group_sums *sums);
  /// The codes of x * inverse in a table.
  void (*encode_table)(const float *x, size_t count, float inverse, const nk_level_table *table, uint8_t *codes);
  /// The sums of a group in a table, for a scale without shift; wl, wx and w are not computed.
  void (*sums_table)(const float *x, const float *weights, size_t count, float inverse, float scale,
                     const nk_level_table *table, nk_group_sums *sums);
} nk_group_table;

/// x = levels[code] * scale
void nk_expand_table(const uint8_t *codes, size_t count, const float *levels, float scale, float *x);

/// Packs codes of 1 to 8 bits, the first in the lowest bits; (count * bits + 7) / 8 bytes.
void nk_pack_bits(const uint8_t *codes, size_t count, int bits, uint8_t *bytes);
/// Unpacks what nk_pack_bits packed.
void nk_unpack_bits(const uint8_t *bytes, size_t count, int bits, uint8_t *codes);

/// Turns a matrix of 32-bit words `[rows, columns]` on its side; no alignment is needed, and the two do not overlap.
void nk_transpose_words(const void *words, size_t rows, size_t columns, void *out);

/// One field of each word: code = word >> shift & mask. The arrays do not overlap.
void nk_take_fields(const uint32_t *words, size_t count, int shift, uint8_t mask, uint8_t *codes);
/// Adds a field to each word, whose bits there are zeros.
void nk_put_fields(const uint8_t *codes, size_t count, int shift, uint32_t *words);

/// Through 16 bits and back: to nearest, ties to even; overflow becomes infinity.
float nk_through_half(float value);
float nk_through_bfloat(float value);

/// The best table that this machine can run.
const nk_group_table *nk_groups(void);

/// The table of one instruction set, or null where this machine or build has none.
const nk_group_table *nk_groups_for(enum nk_instruction_set instruction_set);

#endif
