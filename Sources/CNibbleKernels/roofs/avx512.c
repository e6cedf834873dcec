// vpdpbusd adds four products to 32 bits; ten chains hide how long one takes.
#if defined(__x86_64__)

#include <immintrin.h>

#include "tables.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), apply_to = function)

enum { CHAINS = 10 };
#define NK_ROOF_PRODUCTS (CHAINS * nk_roof_bytes)

static int32_t nk_roof_multiply(const uint8_t *memory, size_t rounds) {
  __m512i weights[CHAINS], totals[CHAINS];
  for (int j = 0; j < CHAINS; j++) {
    weights[j] = _mm512_load_si512((const __m512i *)memory + j);
    totals[j] = _mm512_setzero_si512();
  }
  for (size_t round = 0; round < rounds; round++) {
    __asm__ volatile("" ::: "memory");  // what a round reads is not kept for the next
    for (size_t i = 0; i < nk_roof_bytes / 64; i++) {
      const __m512i x = _mm512_load_si512((const __m512i *)memory + i);
#pragma clang loop unroll(full)
      for (int j = 0; j < CHAINS; j++) totals[j] = _mm512_dpbusd_epi32(totals[j], weights[j], x);
    }
  }
  __m512i total = totals[0];
  for (int j = 1; j < CHAINS; j++) total = _mm512_xor_si512(total, totals[j]);
  return _mm512_reduce_add_epi32(total);
}

#define NK_ROOF_TABLE nk_roofs_avx512
#include "roofs.inc.h"
#pragma clang attribute pop

#endif
