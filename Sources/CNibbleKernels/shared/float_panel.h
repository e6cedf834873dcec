// Panels of floats, written once in vector-extension C and compiled for each instruction set. 16 rows are expanded to
// float and transposed, so that a vector holds one column of several rows and no sum crosses lanes; each result is one
// chain of fused multiply-adds in the order of the columns.
//
// The including file defines NK_LANES (floats of a vector: 4, 8 or 16) and, where the compiler converts halves with
// instructions, NK_HARDWARE_HALF.
#ifndef NIBBLE_SHARED_FLOAT_PANEL_H
#define NIBBLE_SHARED_FLOAT_PANEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "float_lanes.h"
#include "half.h"

enum nk_float_format { NK_FORMAT_F32, NK_FORMAT_F16, NK_FORMAT_BF16 };

enum { nk_panel_rows = 16, nk_panel_vectors = 16 / NK_LANES, nk_float_chunk = 320 };

typedef float nk_float8 __attribute__((vector_size(32), aligned(4)));
typedef uint32_t nk_word8 __attribute__((vector_size(32), aligned(4)));

/// Eight floats, or eight half floats as floats.
NK_INLINE nk_float8 nk_load8(enum nk_float_format format, const uint8_t *p) {
  nk_float8 floats;
  if (format == NK_FORMAT_F32) {
    memcpy(&floats, p, 32);
    return floats;
  }
#if defined(NK_HARDWARE_HALF)
  typedef _Float16 nk_half8 __attribute__((vector_size(16), aligned(2)));
  nk_half8 halves;
  memcpy(&halves, p, 16);
  return __builtin_convertvector(halves, nk_float8);
#else
  uint16_t bits[8];
  memcpy(bits, p, 16);
  for (int i = 0; i < 8; i++) floats[i] = nk_float_from_half(bits[i]);
  return floats;
#endif
}

