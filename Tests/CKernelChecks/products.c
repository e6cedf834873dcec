#include "samples.h"

static const enum nk_weight_type types[] = {
    NK_WEIGHT_F32,  NK_WEIGHT_F16,  NK_WEIGHT_BF16, NK_WEIGHT_Q4_0,   NK_WEIGHT_Q4_1,
    NK_WEIGHT_Q5_0, NK_WEIGHT_Q5_1, NK_WEIGHT_Q8_0, NK_WEIGHT_Q2_K,   NK_WEIGHT_Q3_K,
    NK_WEIGHT_Q4_K, NK_WEIGHT_Q5_K, NK_WEIGHT_Q6_K, NK_WEIGHT_IQ4_NL, NK_WEIGHT_IQ4_XS,
    NK_WEIGHT_MXFP4,
};

/// Where a block's half floats are, -1 for none.
static void half_offsets(enum nk_weight_type type, int offsets[2]) {
  offsets[0] = 0;
  offsets[1] = -1;
  switch (type) {
    case NK_WEIGHT_Q4_1:
    case NK_WEIGHT_Q5_1:
    case NK_WEIGHT_Q4_K:
    case NK_WEIGHT_Q5_K: offsets[1] = 2; break;
    case NK_WEIGHT_Q2_K: offsets[0] = 80; offsets[1] = 82; break;
    case NK_WEIGHT_Q3_K: offsets[0] = 108; break;
    case NK_WEIGHT_Q6_K: offsets[0] = 208; break;
    case NK_WEIGHT_MXFP4: offsets[0] = -1; break;
    default: break;
  }
}

static void fill_weights(enum nk_weight_type type, uint8_t *bytes, size_t count, int kind, uint64_t *state) {
  static const uint16_t halves[] = {0x3C00, 0x7BFF, 0x0001, 0x0000};
  size_t block = nk_weight_row_bytes(type, 256);
  int offsets[2];
  half_offsets(type, offsets);
  if (nk_weight_row_bytes(type, 32)) block = nk_weight_row_bytes(type, 32);
  for (size_t i = 0; i < count; i++) bytes[i] = kind == 1 ? 0xFF : kind == 2 ? 0 : (uint8_t)next_bits(state);
  if (nk_weight_row_bytes(type, 1)) {
    for (size_t i = 0; 4 * i + 4 <= count; i++) {
      uint32_t bits = type == NK_WEIGHT_F32 ? 0x3F000000 : 0x3C003F00;  // numbers near one, or denormal ones
      if (kind == 2) bits = type == NK_WEIGHT_F32 ? 1 : 0x00018001;
      bits ^= next_bits(state) & (type == NK_WEIGHT_F32 ? 0x807FFFFF : 0x83FF807F);
      memcpy(bytes + 4 * i, &bits, 4);
    }
    return;
  }
  if (type == NK_WEIGHT_MXFP4) {
    static const uint8_t exponents[] = {0, 1, 127, 255};
    for (size_t i = 0; i + block <= count; i += block)
      bytes[i] = kind == 0 ? (uint8_t)(120 + next_bits(state) % 8) : exponents[next_bits(state) % 4];
  }
  for (size_t i = 0; i + block <= count; i += block)
    for (int k = 0; k < 2; k++)
      if (offsets[k] >= 0) {
        uint16_t half = kind == 0 ? (uint16_t)(0x2000 + (next_bits(state) & 0x8FFF)) : halves[next_bits(state) % 4];
        memcpy(bytes + i + offsets[k], &half, 2);
      }
}

