#include "tables.h"

#define NK_ROOF_PRODUCTS (nk_roof_bytes / 2)

static int32_t nk_roof_multiply(const uint8_t *memory, size_t rounds) {
  const int8_t *x = (const int8_t *)memory + NK_ROOF_PRODUCTS;
  uint32_t sums[16] = {0};  // may wrap
  for (size_t round = 0; round < rounds; round++) {
    __asm__ volatile("" ::: "memory");  // what a round reads is not kept for the next
    for (size_t i = 0; i < NK_ROOF_PRODUCTS; i += 16) {
      for (size_t l = 0; l < 16; l++) sums[l] += (uint32_t)(memory[i + l] * x[i + l]);
    }
  }
  uint32_t sum = 0;
  for (int l = 0; l < 16; l++) sum ^= sums[l];
  return (int32_t)sum;
}

#define NK_ROOF_TABLE nk_roofs_scalar
#include "roofs.inc.h"
