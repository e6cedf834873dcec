// Checks each table of products with strips against the scalar one and times it:  strips [rows] [columns] [group columns]
// One line a kind of codes: multiply-adds a second with 512, 8, 3 and 2 activation rows, and weight bytes a second with one.
// One thread, in processor time, the best of several runs.
//
//   cd Sources/CNibbleKernels && clang -std=gnu11 -O2 -I. -Iinclude ../../Benchmarks/Kernels/strips.c \
//     matmul/*.c strips/*.c instruction_set.c -lm -o /tmp/strips
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "nk_strips.h"

static const struct {
  enum nk_strip_codes codes;
  enum nk_strip_offset offset;
  int zero, level_step;
  const char *name;
} kinds[] = {
    {NK_STRIP_4_BITS, NK_STRIP_ONE_ZERO, 8, 0, "4 bits"},
    {NK_STRIP_4_BITS, NK_STRIP_ZERO_POINTS, 0, 0, "4 bits, zero points"},
    {NK_STRIP_4_BITS, NK_STRIP_MINIMA, 0, 0, "4 bits, minima"},
    {NK_STRIP_8_BITS, NK_STRIP_ONE_ZERO, 128, 0, "8 bits"},
    {NK_STRIP_8_BITS, NK_STRIP_ZERO_POINTS, 0, 0, "8 bits, zero points"},
    {NK_STRIP_5_BIT_LEVELS, NK_STRIP_ONE_ZERO, 12, 2, "5-bit levels (e2m1)"},
    {NK_STRIP_8_BIT_LEVELS, NK_STRIP_ONE_ZERO, 127, 16, "8-bit levels (iq4nl)"},
    {NK_STRIP_12_BIT_LEVELS, NK_STRIP_ONE_ZERO, 2048, 250, "12-bit levels (nf4)"},
};

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint32_t state = 1;
static uint32_t next(void) { return state = state * 1664525 + 1013904223, state >> 8; }

static double best(const nk_strip_table *table, const nk_strips *w, const nk_activations *a, size_t count, int runs,
                   float *y) {
  static void *scratch;
  if (!scratch) scratch = aligned_alloc(64, (nk_matmul_scratch_bytes(w->columns) + 63) / 64 * 64);
  double least = 1e9;
  for (int i = 0; i < runs; i++) {
    double t = seconds();
    table->multiply(w, 0, w->row_count, a, count, y, w->row_count, scratch);
    t = seconds() - t;
    if (t < least) least = t;
  }
  return least;
}

int main(int argc, char **argv) {
  size_t rows = argc > 1 ? (size_t)atoi(argv[1]) : 4096, columns = argc > 2 ? (size_t)atoi(argv[2]) : 4096;
  size_t length = argc > 3 ? (size_t)atoi(argv[3]) : 128, groups = (columns + length - 1) / length, n = 512;
  const nk_strip_table *fast = nk_strip_products(), *scalar = nk_strip_products_for(NK_SCALAR);
  float *x = malloc(n * columns * 4), *y = malloc(n * rows * 4), *z = malloc(n * rows * 4);
  for (size_t i = 0; i < n * columns; i++) x[i] = (float)(int)(next() % 20001) / 10000 - 1;
  nk_activations a =
      nk_activations_in(aligned_alloc(64, (nk_activation_bytes(columns, n, 1) + 63) / 64 * 64), x, columns, n, 1);
  void *scratch = aligned_alloc(64, (nk_matmul_scratch_bytes(columns) + 63) / 64 * 64);
  nk_matmul()->quantize(&a, 0, n);
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    nk_strips w = {kinds[k].codes, kinds[k].offset, rows, columns, length, 0, kinds[k].zero, 1, {0}, {0}};
    for (int level = 0; level < 16; level++) w.levels[level] = (uint16_t)(level * kinds[k].level_step);
    const size_t strips = (rows + 15) / 16, strip_bytes = nk_strip_bytes(&w);
    uint8_t *bytes = aligned_alloc(64, strips * strip_bytes), *codes = malloc(16 * columns);
    float *scales = malloc(16 * groups * 4);
    int32_t *zeros = malloc(16 * groups * 4);
    double packing = seconds();
    for (size_t s = 0; s < strips; s++) {
      for (size_t i = 0; i < 16 * columns && s < 4; i++)
        codes[i] = (uint8_t)(next() & (kinds[k].codes == NK_STRIP_8_BITS ? 255 : 15));
      for (size_t i = 0; i < 16 * groups; i++) {
        scales[i] = (float)(int)(next() % 2001) / 1000 - 1;
        zeros[i] = (int)(next() % 16);
      }
      nk_strip_pack(&w, rows - 16 * s < 16 ? rows - 16 * s : 16, codes, scales, zeros, scales, bytes + s * strip_bytes);
    }
    packing = seconds() - packing;
    w.bytes = bytes;
    int wrong = 0;
    for (size_t count = 1; count < 32; count++) {
      fast->multiply(&w, 3, 37, &a, count, y, 40, scratch);
      scalar->multiply(&w, 3, 37, &a, count, z, 40, scratch);
      for (size_t i = 0; i < count; i++)
        for (size_t r = 0; r < 37; r++) wrong += y[i * 40 + r] != z[i * 40 + r];
    }
    const double macs = 1e-9 * (double)(rows * columns), single = best(fast, &w, &a, 1, 100, y);
    printf("%-21s wrong %d  %6.1f GMAC/s at 512  %5.1f at 8  %5.1f at 3  %5.1f at 2;  ", kinds[k].name, wrong,
           macs * (double)n / best(fast, &w, &a, n, 4, y), macs * 8 / best(fast, &w, &a, 8, 10, y),
           macs * 3 / best(fast, &w, &a, 3, 10, y), macs * 2 / best(fast, &w, &a, 2, 10, y));
    printf("%5.1f GB/s %5.1f GMAC/s at 1; packed at %.2f G/s\n", 1e-9 * (double)(strips * strip_bytes) / single,
           macs / single, macs / packing);
    free(bytes);
    free(codes);
    free(scales);
    free(zeros);
  }
}
