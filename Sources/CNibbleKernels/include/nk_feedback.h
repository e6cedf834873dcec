// Rounding with error feedback: the sums, sweeps and factorizations behind quantization that knows its inputs.
//
// A tile is eight rows of a weight matrix side by side: element [column][lane], so that every lane is a row, no sum runs
// across lanes, and all tables give the same bits. Column counts here are multiples of 8; callers pad with zeros.
// Matrices are row-major. Nothing here allocates or fails.
#ifndef NK_FEEDBACK_H
#define NK_FEEDBACK_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

/// The grids of eight rows. A value is (code - zero) * scale + shift, or level(code) * scale with a table.
typedef struct {
  const uint32_t *groups;  // [column_count]: the group of each column
  const float *scales;     // [groups][8]
  const float *inverses;   // [groups][8]: 1 / scale, or 0
  const float *zeros;      // [groups][8]
  const float *shifts;     // [groups][8]
  float top;               // the largest code of a grid of integers
  const float *levels;     // [level_count][8], ascending in each lane; null for integers
  const float *thresholds; // [level_count - 1][8]
  size_t level_count;
} nk_grid_tile;

/// The grid of one row, column by column.
typedef struct {
  const float *scales, *inverses, *zeros, *shifts;  // [column_count]
  float top;
  const float *levels;      // [level_count]; null for integers
  const float *thresholds;  // [level_count - 1]
  size_t level_count;
} nk_grid_row;

typedef struct {
  /// Copies `row_count` <= 8 rows of `column_count` numbers (any count) into a tile; other lanes become zero.
  void (*load)(const float *rows, size_t stride, size_t row_count, size_t column_count, float *tile);
  /// Rounds the columns in the order `order`. Column order[k] is rounded after
  /// sum over j < k of feedback[k][j] * (target - value of column order[j]) was added to it.
  /// `feedback` may be null, for none. `errors` is scratch, [column_count][8]. With the pivots of the matrix plus `damping` in that order (0 for padding),
  /// objective[lane] receives (values - target)' matrix (values - target), nearly.
  void (*sweep)(const nk_grid_tile *grid, const float *target, const uint32_t *order, const float *feedback,
                const float *pivots, float damping, size_t column_count, float *errors, float *values, uint8_t *codes,
                double *objective);
  /// gradient = matrix * (values - target) and objective[lane] = (values - target)' matrix (values - target), for a
  /// symmetric matrix. `errors` receives values - target.
  void (*gradient)(const float *matrix, size_t column_count, const float *target, const float *values, float *errors,
                   float *gradient, double *objective);
  /// products[i] = sum over j of matrix[i][j] * tile[j], for `row_count` (a multiple of 8) rows of the matrix.
  void (*multiply)(const float *matrix, size_t row_count, size_t column_count, const float *tile, float *products);
  /// The lower halves of the normal equations of the groups' scales, for runs of columns first[g] ..< first[g + 1]:
  /// scales[g][h] = sum over columns i of g and j of h of levels[i] matrix[i][j] levels[j], for h <= g, and the slope
  /// slopes[g] = sum of levels[i] gradient[i]. All are [..][8].
  void (*normals)(const float *matrix, size_t column_count, const uint32_t *first, size_t group_count,
                  const float *levels, const float *gradient, float *scales, float *slopes);
  /// mixed[g][h] = sum over columns i of group g of levels[i] sums[h][i], where sums[h] is the matrix times the
  /// indicator of group h; `sum_stride` columns a row, and a multiple of 8 rows. slopes[g] = sum of gradient[i].
  void (*mixed)(const float *sums, size_t sum_stride, size_t row_count, const uint32_t *first, size_t group_count,
                const float *levels, const float *gradient, float *mixed, float *slopes);
  /// Cyclic coordinate descent on one row's codes: each is brought to the best value given all others, until nothing
  /// changes or `pass_limit` is reached. `gradient` is kept up to date. Returns the number of changes of the last pass.
  size_t (*descend)(const nk_grid_row *grid, const float *matrix, size_t column_count, const float *inverse_diagonal,
                    size_t pass_limit, float *gradient, float *values, uint8_t *codes);

  /// target[i][j] -= dot(a[i], b[j]) over `depth` elements.
  void (*subtract_products)(double *target, size_t target_stride, size_t row_count, size_t column_count,
                            const double *a, size_t a_stride, const double *b, size_t b_stride, size_t depth);
  /// Factors a symmetric matrix, of which the lower half is read, into L L'; L replaces it. Returns 0, leaving the matrix
  /// half done, when it is not positive definite.
  int (*factor)(double *matrix, size_t stride, size_t count);
  /// Solves x L' = row for each row, in place; L is a lower triangle of `count` columns.
  void (*solve_rows)(double *rows, size_t stride, size_t row_count, const double *lower, size_t lower_stride,
                     size_t count);
  /// Solves L L' x = b for eight right-hand sides, b[count][8], in place.
  void (*solve_tile)(const double *lower, size_t stride, size_t count, double *b);
} nk_feedback_table;

/// The best table that this machine can run.
const nk_feedback_table *nk_feedback(void);

/// The table of one instruction set, or null where this machine or build has none.
const nk_feedback_table *nk_feedback_for(enum nk_instruction_set instruction_set);

#endif
