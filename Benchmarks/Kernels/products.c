// Checks each table against the scalar one and times it:  products [type name] [rows] [columns]
// One line a type: multiply-adds a second with 512, 8, 3 and 2 activation rows, and weight bytes a second with one. One
// thread, in processor time, the best of several runs; with 512 rows also the mean, which is what a model sees on a shared machine.
//
//   cd Sources/CNibbleKernels && clang -std=gnu11 -O2 -I. -Iinclude ../../Benchmarks/Kernels/products.c \
//     matmul/*.c instruction_set.c -lm -o /tmp/products
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nk_matmul.h"

static const struct {
  enum nk_weight_type type;
  const char *name;
  int scale_offsets[2];
} types[] = {
    {NK_WEIGHT_F32, "f32", {-1, -1}},     {NK_WEIGHT_F16, "f16", {-1, -1}},   {NK_WEIGHT_BF16, "bf16", {-1, -1}},
    {NK_WEIGHT_Q4_0, "q4_0", {0, -1}},    {NK_WEIGHT_Q4_1, "q4_1", {0, 2}},   {NK_WEIGHT_Q5_0, "q5_0", {0, -1}},
    {NK_WEIGHT_Q5_1, "q5_1", {0, 2}},     {NK_WEIGHT_Q8_0, "q8_0", {0, -1}},  {NK_WEIGHT_Q2_K, "q2_k", {80, 82}},
    {NK_WEIGHT_Q3_K, "q3_k", {108, -1}},  {NK_WEIGHT_Q4_K, "q4_k", {0, 2}},   {NK_WEIGHT_Q5_K, "q5_k", {0, 2}},
    {NK_WEIGHT_Q6_K, "q6_k", {208, -1}},  {NK_WEIGHT_IQ4_NL, "iq4_nl", {0, -1}},
    {NK_WEIGHT_IQ4_XS, "iq4_xs", {0, -1}},
};

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint32_t state = 1;
static uint32_t next(void) { return state = state * 1664525 + 1013904223, state >> 8; }

static void fill(enum nk_weight_type type, const int offsets[2], uint8_t *bytes, size_t count) {
  size_t block = nk_weight_row_bytes(type, 256) / (nk_weight_row_bytes(type, 32) ? 8 : 1);
  for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)next();
  if (offsets[0] < 0) {
    for (size_t i = 0; i < count / (type == NK_WEIGHT_F32 ? 4 : 2); i++) {
      float value = (float)(int)(next() % 2001) / 1000 - 1;
      _Float16 half = (_Float16)value;
      if (type == NK_WEIGHT_F32) memcpy(bytes + 4 * i, &value, 4);
      else if (type == NK_WEIGHT_F16) memcpy(bytes + 2 * i, &half, 2);
      else memcpy(bytes + 2 * i, (char *)&value + 2, 2);
    }
    return;
  }
  for (size_t i = 0; i + block <= count; i += block)
    for (int k = 0; k < 2; k++)
      if (offsets[k] >= 0) {
        uint16_t half = (uint16_t)(0x2000 + next() % 0x800 + (next() & 1) * 0x8000);
        memcpy(bytes + i + offsets[k], &half, 2);
      }
}

int main(int argc, char **argv) {
  size_t rows = argc > 2 ? (size_t)atoi(argv[2]) : 576, columns = argc > 3 ? (size_t)atoi(argv[3]) : 1536, n = 512;
  const nk_matmul_table *fast = nk_matmul(), *scalar = nk_matmul_for(NK_SCALAR);
  float *x = aligned_alloc(64, n * columns * 4);
  float *y = aligned_alloc(64, n * rows * 4), *z = aligned_alloc(64, n * rows * 4);
  for (size_t i = 0; i < n * columns; i++) x[i] = (float)(int)(next() % 20001) / 10000 - 1;
  void *scratch = aligned_alloc(64, (nk_matmul_scratch_bytes(columns) + 63) / 64 * 64);
  void *memory = aligned_alloc(64, (nk_activation_bytes(columns, n, 1) + 63) / 64 * 64);
  nk_activations a = nk_activations_in(memory, x, columns, n, 1);
  double t = seconds();
  for (int i = 0; i < 20; i++) fast->quantize(&a, 0, n);
  printf("quantize %.2f G/s\n", 20e-9 * (double)(n * columns) / (seconds() - t));
  for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
    if (argc > 1 && strcmp(argv[1], "all") && strcmp(argv[1], types[k].name)) continue;
    size_t row_bytes = nk_weight_row_bytes(types[k].type, columns);
    if (!row_bytes) continue;
    uint8_t *bytes = malloc(rows * row_bytes);
    fill(types[k].type, types[k].scale_offsets, bytes, rows * row_bytes);
    nk_matrix w = {types[k].type, bytes, rows, columns};
    int wrong = 0;
    for (size_t count = 1; count < 16; count++) {
      fast->multiply(&w, 3, 37, &a, count, y, 40, scratch);
      scalar->multiply(&w, 3, 37, &a, count, z, 40, scratch);
      for (size_t i = 0; i < count; i++)
        for (size_t r = 0; r < 37; r++) wrong += y[i * 40 + r] != z[i * 40 + r];
    }
    double best = 1e9, sum = 0, single = 1e9;
    enum { runs = 100 };
    for (int i = 0; i < runs; i++) {
      t = seconds();
      fast->multiply(&w, 0, rows, &a, n, y, rows, scratch);
      t = seconds() - t;
      sum += t;
      if (t < best) best = t;
    }
    for (int i = 0; i < 200; i++) {
      t = seconds();
      fast->multiply(&w, 0, rows, &a, 1, y, rows, scratch);
      t = seconds() - t;
      if (t < single) single = t;
    }
    static const size_t counts[] = {2, 3, 8};
    double small[3] = {1e9, 1e9, 1e9};
    for (int j = 0; j < 3; j++)
      for (int i = 0; i < 40; i++) {
        t = seconds();
        fast->multiply(&w, 0, rows, &a, counts[j], y, rows, scratch);
        t = seconds() - t;
        if (t < small[j]) small[j] = t;
      }
    double macs = 1e-9 * (double)(rows * columns);
    printf("%-7s wrong %d   %6.1f GMAC/s at 512 (mean %.1f)  %5.1f at 8  %5.1f at 3  %5.1f at 2;  ", types[k].name, wrong,
           macs * (double)n / best, macs * (double)n * runs / sum, macs * 8 / small[2], macs * 3 / small[1], macs * 2 / small[0]);
    printf("%5.1f GB/s %5.1f GMAC/s at 1\n", 1e-9 * (double)(rows * row_bytes) / single, macs / single);
    free(bytes);
  }
}