static size_t check_quantize(const nk_matmul_table *table, const nk_matmul_table *scalar, char *message) {
  enum { columns = 96, count = 24 };
  static const float specials[] = {NAN, INFINITY, -INFINITY, 3e38f, 1e-45f, 0x1p-100f, -0.0f};
  size_t differences = 0, bytes = nk_activation_bytes(columns, count, 1);
  uint64_t state = 5;
  static float x[columns * count + 1];
  char *a = aligned_alloc(64, (bytes + 63) / 64 * 64), *b = aligned_alloc(64, (bytes + 63) / 64 * 64);
  for (int kind = 0; kind < sample_kind_count; kind++) {
    fill_numbers(x, columns * count + 1, (enum sample_kind)kind, &state);
    for (size_t i = 0; i < 7; i++) x[i * 3 * columns + 40 + i] = specials[i];
    memset(a, 0, bytes);
    memset(b, 0, bytes);
    nk_activations left = nk_activations_in(a, x + kind % 2, columns, count, 1);
    nk_activations right = nk_activations_in(b, x + kind % 2, columns, count, 1);
    table->quantize(&left, 0, 5);
    table->quantize(&left, 5, count - 5);
    scalar->quantize(&right, 0, count);
    for (size_t i = 0; i < columns * count; i++)
      if (left.codes[i] != right.codes[i])
        DIFFERS("code %zu of kind %d: %d, not %d", i, kind, left.codes[i], right.codes[i]);
      else if (left.words[i] != left.codes[i] || right.words[i] != right.codes[i])
        DIFFERS("word %zu of kind %d: %d and %d, not %d", i, kind, left.words[i], right.words[i], left.codes[i]);
    for (size_t i = 0; i < columns / 32 * count; i++) {
      if (!same(left.scales[i], right.scales[i])) DIFFERS("scale %zu of kind %d", i, kind);
      if (!same(left.sums[i], right.sums[i])) DIFFERS("sum %zu of kind %d", i, kind);
      if (memcmp(left.half_sums + 2 * i, right.half_sums + 2 * i, 4)) DIFFERS("half sums %zu of kind %d", i, kind);
    }
  }
  free(a);
  free(b);
  return differences;
}

static size_t check_type(const nk_matmul_table *table, const nk_matmul_table *scalar, enum nk_weight_type type,
                         size_t columns, int kind, char *message) {
  enum { rows = 45, most = 33, stride = 50 };
  size_t differences = 0, row_bytes = nk_weight_row_bytes(type, columns);
  uint64_t state = (uint64_t)type * 1000 + columns;
  uint8_t *weights = malloc(rows * row_bytes + 1);
  float *x = malloc((most * columns + 1) * sizeof(float));
  float *y = malloc(most * stride * sizeof(float)), *z = malloc(most * stride * sizeof(float));
  size_t activation_bytes = nk_activation_bytes(columns, most, 1), scratch_bytes = nk_matmul_scratch_bytes(columns);
  void *memory = aligned_alloc(64, (activation_bytes + 63) / 64 * 64);
  void *scratch = aligned_alloc(64, (scratch_bytes + 63) / 64 * 64);
  fill_weights(type, weights + 1, rows * row_bytes, kind, &state);  // one byte off any alignment
  fill_numbers(x + 1, most * columns, (enum sample_kind)((columns / 32 + (size_t)kind) % sample_kind_count), &state);
  nk_activations a = nk_activations_in(memory, x + 1, columns, most, 1);
  if (columns % 32 == 0) scalar->quantize(&a, 0, most);
  nk_matrix w = {type, weights + 1, rows, columns};
  static const size_t ranges[][2] = {{7, 1}, {3, 16}, {0, rows}};
  static const size_t counts[] = {1, 3, 5, 6, 7, 13, most};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    for (size_t j = 0; j < sizeof counts / sizeof *counts; j++) {
      memset(y, 0, most * stride * sizeof(float));
      memset(z, 0, most * stride * sizeof(float));
      table->multiply(&w, ranges[i][0], ranges[i][1], &a, counts[j], y, stride, scratch);
      scalar->multiply(&w, ranges[i][0], ranges[i][1], &a, counts[j], z, stride, scratch);
      for (size_t k = 0; k < most * stride; k++)
        if (!same(y[k], z[k]))
          DIFFERS("type %d, %zu columns, kind %d, %zu rows, %zu activation rows, result %zu: %.9g, not %.9g", (int)type,
                  columns, kind, ranges[i][1], counts[j], k, (double)y[k], (double)z[k]);
    }
  free(weights);
  free(x);
  free(y);
  free(z);
  free(memory);
  free(scratch);
  return differences;
}

size_t nk_check_products(const nk_matmul_table *table, const nk_matmul_table *scalar, char *message) {
  size_t differences = check_quantize(table, scalar, message);
  static const size_t widths[] = {1, 7, 32, 96, 256, 300, 768};
  for (size_t t = 0; t < sizeof types / sizeof *types && !differences; t++)
    for (size_t c = 0; c < sizeof widths / sizeof *widths; c++)
      for (int kind = 0; kind < 4; kind++)
        if (nk_weight_row_bytes(types[t], widths[c]))
          differences += check_type(table, scalar, types[t], widths[c], kind, message);
  return differences;
}
