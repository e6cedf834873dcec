// Blocks of the OCP Microscaling formats (v1.0, section 5): 32 numbers E2M1 and one exponent E8M0.
#ifndef NIBBLE_SHARED_MICROSCALING_H
#define NIBBLE_SHARED_MICROSCALING_H

#include "half.h"

/// Twice the number that each code stands for: a sign, two exponent bits, one fraction bit.
static const int8_t nk_e2m1_doubles[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// Half of 2^(exponent - 127), which goes with doubled numbers; 255 is NaN.
static inline float nk_half_of_exponent(uint8_t exponent) {
  if (exponent == 255) return nk_float_from_bits(0x7FC00000);
  return nk_float_from_bits(exponent < 2 ? 0x00200000u << exponent : (uint32_t)(exponent - 1) << 23);
}

#endif
