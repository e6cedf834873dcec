// Numbers for the checks: random, extreme, special.
#ifndef KERNEL_CHECKS_SAMPLES_H
#define KERNEL_CHECKS_SAMPLES_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_checks.h"

static inline uint32_t next_bits(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 32);
}

static inline float next_number(uint64_t *state) { return (float)(int32_t)next_bits(state) * 0x1p-31f; }

enum sample_kind { ordinary, constant, zero, huge, tiny, mixed, sample_kind_count };

static inline void fill_numbers(float *x, size_t count, enum sample_kind kind, uint64_t *state) {
  static const float factors[] = {1, 1, 0, 1e30f, 1e-38f, 1};
  for (size_t i = 0; i < count; i++) {
    x[i] = (kind == constant ? (next_bits(state) & 1 ? 1.0f : -1.0f) : next_number(state)) * factors[kind];
    if (kind == mixed && next_bits(state) % 8 == 0) x[i] *= 1e4f;
  }
}

/// Whether two results are the same bits; all NaN are one.
static inline int same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

/// Counts a difference and describes the first.
#define DIFFERS(...)                                                              \
  do {                                                                            \
    if (differences++ == 0) snprintf(message, nk_check_message_size, __VA_ARGS__); \
  } while (0)

#endif
