// The row kernels that need exp: softmax, gates, GELU and the soft cap. Part of rows.h.
#ifndef NK_FLOAT_EXPONENTIALS_H
#define NK_FLOAT_EXPONENTIALS_H

#include "../shared/exponentials.h"

static void nk_softmax(float *x, size_t count) {
  if (count == 0) return;
  float largest = x[0];
  size_t i = 0;
  if (count >= NK_LANES) {
    nk_lanes most = NK_LOAD(x);
    for (i = NK_LANES; i + NK_LANES <= count; i += NK_LANES) most = NK_MAX(NK_LOAD(x + i), most);
    for (int lane = 0; lane < NK_LANES; lane++) largest = most[lane] > largest ? most[lane] : largest;
  }
  for (; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  nk_sum sum = {0};
  for (i = 0; i + 32 <= count; i += 32)
    for (int v = 0; v < nk_vector_count; v++) {
      nk_lanes e;
      NK_EXP(NK_LOAD(x + i + NK_LANES * v) - largest, e);
      NK_STORE(x + i + NK_LANES * v, e);
      sum.vectors[v] += e;
    }
  if (i < count) {
    nk_sum last;
    for (int k = 0; k < 32; k++) last.chains[k] = i + (size_t)k < count ? x[i + (size_t)k] : -INFINITY;
    for (int v = 0; v < nk_vector_count; v++) {
      NK_EXP(last.vectors[v] - largest, last.vectors[v]);
      sum.vectors[v] += last.vectors[v];
    }
    memcpy(x + i, last.chains, (count - i) * sizeof(float));
  }
  nk_scale(x, 1 / nk_total(&sum), count, x);
}

/// y = x / (1 + exp(-slope))
#define NK_GATE(slope, x, y) \
  do {                       \
    nk_lanes e_;             \
    NK_EXP(-(slope), e_);    \
    (y) = (x) / (1.0f + e_); \
  } while (0)

/// 2 sqrt(2/pi) (x + 0.044715 x^3)
#define NK_GELU_SLOPE(x) (1.59576912f * ((x) + 0.044715f * ((x) * (x) * (x))))

/// out = x / (1 + exp(-slope)) * y, where slope is a function of x.
#define NK_GATED(name, slope)                                                      \
  static void name(const float *gate, const float *up, size_t count, float *out) { \
    size_t i = 0;                                                                  \
    for (; i + NK_LANES <= count; i += NK_LANES) {                                 \
      nk_lanes x = NK_LOAD(gate + i), y;                                           \
      NK_GATE(slope, x, y);                                                        \
      NK_STORE(out + i, y * NK_LOAD(up + i));                                      \
    }                                                                              \
    if (i < count) {                                                               \
      float last[2][NK_LANES] = {{0}};                                             \
      memcpy(last[0], gate + i, (count - i) * sizeof(float));                      \
      memcpy(last[1], up + i, (count - i) * sizeof(float));                        \
      nk_lanes x = NK_LOAD(last[0]), y;                                            \
      NK_GATE(slope, x, y);                                                        \
      NK_STORE(last[0], y * NK_LOAD(last[1]));                                     \
      memcpy(out + i, last[0], (count - i) * sizeof(float));                       \
    }                                                                              \
  }

NK_GATED(nk_silu_multiply, x)
NK_GATED(nk_gelu_multiply, NK_GELU_SLOPE(x))

/// Runs `body`, which makes the lanes y from the lanes x, over a row.
#define NK_EACH(body)                                       \
  do {                                                      \
    size_t i = 0;                                           \
    for (; i + NK_LANES <= count; i += NK_LANES) {          \
      nk_lanes x = NK_LOAD(input + i), y;                   \
      body;                                                 \
      NK_STORE(out + i, y);                                 \
    }                                                       \
    if (i < count) {                                        \
      float last[NK_LANES] = {0};                           \
      memcpy(last, input + i, (count - i) * sizeof(float)); \
      nk_lanes x = NK_LOAD(last), y;                        \
      body;                                                 \
      NK_STORE(last, y);                                    \
      memcpy(out + i, last, (count - i) * sizeof(float));   \
    }                                                       \
  } while (0)

static void nk_gelu(const float *input, size_t count, float *out) {
  NK_EACH(NK_GATE(NK_GELU_SLOPE(x), x, y));
}

static void nk_softcap(const float *input, float cap, size_t count, float *out) {
  NK_EACH(NK_SOFTCAP(cap, x, y));
}

#endif
