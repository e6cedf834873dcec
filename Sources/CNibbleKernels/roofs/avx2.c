// vpmaddubsw adds pairs of products in 16 bits, which hold eight steps of 4-bit codes before vpmaddwd widens them.
#if defined(__x86_64__)

#include <immintrin.h>

#include "tables.h"

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#define NK_ROOF_PRODUCTS (4 * nk_roof_bytes)

static int32_t nk_roof_multiply(const uint8_t *memory, size_t rounds) {
  const __m256i nibble = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  __m256i weights[4], totals[4];
  for (int j = 0; j < 4; j++) {
    weights[j] = _mm256_and_si256(_mm256_load_si256((const __m256i *)memory + j), nibble);
    totals[j] = _mm256_setzero_si256();
  }
  for (size_t round = 0; round < rounds; round++) {
    __asm__ volatile("" ::: "memory");  // what a round reads is not kept for the next
    for (size_t i = 0; i < nk_roof_bytes / 32; i += 8) {
      __m256i sums[4];
      for (int j = 0; j < 4; j++) sums[j] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
      for (size_t k = 0; k < 8; k++) {
        const __m256i x = _mm256_load_si256((const __m256i *)memory + i + k);
        for (int j = 0; j < 4; j++) sums[j] = _mm256_add_epi16(sums[j], _mm256_maddubs_epi16(weights[j], x));
      }
      for (int j = 0; j < 4; j++) totals[j] = _mm256_add_epi32(totals[j], _mm256_madd_epi16(sums[j], ones));
    }
  }
  __m256i total = _mm256_xor_si256(_mm256_xor_si256(totals[0], totals[1]), _mm256_xor_si256(totals[2], totals[3]));
  return _mm256_extract_epi32(total, 0) ^ _mm256_extract_epi32(total, 5);
}

#define NK_ROOF_TABLE nk_roofs_avx2
#include "roofs.inc.h"
#pragma clang attribute pop

#endif