/// Turns 8 vectors of 8 columns each into 8 vectors of 8 rows each.
NK_INLINE void nk_transpose8(nk_float8 v[8]) {
  nk_float8 t[8], u[8];
  for (int i = 0; i < 4; i++) {
    t[2 * i] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[2 * i + 1] = __builtin_shufflevector(v[2 * i], v[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 2; i++) {
    for (int j = 0; j < 2; j++) {
      nk_float8 a = t[4 * i + j], b = t[4 * i + j + 2];
      u[4 * i + 2 * j] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
      u[4 * i + 2 * j + 1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int i = 0; i < 4; i++) {
    v[i] = __builtin_shufflevector(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    v[i + 4] = __builtin_shufflevector(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

/// Columns that nk_columns takes at a time: bfloats come in pairs, so that half as many vectors are transposed.
NK_INLINE size_t nk_column_step(enum nk_float_format format) { return format == NK_FORMAT_BF16 ? 16 : 8; }

/// Loads columns c ..< c + count (count <= nk_column_step) of 8 rows as columns of 8 rows; missing columns are zero.
NK_INLINE void nk_columns(enum nk_float_format format, const uint8_t *const rows[8], size_t c, size_t count,
                          nk_float8 v[16]) {
  const size_t bytes = format == NK_FORMAT_F32 ? 4 : 2, step = nk_column_step(format);
  nk_float8 t[8];
  for (int r = 0; r < 8; r++) {
    const uint8_t *p = rows[r] + bytes * c;
    uint8_t padded[32];
    if (count < step) {
      memset(padded, 0, sizeof padded);
      memcpy(padded, p, bytes * count);
      p = padded;
    }
    t[r] = nk_load8(format == NK_FORMAT_BF16 ? NK_FORMAT_F32 : format, p);
  }
  nk_transpose8(t);
  for (int i = 0; i < 8; i++) {
    if (format == NK_FORMAT_BF16) {
      v[2 * i] = (nk_float8)((nk_word8)t[i] << 16);
      v[2 * i + 1] = (nk_float8)((nk_word8)t[i] & 0xFFFF0000);
    } else {
      v[i] = t[i];
    }
  }
}

/// y[16] for one activation row, straight from the packed rows.
NK_INLINE void nk_float_direct(enum nk_float_format format, const uint8_t *const rows[16], size_t row_bytes,
                               const float *x, size_t columns, float *y) {
  const size_t bytes = format == NK_FORMAT_F32 ? 4 : 2, step = nk_column_step(format);
  nk_float8 low = {0}, high = {0};
  for (size_t c = 0; c < columns; c += step) {
    nk_float8 a[16], b[16];
    // The rows are read side by side, which hides from the processor that memory is read in order: name the next rows.
    if (bytes * c % 64 == 0)
      for (int r = 0; r < nk_panel_rows; r++) __builtin_prefetch(rows[r] + nk_panel_rows * row_bytes + bytes * c);
    if (columns - c >= step) {
      nk_columns(format, rows, c, step, a);
      nk_columns(format, rows + 8, c, step, b);
      for (size_t i = 0; i < step; i++) {
        nk_float8 factor = x[c + i] - (nk_float8){0};
        low = __builtin_elementwise_fma(a[i], factor, low);
        high = __builtin_elementwise_fma(b[i], factor, high);
      }
    } else {
      nk_columns(format, rows, c, columns - c, a);
      nk_columns(format, rows + 8, c, columns - c, b);
      for (size_t i = 0; i < columns - c; i++) {
        nk_float8 factor = x[c + i] - (nk_float8){0};
        low = __builtin_elementwise_fma(a[i], factor, low);
        high = __builtin_elementwise_fma(b[i], factor, high);
      }
    }
  }
  memcpy(y, &low, 32);
  memcpy(y + 8, &high, 32);
}

/// One column of nk_float_tile: `x` at the column of the first activation row, the others `stride` floats apart.
NK_INLINE void nk_float_step(int count, const float *panel, const float *x, const size_t strides[6],
                             nk_lanes total[6][nk_panel_vectors]) {
  nk_lanes w[nk_panel_vectors];
  for (int v = 0; v < nk_panel_vectors; v++) memcpy(&w[v], panel + NK_LANES * v, sizeof(nk_lanes));
  for (int i = 0; i < count; i++) {
    nk_lanes factor = x[strides[i]] - (nk_lanes){0};
    for (int v = 0; v < nk_panel_vectors; v++) total[i][v] = __builtin_elementwise_fma(w[v], factor, total[i][v]);
  }
}

/// Continues `count` rows of 16 sums, sums[i * sums_stride ...], over `length` columns: column c of the panel's 16 rows is at
/// panel + panel_stride * c. `begins`: the sums are none yet.
NK_INLINE void nk_float_tile(int count, const float *panel, size_t panel_stride, const float *x, size_t x_stride,
                             size_t length, int begins, float *sums, size_t sums_stride) {
  nk_lanes total[6][nk_panel_vectors];
  for (int i = 0; i < count; i++)
    for (int v = 0; v < nk_panel_vectors; v++) {
      total[i][v] = (nk_lanes){0};
      if (!begins) memcpy(&total[i][v], sums + sums_stride * (size_t)i + NK_LANES * v, sizeof(nk_lanes));
    }
  // Multiples of the stride that no addressing mode has are made once.
  size_t strides[6] = {0, x_stride, 2 * x_stride, 3 * x_stride, 4 * x_stride, 5 * x_stride};
  __asm__("" : "+r"(strides[3]), "+r"(strides[5]));
  for (; length >= 4; length -= 4, x += 4, panel += 4 * panel_stride) {
#pragma clang loop unroll(full)
    for (size_t c = 0; c < 4; c++) nk_float_step(count, panel + c * panel_stride, x + c, strides, total);
  }
  for (; length > 0; length--, x++, panel += panel_stride) nk_float_step(count, panel, x, strides, total);
  for (int i = 0; i < count; i++)
    for (int v = 0; v < nk_panel_vectors; v++)
      memcpy(sums + sums_stride * (size_t)i + NK_LANES * v, &total[i][v], sizeof(nk_lanes));
}

#define NK_FLOAT_TILE(name, count)                                                                                 \
  static __attribute__((noinline)) void name(const float *panel, const float *x, size_t x_stride, size_t length, \
                                             int begins, float *sums, size_t sums_stride) {                        \
    nk_float_tile(count, panel, nk_panel_rows, x, x_stride, length, begins, sums, sums_stride);                    \
  }
NK_FLOAT_TILE(nk_float_tile6, 6)
NK_FLOAT_TILE(nk_float_tile4, 4)
NK_FLOAT_TILE(nk_float_tile2, 2)
NK_FLOAT_TILE(nk_float_tile1, 1)

/// The widest tile for `left` columns: 6, 4, 2 or 1.
NK_INLINE size_t nk_tile_columns(size_t left) { return left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

/// Multiplies a panel of columns first ..< first + length with all activation rows: y[i * y_stride + r] for r < valid
/// is begun when `first` is 0 and continued otherwise.
NK_INLINE void nk_multiply_panel(const float *panel, size_t first, size_t length, size_t valid, const float *x,
                                 size_t x_stride, size_t count, float *y, size_t y_stride) {
  const int is_whole = valid == nk_panel_rows;
  for (size_t i = 0, tile; i < count; i += tile) {
    tile = nk_tile_columns(count - i);
    const float *values = x + i * x_stride + first;
    float *out = y + i * y_stride, part[6 * nk_panel_rows] = {0};
    if (!is_whole && first > 0)
      for (size_t j = 0; j < tile; j++) memcpy(part + nk_panel_rows * j, out + j * y_stride, valid * sizeof(float));
    float *const sums = is_whole ? out : part;
    const size_t stride = is_whole ? y_stride : nk_panel_rows;
    switch (tile) {
      case 6: nk_float_tile6(panel, values, x_stride, length, first == 0, sums, stride); break;
      case 4: nk_float_tile4(panel, values, x_stride, length, first == 0, sums, stride); break;
      case 2: nk_float_tile2(panel, values, x_stride, length, first == 0, sums, stride); break;
      default: nk_float_tile1(panel, values, x_stride, length, first == 0, sums, stride); break;
    }
    if (!is_whole)
      for (size_t j = 0; j < tile; j++) memcpy(out + j * y_stride, part + nk_panel_rows * j, valid * sizeof(float));
  }
}

/// Rows of floats in one of the formats.
typedef struct {
  const uint8_t *bytes;
  size_t row_bytes;
  size_t row_count;
  size_t columns;
} nk_float_rows;

/// y[i * y_stride + r] = the product of row `r` and x[i * x_stride ...]; `panel` holds nk_float_chunk * 16 floats.
NK_INLINE void nk_multiply_floats(enum nk_float_format format, const nk_float_rows w, const float *x, size_t x_stride,
                                  size_t count, float *y, size_t y_stride, float *panel) {
  for (size_t r = 0; r < w.row_count; r += nk_panel_rows) {
    size_t valid = w.row_count - r < nk_panel_rows ? w.row_count - r : nk_panel_rows;
    const uint8_t *rows[nk_panel_rows];
    for (size_t i = 0; i < nk_panel_rows; i++) rows[i] = w.bytes + (r + (i < valid ? i : valid - 1)) * w.row_bytes;
    if (count == 1) {
      float sums[nk_panel_rows];
      nk_float_direct(format, rows, w.row_bytes, x, w.columns, sums);
      memcpy(y + r, sums, valid * sizeof(float));
      continue;
    }
    // As many panels as the columns need, of about one length.
    const size_t step = nk_column_step(format), parts = (w.columns + nk_float_chunk - 1) / nk_float_chunk;
    const size_t most = ((w.columns + parts - 1) / parts + step - 1) / step * step;
    for (size_t first = 0, length; first < w.columns; first += length) {
      length = w.columns - first < most ? w.columns - first : most;
      for (size_t c = 0; c < length; c += step)
        for (size_t half = 0; half < nk_panel_rows; half += 8) {
          nk_float8 v[16];
          size_t left = length - c < step ? length - c : step;
          nk_columns(format, rows + half, first + c, left, v);
          for (size_t i = 0; i < left; i++) memcpy(panel + nk_panel_rows * (c + i) + half, &v[i], 32);
        }
      nk_multiply_panel(panel, first, length, valid, x, x_stride, count, y + r, y_stride);
    }
  }
}

#endif
