// The attention tile, over fixed lanes that the compiler turns into vectors. Included once for each instruction set, which
// defines NK_ATTEND (the function's name) and NK_HALF (float of a half).
//
// Keys are taken 64 at a time with a running maximum and sum (Milakov and Gimelshein 2018, arXiv:1805.02867), so that no
// row of scores is ever longer than that.

#include <math.h>
#include <string.h>

#pragma clang fp contract(fast)

enum { KEYS = NK_ATTENTION_KEYS, PART = 32 };

/// exp(x) - 1 of what is left of x, -87 <= x <= 0, after whole powers of two; `bits` holds their exponent.
static inline float nk_exp_rest(float x, uint32_t *bits) {
  float power = x * 1.44269504f + 12582912.0f;
  memcpy(bits, &power, sizeof *bits);
  power -= 12582912.0f;
  float rest = x - power * 0.693359375f + power * 2.12194440e-4f;
  float value = 1.9875691500e-4f;
  value = value * rest + 1.3981999507e-3f;
  value = value * rest + 8.3334519073e-3f;
  value = value * rest + 4.1665795894e-2f;
  value = value * rest + 1.6666665459e-1f;
  value = value * rest + 5.0000001201e-1f;
  return value * rest * rest + rest;
}

/// x * 2^n, n the exponent that nk_exp_rest found.
static inline float nk_exp_scale(float x, uint32_t exponent) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  bits += exponent << 23;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// exp(x) for x <= 0, relative error below 3e-7; 0 below -87.
static inline float nk_exp_negative(float x) {
  uint32_t exponent;
  float rest = nk_exp_rest(x < -87.0f ? -87.0f : x, &exponent);
  float value = nk_exp_scale(rest + 1.0f, exponent);
  return x < -87.0f ? 0.0f : value;
}

/// cap * tanh(x / cap), relative error below 1e-6: with m = exp(-2 |x / cap|) - 1, tanh |x / cap| is -m / (2 + m).
static inline float nk_capped(float x, float cap) {
  float size = __builtin_fabsf(x / cap);
  uint32_t exponent;
  float rest = nk_exp_rest(size > 20.0f ? -40.0f : -2.0f * size, &exponent);
  float power = nk_exp_scale(1.0f, exponent);
  float less = power * rest + (power - 1.0f);
  return __builtin_copysignf(cap * -less / (2.0f + less), x);
}

/// scores[k] = scale * query . keys[k], keys transposed to [head_size][KEYS].
static inline void nk_scores_transposed(const float *query, const float *keys, size_t size,
                                        float scale, float *scores) {
  for (size_t part = 0; part < KEYS; part += PART) {
    float sums[PART] = {0};
    for (size_t i = 0; i < size; i++) {
      const float *row = keys + i * KEYS + part;
      float x = query[i];
      for (size_t k = 0; k < PART; k++) sums[k] += x * row[k];
    }
    for (size_t k = 0; k < PART; k++) scores[part + k] = scale * sums[k];
  }
}

/// Turns scores into weights relative to a new maximum; scales what was summed before.
static inline void nk_softmax_step(float *scores, size_t count, float *maximum, float *total,
                                   float *sum, size_t size) {
  float top = *maximum;
  for (size_t k = 0; k < count; k++) top = scores[k] > top ? scores[k] : top;
  if (top > *maximum) {
    float shrink = *maximum == -INFINITY ? 0.0f : nk_exp_negative(*maximum - top);
    *total *= shrink;
    for (size_t i = 0; i < size; i++) sum[i] *= shrink;
    *maximum = top;
  }
  for (size_t k = 0; k < count; k++) scores[k] = nk_exp_negative(scores[k] - top);
  float part = 0;
  for (size_t k = 0; k < count; k++) part += scores[k];
  *total += part;
}

/// `count` rows in single precision: where they are, or converted into `room`.
static inline const float *nk_widened_float(const float *x, size_t count, size_t size, float *room) {
  (void)count, (void)size, (void)room;
  return x;
}

static inline const float *nk_widened_half(const uint16_t *x, size_t count, size_t size, float *room) {
  for (size_t i = 0; i < count * size; i++) room[i] = NK_HALF(x[i]);
  return room;
}

static inline float nk_bfloat(uint16_t bfloat) {
  const uint32_t bits = (uint32_t)bfloat << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline const float *nk_widened_bfloat(const uint16_t *x, size_t count, size_t size, float *room) {
  for (size_t i = 0; i < count * size; i++) room[i] = nk_bfloat(x[i]);
  return room;
}

#define NK_ELEMENT float
#define NK_NUMBER(element) (element)
#define NK_NAME(name) name##_float
#include "attend_element.inc.h"

#define NK_ELEMENT uint16_t
#define NK_NUMBER(element) NK_HALF(element)
#define NK_NAME(name) name##_half
#include "attend_element.inc.h"

#define NK_ELEMENT uint16_t
#define NK_NUMBER(element) nk_bfloat(element)
#define NK_NAME(name) name##_bfloat
#include "attend_element.inc.h"

#include "attend_blocks.inc.h"

void NK_ATTEND(const nk_attention_tile *tile) {
  switch (tile->element) {
    case NK_ATTENTION_FLOAT: nk_attend_over_float(tile); break;
    case NK_ATTENTION_HALF: nk_attend_over_half(tile); break;
    case NK_ATTENTION_BFLOAT: nk_attend_over_bfloat(tile); break;
    case NK_ATTENTION_BLOCKS: nk_attend_over_blocks(tile); break;
  }
}
