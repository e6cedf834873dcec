// Products of float matrices through integers: block floating point.
//
// An operand is cut into panels of eight rows. Within a panel, each run of NK_PANEL_RUN elements of a row shares a scale and is
// rounded to integers of 13 bits with their sign; sums of a run are exact in 32 bits. The error is that of the rounding: less
// than a thousandth of the product's norm, also where one column is fifty times as large as the others.
//
// Elements lie in pairs along the summed dimension: codes[panel][pair][row][2], scales[panel][run][row]. Nothing here
// allocates or fails; all tables give the same bits.
#ifndef NK_PANELS_H
#define NK_PANELS_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

enum {
  /// Rows of a panel.
  NK_PANEL_ROWS = 8,
  /// Elements of a row that share a scale.
  NK_PANEL_RUN = 128,
  /// The largest code: 128 products of two such codes fit into 32 bits.
  NK_PANEL_LIMIT = 4095,
};

typedef struct {
  /// Packs `row_count` <= 8 rows of `count` elements, each `stride` floats after the one before. Other rows become zero.
  void (*pack_rows)(const float *rows, size_t stride, size_t row_count, size_t count, int16_t *codes, float *scales);
  /// Packs `row_count` <= 8 neighbouring columns of `count` rows as the rows of a panel.
  void (*pack_columns)(const float *columns, size_t stride, size_t row_count, size_t count, int16_t *codes,
                       float *scales);
  /// result[i * stride + j] = (or +=, when `is_adding`) the sum over `count` elements of row i of `a` times row j of `b`.
  /// Writes `row_count` <= 8 rows of `column_count` <= 8 elements.
  void (*multiply)(const int16_t *a, const float *a_scales, const int16_t *b, const float *b_scales, size_t count,
                   size_t row_count, size_t column_count, int is_adding, float *result, size_t stride);
} nk_panel_table;

/// The table that this machine runs faster than products of floats, or null where there is none.
const nk_panel_table *nk_panels(void);

/// The table of one instruction set, or null where this machine or build has none.
const nk_panel_table *nk_panels_for(enum nk_instruction_set instruction_set);

#endif
