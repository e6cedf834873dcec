#include "samples.h"

static const enum nk_strip_codes kinds[] = {NK_STRIP_4_BITS, NK_STRIP_8_BITS, NK_STRIP_5_BIT_LEVELS,
                                            NK_STRIP_8_BIT_LEVELS, NK_STRIP_12_BIT_LEVELS};

enum { rows = 45, most = 41, stride = 50 };

/// Codes, scales and zero points: random ones, all the largest, or all zero.
static void fill_weights(nk_strips *w, int kind, uint8_t *bytes, uint64_t *state) {
  const size_t groups = (w->columns + w->group_columns - 1) / w->group_columns;
  const int top = w->codes == NK_STRIP_5_BIT_LEVELS ? 31 : w->codes == NK_STRIP_8_BIT_LEVELS ? 255 : 4095;
  uint8_t *codes = malloc(16 * w->columns);
  float *scales = malloc(16 * groups * sizeof(float)), *minima = malloc(16 * groups * sizeof(float));
  int32_t *zeros = malloc(16 * groups * sizeof(int32_t));
  w->zero = kind == 0 ? (int)(next_bits(state) % 4096) : kind == 1 ? 0 : 4095;
  w->unit = kind == 0 ? 0.37f : 1;
  for (int k = 0; k < 16; k++) {
    w->levels[k] = (uint16_t)(kind == 0 ? next_bits(state) % (unsigned)(top + 1) : kind == 1 ? (unsigned)top : 0);
    w->values[k] = (float)w->levels[k] * w->unit;
  }
  for (size_t first = 0; first < rows; first += 16) {
    const uint8_t largest = w->codes == NK_STRIP_8_BITS ? 255 : 15;
    for (size_t i = 0; i < 16 * w->columns; i++)
      codes[i] = kind == 0 ? (uint8_t)(next_bits(state) & largest) : kind == 1 ? largest : 0;
    fill_numbers(scales, 16 * groups, kind == 3 ? tiny : kind == 2 ? huge : mixed, state);
    fill_numbers(minima, 16 * groups, kind == 3 ? constant : ordinary, state);
    for (size_t i = 0; i < 16 * groups; i++) zeros[i] = kind == 1 ? 32767 : (int)(next_bits(state) % 400);
    nk_strip_pack(w, rows - first < 16 ? rows - first : 16, codes, scales, zeros, minima,
                  bytes + first / 16 * nk_strip_bytes(w));
  }
  free(codes);
  free(scales);
  free(minima);
  free(zeros);
}

static size_t check_kind(const nk_strip_table *table, const nk_strip_table *scalar, nk_strips w, int kind,
                         const nk_matmul_table *quantizer, char *message) {
  size_t differences = 0;
  uint64_t state = (uint64_t)w.codes * 1000 + w.columns + w.group_columns;
  uint8_t *bytes = aligned_alloc(64, (rows + 15) / 16 * nk_strip_bytes(&w));
  fill_weights(&w, kind, bytes, &state);
  w.bytes = bytes;
  float *x = malloc((most * w.columns + 1) * sizeof(float));
  float *y = malloc(most * stride * sizeof(float)), *z = malloc(most * stride * sizeof(float));
  void *memory = aligned_alloc(64, (nk_activation_bytes(w.columns, most, 1) + 63) / 64 * 64);
  void *scratch = aligned_alloc(64, (nk_matmul_scratch_bytes(w.columns) + 63) / 64 * 64);
  fill_numbers(x + 1, most * w.columns, (enum sample_kind)((w.columns / 32 + (size_t)kind) % sample_kind_count), &state);
  nk_activations a = nk_activations_in(memory, x + 1, w.columns, most, 1);
  quantizer->quantize(&a, 0, most);
  static const size_t ranges[][2] = {{7, 1}, {3, 16}, {15, 18}, {0, rows}};
  static const size_t counts[] = {1, 2, 3, 5, 6, 7, 13, most};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
      memset(y, 0, most * stride * sizeof(float));
      memset(z, 0, most * stride * sizeof(float));
      table->multiply(&w, ranges[i][0], ranges[i][1], &a, counts[j], y, stride, scratch);
      scalar->multiply(&w, ranges[i][0], ranges[i][1], &a, counts[j], z, stride, scratch);
      for (size_t k = 0; k < most * stride; k++)
        if (!same(y[k], z[k]))
          DIFFERS("codes %d, offset %d, %zu columns by %zu, kind %d, %zu rows, %zu activation rows, result %zu: %.9g, "
                  "not %.9g",
                  (int)w.codes, (int)w.offset, w.columns, w.group_columns, kind, ranges[i][1], counts[j], k,
                  (double)y[k], (double)z[k]);
    }
  free(scratch);
  free(bytes);
  free(x);
  free(y);
  free(z);
  free(memory);
  return differences;
}

size_t nk_check_strips(const nk_strip_table *table, const nk_strip_table *scalar, const nk_matmul_table *quantizer,
                       char *message) {
  static const size_t shapes[][2] = {{32, 32}, {96, 96}, {160, 64}, {256, 32}, {768, 128}};
  size_t differences = 0;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    for (int offset = 0; offset < 3; offset++)
      for (size_t s = 0; s < sizeof shapes / sizeof *shapes && !differences; s++)
        for (int kind = 0; kind < 4; kind++) {
          nk_strips w = {kinds[k], (enum nk_strip_offset)offset, rows, shapes[s][0], shapes[s][1], 0, 0, 1, {0}, {0}};
          differences += check_kind(table, scalar, w, kind, quantizer, message);
        }
  return differences;
}
