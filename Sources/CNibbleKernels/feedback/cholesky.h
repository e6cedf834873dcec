// Cholesky factors and triangular solves in double precision.
#ifndef NIBBLE_FEEDBACK_CHOLESKY_H
#define NIBBLE_FEEDBACK_CHOLESKY_H

#include <math.h>

#include "products.h"

typedef double nk_v4d __attribute__((ext_vector_type(4)));

NK_INLINE nk_v4d nk_load4(const double *address) {
  nk_v4d value;
  memcpy(&value, address, sizeof value);
  return value;
}

NK_INLINE void nk_store4(double *address, nk_v4d value) { memcpy(address, &value, sizeof value); }

NK_INLINE double nk_sum4(nk_v4d a) { return (a[0] + a[1]) + (a[2] + a[3]); }

/// Dot product in eight lanes.
NK_INLINE double nk_dot(const double *a, const double *b, size_t count) {
  nk_v4d s = (nk_v4d)0.0, t = s;
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    s += nk_load4(a + i) * nk_load4(b + i);
    t += nk_load4(a + i + 4) * nk_load4(b + i + 4);
  }
  double sum = nk_sum4(s + t);
  for (; i < count; i++) sum += a[i] * b[i];
  return sum;
}

static void subtract_products(
  double *target, size_t target_stride, size_t row_count, size_t column_count, const double *a, size_t a_stride,
  const double *b, size_t b_stride, size_t depth) {
  size_t whole = depth / 4 * 4;
  for (size_t j = 0; j < column_count; j += 4) {
    size_t width = column_count - j < 4 ? column_count - j : 4;
    for (size_t i = 0; i < row_count; i += 2) {
      size_t height = row_count - i < 2 ? row_count - i : 2;
      if (width < 4 || height < 2) {
        for (size_t r = i; r < i + height; r++) {
          for (size_t c = j; c < j + width; c++) {
            const double *x = a + r * a_stride, *y = b + c * b_stride;
            nk_v4d s = (nk_v4d)0.0;
            for (size_t k = 0; k < whole; k += 4) s += nk_load4(x + k) * nk_load4(y + k);
            double sum = nk_sum4(s);
            for (size_t k = whole; k < depth; k++) sum += x[k] * y[k];
            target[r * target_stride + c] -= sum;
          }
        }
        continue;
      }
      const double *x0 = a + i * a_stride, *x1 = x0 + a_stride;
      const double *y0 = b + j * b_stride, *y1 = y0 + b_stride, *y2 = y1 + b_stride, *y3 = y2 + b_stride;
      nk_v4d s[8];
      for (int t = 0; t < 8; t++) s[t] = (nk_v4d)0.0;
      for (size_t k = 0; k < whole; k += 4) {
        nk_v4d u = nk_load4(x0 + k), v = nk_load4(x1 + k);
        nk_v4d y = nk_load4(y0 + k);
        s[0] += u * y, s[4] += v * y;
        y = nk_load4(y1 + k);
        s[1] += u * y, s[5] += v * y;
        y = nk_load4(y2 + k);
        s[2] += u * y, s[6] += v * y;
        y = nk_load4(y3 + k);
        s[3] += u * y, s[7] += v * y;
      }
      for (size_t r = 0; r < 2; r++) {
        for (size_t c = 0; c < 4; c++) {
          const double *x = a + (i + r) * a_stride, *y = b + (j + c) * b_stride;
          double sum = nk_sum4(s[4 * r + c]);
          for (size_t k = whole; k < depth; k++) sum += x[k] * y[k];
          target[(i + r) * target_stride + j + c] -= sum;
        }
      }
    }
  }
}

static int factor(double *matrix, size_t stride, size_t count) {
  for (size_t i = 0; i < count; i++) {
    double *row = matrix + i * stride;
    for (size_t j = 0; j < i; j++) {
      const double *other = matrix + j * stride;
      row[j] = (row[j] - nk_dot(row, other, j)) / other[j];
    }
    double before = row[i], pivot = before - nk_dot(row, row, i);
    // What is left of the diagonal must be more than the rounding of the sum.
    if (!(pivot > 1e-13 * before) || !(pivot < INFINITY)) return 0;
    row[i] = __builtin_sqrt(pivot);
  }
  return 1;
}

