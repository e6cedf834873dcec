// exp and the soft cap, lane by lane: the same bits on every instruction set.
#ifndef NIBBLE_SHARED_EXPONENTIALS_H
#define NIBBLE_SHARED_EXPONENTIALS_H

#include "float_lanes.h"

/// Splits the lanes x into n_ ln 2 + r_, |r_| < 0.35, and takes s_ = (exp(r_) - 1) / r_ and power_ = 2^n_. The
/// coefficients are those of the Taylor series; its remainder is below 1e-8.
#define NK_EXP_PARTS(x)                                                                                         \
  nk_lanes t_ = __builtin_elementwise_fma(x, NK_SPLAT(1.44269504f), NK_SPLAT(12582912.0f)), n_, r_, s_, power_; \
  n_ = t_ - 12582912.0f;                                                                                        \
  r_ = __builtin_elementwise_fma(n_, NK_SPLAT(-0x1.62e4p-1f), x);                                               \
  r_ = __builtin_elementwise_fma(n_, NK_SPLAT(-0x1.7f7d1cp-20f), r_);                                           \
  s_ = __builtin_elementwise_fma(NK_SPLAT(1.0f / 5040), r_, NK_SPLAT(1.0f / 720));                              \
  s_ = __builtin_elementwise_fma(s_, r_, NK_SPLAT(1.0f / 120));                                                 \
  s_ = __builtin_elementwise_fma(s_, r_, NK_SPLAT(1.0f / 24));                                                  \
  s_ = __builtin_elementwise_fma(s_, r_, NK_SPLAT(1.0f / 6));                                                   \
  s_ = __builtin_elementwise_fma(s_, r_, NK_SPLAT(0.5f));                                                       \
  s_ = __builtin_elementwise_fma(s_, r_, NK_SPLAT(1.0f));                                                       \
  power_ = (nk_lanes)(((nk_words)t_ - 0x4B400000u + 127u) << 23)

/// exp of arguments up to 88.3; 0 below -87.3. A macro and no function: vectors wider than the target's registers have no calling
/// convention.
#define NK_EXP_NEGATIVE(argument, result)                                \
  do {                                                                   \
    nk_lanes x_ = (argument);                                            \
    NK_EXP_PARTS(x_);                                                    \
    nk_lanes p_ = __builtin_elementwise_fma(s_, r_, NK_SPLAT(1.0f)) * power_; \
    (result) = NK_SELECT(x_ < -87.3f, NK_SPLAT(0.0f), p_);               \
  } while (0)

/// exp as nk_float.h describes it.
#define NK_EXP(argument, result)                                                         \
  do {                                                                                   \
    nk_lanes argument_ = (argument);                                                     \
    NK_EXP_NEGATIVE(NK_SELECT(argument_ > 88.3f, NK_SPLAT(88.3f), argument_), (result)); \
  } while (0)

/// y = cap * tanh(x / cap). With m = exp(-2 |x / cap|) - 1, tanh |x / cap| is -m / (2 + m); m is taken as exp is in
/// NK_EXP, but without the 1 that would swallow a small argument. Below 2^-12 the tanh is its argument.
#define NK_SOFTCAP(cap, x, y)                                             \
  do {                                                                    \
    nk_lanes ratio_ = (x) / NK_SPLAT(cap), size_, argument_, m_;          \
    size_ = (nk_lanes)((nk_words)ratio_ & 0x7FFFFFFFu);                   \
    argument_ = -2.0f * NK_SELECT(size_ > 20.0f, NK_SPLAT(20.0f), size_); \
    NK_EXP_PARTS(argument_);                                              \
    m_ = __builtin_elementwise_fma(power_, s_ * r_, power_ - 1.0f);       \
    m_ = cap * (-m_ / (2.0f + m_));                                       \
    m_ = (nk_lanes)((nk_words)m_ | ((nk_words)(x) & 0x80000000u));        \
    (y) = NK_SELECT(size_ < 0x1p-12f, (x), m_);                           \
  } while (0)

#endif
