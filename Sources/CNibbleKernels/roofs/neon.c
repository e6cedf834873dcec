// The 8-bit dot product of Armv8.2 adds four products to 32 bits; ten chains hide how long one takes.
#if defined(__aarch64__)
#include "../shared/arm_intrinsics.h"
#include "tables.h"

NK_TARGET_BEGIN("dotprod")

enum { CHAINS = 10 };
#define NK_ROOF_PRODUCTS (CHAINS * nk_roof_bytes)

static int32_t nk_roof_multiply(const uint8_t *memory, size_t rounds) {
  const int8_t *codes = (const int8_t *)memory;
  int8x16_t weights[CHAINS];
  int32x4_t totals[CHAINS];
  for (int j = 0; j < CHAINS; j++) {
    weights[j] = vld1q_s8(codes + 16 * j);
    totals[j] = vdupq_n_s32(0);
  }
  for (size_t round = 0; round < rounds; round++) {
    __asm__ volatile("" ::: "memory");  // what a round reads is not kept for the next
    for (size_t i = 0; i < nk_roof_bytes; i += 16) {
      const int8x16_t x = vld1q_s8(codes + i);
#pragma clang loop unroll(full)
      for (int j = 0; j < CHAINS; j++) totals[j] = vdotq_s32(totals[j], weights[j], x);
    }
  }
  int32x4_t total = totals[0];
  for (int j = 1; j < CHAINS; j++) total = veorq_s32(total, totals[j]);
  return vaddvq_s32(total);
}

#define NK_ROOF_TABLE nk_roofs_neon
#include "roofs.inc.h"
NK_TARGET_END

#endif