static void solve_rows(
  double *rows, size_t stride, size_t row_count, const double *lower, size_t lower_stride, size_t count) {
  for (size_t r = 0; r < row_count; r++) {
    double *row = rows + r * stride;
    for (size_t j = 0; j < count; j++) {
      const double *other = lower + j * lower_stride;
      row[j] = (row[j] - nk_dot(row, other, j)) / other[j];
    }
  }
}

/// a - b * factor, for eight lanes.
NK_INLINE void nk_subtract_scaled(nk_v4d a[2], const nk_v4d b[2], double factor) {
  a[0] -= b[0] * factor;
  a[1] -= b[1] * factor;
}

NK_INLINE void nk_load_pair(const double *address, nk_v4d pair[2]) {
  pair[0] = nk_load4(address);
  pair[1] = nk_load4(address + 4);
}

NK_INLINE void nk_store_pair(double *address, const nk_v4d pair[2]) {
  nk_store4(address, pair[0]);
  nk_store4(address + 4, pair[1]);
}

// Four rows of the triangle at a time, so that the right-hand sides are read a quarter as often.
static void solve_tile(const double *lower, size_t stride, size_t count, double *b) {
  for (size_t i = 0; i < count; i += 4) {
    size_t height = count - i < 4 ? count - i : 4;
    nk_v4d x[4][2];
    for (size_t r = 0; r < 4; r++) nk_load_pair(b + 8 * (r < height ? i + r : i), x[r]);
    const double *r0 = lower + i * stride, *r1 = height > 1 ? r0 + stride : r0;
    const double *r2 = height > 2 ? r1 + stride : r0, *r3 = height > 3 ? r2 + stride : r0;
    for (size_t k = 0; k < i; k++) {
      nk_v4d y[2];
      nk_load_pair(b + 8 * k, y);
      nk_subtract_scaled(x[0], y, r0[k]);
      nk_subtract_scaled(x[1], y, r1[k]);
      nk_subtract_scaled(x[2], y, r2[k]);
      nk_subtract_scaled(x[3], y, r3[k]);
    }
    for (size_t r = 0; r < height; r++) {
      const double *row = lower + (i + r) * stride;
      for (size_t q = 0; q < r; q++) nk_subtract_scaled(x[r], x[q], row[i + q]);
      x[r][0] /= row[i + r];
      x[r][1] /= row[i + r];
      nk_store_pair(b + 8 * (i + r), x[r]);
    }
  }
  for (size_t end = count; end > 0;) {
    size_t height = end % 4 ? end % 4 : 4, i = end - height;
    nk_v4d x[4][2];
    const double *rows[4];
    for (size_t r = height; r-- > 0;) {
      rows[r] = lower + (i + r) * stride;
      nk_load_pair(b + 8 * (i + r), x[r]);
      for (size_t q = r + 1; q < height; q++) nk_subtract_scaled(x[r], x[q], rows[q][i + r]);
      x[r][0] /= rows[r][i + r];
      x[r][1] /= rows[r][i + r];
      nk_store_pair(b + 8 * (i + r), x[r]);
    }
    for (size_t k = 0; k < i && height == 4; k++) {
      nk_v4d y[2];
      nk_load_pair(b + 8 * k, y);
      nk_subtract_scaled(y, x[0], rows[0][k]);
      nk_subtract_scaled(y, x[1], rows[1][k]);
      nk_subtract_scaled(y, x[2], rows[2][k]);
      nk_subtract_scaled(y, x[3], rows[3][k]);
      nk_store_pair(b + 8 * k, y);
    }
    for (size_t k = 0; k < i && height < 4; k++) {
      nk_v4d y[2];
      nk_load_pair(b + 8 * k, y);
      for (size_t r = 0; r < height; r++) nk_subtract_scaled(y, x[r], rows[r][k]);
      nk_store_pair(b + 8 * k, y);
    }
    end = i;
  }
}

#endif
