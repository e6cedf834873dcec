// The kernels of block floating point; included once for each instruction set, with NK_PANEL_TABLE named and
// `nk_pair_products` defined: for each of eight pairs of 16-bit integers, the sum of both products.
#include "../blocks/lanes.h"
#include "../include/nk_panels.h"

/// The largest magnitude in each lane, or NaN or infinity where there is one: maxima alone would pass over NaN.
NK_INLINE nk_v8 widest(nk_v8 largest, nk_v8 value) {
  nk_v8 magnitude = nk_abs(value);
  return ((magnitude <= largest) | (largest != largest)) ? largest : magnitude;
}

/// The scale of a run whose largest magnitude is `largest`, and its inverse.
NK_INLINE nk_v8 scale_of(nk_v8 largest, nk_v8 *inverse) {
  nk_v8 scale = largest * (1.0f / NK_PANEL_LIMIT);
  *inverse = nk_inverse(scale);
  return scale;
}

/// Two elements of each of eight rows, rounded, side by side.
NK_INLINE nk_v8i codes_of(nk_v8 first, nk_v8 second, nk_v8 inverse) {
  const nk_v8 magic = nk_splat(12582912.0f);
  const nk_v8i bias = nk_lanes_to_bits(magic);
  nk_v8 limit = nk_splat(NK_PANEL_LIMIT);
  nk_v8 a = nk_max(nk_min(first * inverse, limit), -limit), b = nk_max(nk_min(second * inverse, limit), -limit);
  return ((nk_lanes_to_bits(a + magic) - bias) & 0xFFFF) | ((nk_lanes_to_bits(b + magic) - bias) << 16);
}

NK_INLINE void store_codes(int16_t *codes, nk_v8i pairs) { memcpy(codes, &pairs, sizeof pairs); }

/// Rows of up to eight elements, or eight elements of each row turned round.
typedef struct {
  const float *values;
  size_t stride, row_count;
  int are_columns;
} source;

/// Elements `first` ..< `first` + 8 of eight rows, those from `end` on zero: out[element][row].
NK_INLINE void read8(const source *from, size_t first, size_t end, nk_v8 out[8]) {
  size_t length = end - first < 8 ? end - first : 8;
  if (length == 8 && from->row_count == NK_PANEL_ROWS) {
    if (from->are_columns) {
      for (size_t i = 0; i < 8; i++) out[i] = nk_load(from->values + (first + i) * from->stride);
    } else {
      nk_transpose8(from->values + first, (int)from->stride, out);
    }
    return;
  }
  for (size_t i = 0; i < 8; i++) {
    float lanes[8] = {0};
    for (size_t r = 0; i < length && r < from->row_count; r++) {
      lanes[r] = from->are_columns ? from->values[(first + i) * from->stride + r]
                                   : from->values[r * from->stride + first + i];
    }
    out[i] = nk_load(lanes);
  }
}

NK_INLINE void pack(const source *from, size_t count, int16_t *codes, float *scales) {
  nk_v8 values[NK_PANEL_RUN];
  for (size_t first = 0; first < count; first += NK_PANEL_RUN) {
    size_t length = count - first < NK_PANEL_RUN ? count - first : NK_PANEL_RUN;
    nk_v8 largest = nk_splat(0.0f), inverse;
    for (size_t i = 0; i < length; i += 8) read8(from, first + i, count, values + i);
    for (size_t i = 0; i < length; i++) largest = widest(largest, values[i]);
    nk_store(scales, scale_of(largest, &inverse));
    scales += NK_PANEL_ROWS;
    for (size_t i = 0; i < length; i += 2) {
      // The last length may be odd: what was read beyond it is zero.
      store_codes(codes, codes_of(values[i], values[i + 1], inverse));
      codes += 2 * NK_PANEL_ROWS;
    }
  }
}

static void pack_rows(
  const float *rows, size_t stride, size_t row_count, size_t count, int16_t *codes, float *scales) {
  source from = {rows, stride, row_count, 0};
  pack(&from, count, codes, scales);
}

static void pack_columns(
  const float *columns, size_t stride, size_t row_count, size_t count, int16_t *codes, float *scales) {
  source from = {columns, stride, row_count, 1};
  pack(&from, count, codes, scales);
}

static void multiply(
  const int16_t *a, const float *a_scales, const int16_t *b, const float *b_scales, size_t count, size_t row_count,
  size_t column_count, int is_adding, float *result, size_t stride) {
  nk_v8 sums[NK_PANEL_ROWS];
  for (int i = 0; i < NK_PANEL_ROWS; i++) sums[i] = nk_splat(0.0f);
  for (size_t first = 0; first < count; first += NK_PANEL_RUN) {
    size_t length = count - first < NK_PANEL_RUN ? count - first : NK_PANEL_RUN;
    nk_v8i s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
    for (size_t pair = 0; pair < (length + 1) / 2; pair++) {
      nk_v8i right;
      int32_t left[8];
      memcpy(&right, b, sizeof right);
      memcpy(left, a, sizeof left);
      s0 += nk_pair_products(left[0], right);
      s1 += nk_pair_products(left[1], right);
      s2 += nk_pair_products(left[2], right);
      s3 += nk_pair_products(left[3], right);
      s4 += nk_pair_products(left[4], right);
      s5 += nk_pair_products(left[5], right);
      s6 += nk_pair_products(left[6], right);
      s7 += nk_pair_products(left[7], right);
      a += 2 * NK_PANEL_ROWS;
      b += 2 * NK_PANEL_ROWS;
    }
    nk_v8i runs[8] = {s0, s1, s2, s3, s4, s5, s6, s7};
    nk_v8 scale = nk_load(b_scales);
    for (int i = 0; i < NK_PANEL_ROWS; i++) {
      sums[i] += __builtin_convertvector(runs[i], nk_v8) * scale * a_scales[i];
    }
    a_scales += NK_PANEL_ROWS;
    b_scales += NK_PANEL_ROWS;
  }
  if (row_count == NK_PANEL_ROWS && column_count == NK_PANEL_ROWS) {
    for (int i = 0; i < NK_PANEL_ROWS; i++) {
      float *row = result + i * stride;
      nk_store(row, is_adding ? nk_load(row) + sums[i] : sums[i]);
    }
    return;
  }
  for (size_t i = 0; i < row_count; i++) {
    float lanes[8];
    nk_store(lanes, sums[i]);
    for (size_t j = 0; j < column_count; j++) {
      float *target = result + i * stride + j;
      *target = is_adding ? *target + lanes[j] : lanes[j];
    }
  }
}

const nk_panel_table NK_PANEL_TABLE = {
  .pack_rows = pack_rows,
  .pack_columns = pack_columns,
  .multiply = multiply,
};
