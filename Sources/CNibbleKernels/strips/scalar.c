// The definition of the products with strips.
#include <math.h>

#include "strips.h"

#pragma STDC FP_CONTRACT OFF

/// The number of column `k` of row `r` of the block at `p`.
static int number_at(const nk_strips *w, const uint8_t *p, size_t r, size_t k) {
  if (w->codes == NK_STRIP_8_BITS) return p[64 * (k / 4) + 4 * r + k % 4];
  const int code = p[64 * (k / 4 % 4) + 4 * r + k % 4] >> (k < 16 ? 0 : 4) & 15;
  return w->codes == NK_STRIP_4_BITS ? code : w->levels[code];
}

static float product(const nk_strips *w, const uint8_t *p, size_t r, const nk_activations *x, size_t i) {
  const size_t blocks = w->columns / 32, length = w->group_columns / 32;
  float sum = 0;
  for (size_t first = 0; first < blocks; first += length) {
    const nk_strip_head head = nk_strip_head_at(w, p);
    const float scale = head.scales[r] * w->unit;
    const int zero = head.zeros ? head.zeros[r] & 0x7FFF : w->zero;
    p += nk_strip_head_bytes(w);
    for (size_t b = first; b < blocks && b < first + length; b++, p += nk_strip_block_bytes(w->codes)) {
      const size_t block = i * blocks + b;
      int total = 0;
      for (size_t k = 0; k < 32; k++) total += (number_at(w, p, r, k) - zero) * x->codes[32 * block + k];
      sum = fmaf(scale * x->scales[block], (float)total, sum);
      if (head.minima) sum = fmaf(head.minima[r], x->sums[block], sum);
    }
  }
  return sum;
}

static void multiply(const nk_strips *w, size_t first_row, size_t row_count, const nk_activations *x, size_t count,
                     float *y, size_t y_stride, void *scratch) {
  (void)scratch;
  for (size_t i = 0; i < count; i++)
    for (size_t r = 0; r < row_count; r++) {
      const size_t row = first_row + r;
      y[i * y_stride + r] =
          product(w, w->bytes + row / nk_strip_rows * nk_strip_bytes(w), row % nk_strip_rows, x, i);
    }
}

const nk_strip_table nk_strips_scalar = {multiply, nk_strips_take_no_words};
