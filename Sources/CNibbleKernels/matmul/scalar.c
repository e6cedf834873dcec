// The definition of the products, in portable C; and what needs no instruction set.
#include <math.h>

#include "groups.h"
#include "tables.h"

#pragma STDC FP_CONTRACT OFF

size_t nk_weight_row_bytes(enum nk_weight_type type, size_t columns) {
  size_t block = nk_block_columns(type);
  return columns % block == 0 ? columns / block * nk_block_bytes(type) : 0;
}

size_t nk_matmul_scratch_bytes(size_t columns) { return (columns / 32 + 1) * 1152 + (1 << 15); }

static float float_weight(enum nk_weight_type type, const uint8_t *row, size_t column) {
  uint32_t word = 0;
  size_t bytes = nk_block_bytes(type);
  memcpy(&word, row + bytes * column, bytes);
  if (type == NK_WEIGHT_F16) return nk_float_from_half((uint16_t)word);
  return nk_float_from_bits(type == NK_WEIGHT_BF16 ? word << 16 : word);
}

void nk_decode_weights(enum nk_weight_type type, const uint8_t *row, size_t columns, float *out) {
  size_t block = nk_block_columns(type);
  if (block == 1) {
    for (size_t c = 0; c < columns; c++) out[c] = float_weight(type, row, c);
    return;
  }
  for (size_t c = 0; c < columns; c += 32) {
    nk_group g;
    nk_decode_group(type, row + c / block * nk_block_bytes(type), c % block / 32, &g);
    for (int h = 0; h < 2; h++) {
      float scale = g.scale * (float)g.sub_scale[h];
      float minimum = type == NK_WEIGHT_Q2_K ? g.minimum_scale * (float)g.sub_minimum[h] : g.minimum;
      int has_minimum = type == NK_WEIGHT_Q2_K || nk_has_minimum(type);
      for (size_t i = 0; i < 16; i++) {
        float value = scale * (float)g.codes[16 * (size_t)h + i];
        out[c + 16 * (size_t)h + i] = has_minimum ? value + minimum : value;
      }
    }
  }
}

static void quantize(const nk_activations *x, size_t first, size_t count) {
  size_t blocks = x->columns / 32;
  for (size_t b = first * blocks; b < (first + count) * blocks; b++) {
    const float *values = x->values + 32 * b;
    uint32_t largest = 0;
    for (int c = 0; c < 32; c++) {
      uint32_t magnitude = nk_bits_from_float(values[c]) & 0x7FFFFFFF;
      if (magnitude > largest) largest = magnitude;
    }
    float maximum = nk_float_from_bits(largest);
    int is_zero = maximum < 0x1p-100f, is_finite = largest < 0x7F800000;
    float inverse = is_zero || !is_finite ? 0 : 127 / maximum;
    int sums[2] = {0, 0};
    for (int c = 0; c < 32; c++) {
      float scaled = is_finite ? values[c] * inverse : 0;
      int code = (int)(scaled + 12582912.0f - 12582912.0f);  // to the nearest integer, ties to even
      x->codes[32 * b + (size_t)c] = (int8_t)code;
      if (x->words) x->words[32 * b + (size_t)c] = (int16_t)code;
      sums[c / 16] += code;
    }
    x->scales[b] = is_zero ? 0 : maximum / 127;
    x->sums[b] = x->scales[b] * (float)(sums[0] + sums[1]);
    x->half_sums[2 * b] = (int16_t)sums[0];
    x->half_sums[2 * b + 1] = (int16_t)sums[1];
  }
}

static float product_with_floats(const nk_matrix *w, const uint8_t *row, const float *x) {
  float sum = 0;
  for (size_t c = 0; c < w->columns; c++) sum = fmaf(float_weight(w->type, row, c), x[c], sum);
  return sum;
}

static float product_with_codes(const nk_matrix *w, const uint8_t *row, const nk_activations *x, size_t i) {
  size_t block = nk_block_columns(w->type), blocks = w->columns / 32;
  float sum = 0;
  for (size_t b = 0; b < blocks; b++) {
    nk_group g;
    nk_decode_group(w->type, row + 32 * b / block * nk_block_bytes(w->type), 32 * b % block / 32, &g);
    const int8_t *codes = x->codes + 32 * (i * blocks + b);
    const int16_t *half_sums = x->half_sums + 2 * (i * blocks + b);
    int halves[2] = {0, 0};
    for (int c = 0; c < 32; c++) halves[c / 16] += g.codes[c] * codes[c];
    float scale = x->scales[i * blocks + b];
    sum = fmaf(g.scale * scale, (float)(g.sub_scale[0] * halves[0] + g.sub_scale[1] * halves[1]), sum);
    if (nk_has_minimum(w->type)) sum = fmaf(g.minimum, x->sums[i * blocks + b], sum);
    if (w->type == NK_WEIGHT_Q2_K)
      sum = fmaf(g.minimum_scale * scale,
                 (float)(g.sub_minimum[0] * half_sums[0] + g.sub_minimum[1] * half_sums[1]), sum);
  }
  return sum;
}

static void multiply(const nk_matrix *w, size_t first_row, size_t row_count, const nk_activations *x, size_t count,
                     float *y, size_t y_stride, void *scratch) {
  (void)scratch;
  size_t row_bytes = nk_weight_row_bytes(w->type, w->columns);
  int has_floats = nk_block_columns(w->type) == 1;
  for (size_t i = 0; i < count; i++)
    for (size_t r = 0; r < row_count; r++) {
      const uint8_t *row = w->bytes + (first_row + r) * row_bytes;
      y[i * y_stride + r] = has_floats ? product_with_floats(w, row, x->values + i * w->columns)
                                       : product_with_codes(w, row, x, i);
    }
}

const nk_matmul_table nk_matmul_scalar = {quantize, multiply, nk_takes_no_words};
