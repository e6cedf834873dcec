// Products with float weights: the panels of shared/float_panel.h over the rows of a matrix.
#ifndef NK_MATMUL_FLOAT_ROWS_H
#define NK_MATMUL_FLOAT_ROWS_H

#include "../shared/float_panel.h"
#include "groups.h"

#define NK_MULTIPLY_FLOATS(name, format, element_bytes)                                                             \
  static __attribute__((noinline)) void name(const nk_matrix *w, size_t first_row, size_t row_count,                \
                                             const nk_activations *x, size_t count, float *y, size_t y_stride,      \
                                             void *scratch) {                                                       \
    size_t row_bytes = w->columns * element_bytes;                                                                  \
    nk_float_rows rows = {w->bytes + first_row * row_bytes, row_bytes, row_count, w->columns};                      \
    nk_multiply_floats(format, rows, x->values, w->columns, count, y, y_stride, scratch);                           \
  }

NK_MULTIPLY_FLOATS(nk_multiply_f32, NK_FORMAT_F32, 4)
NK_MULTIPLY_FLOATS(nk_multiply_f16, NK_FORMAT_F16, 2)
NK_MULTIPLY_FLOATS(nk_multiply_bf16, NK_FORMAT_BF16, 2)

#endif
