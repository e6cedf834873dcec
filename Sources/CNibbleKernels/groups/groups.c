// The choice of a table, and what needs none.
#include "../include/nk_groups.h"

#include "../shared/half.h"

#pragma STDC FP_CONTRACT OFF

extern const nk_group_table nk_group_table_scalar;
#if defined(__x86_64__)
extern const nk_group_table nk_group_table_avx2;
#endif

const nk_group_table *nk_groups_for(enum nk_instruction_set instruction_set) {
  if (!nk_supports(instruction_set)) return 0;
  switch (instruction_set) {
#if defined(__x86_64__)
    case NK_AVX2:
    case NK_AVX512: return &nk_group_table_avx2;
#endif
    default: return &nk_group_table_scalar;
  }
}

const nk_group_table *nk_groups(void) {
  const nk_group_table *table = nk_groups_for(NK_AVX2);
  return table ? table : &nk_group_table_scalar;
}

void nk_expand_table(const uint8_t *codes, size_t count, const float *levels, float scale, float *x) {
  for (size_t i = 0; i < count; i++) x[i] = levels[codes[i]] * scale;
}

// Eight codes fill `bits` bytes, so that every run of eight begins at a byte.
void nk_pack_bits(const uint8_t *codes, size_t count, int bits, uint8_t *bytes) {
  if (bits == 8) {
    memcpy(bytes, codes, count);
    return;
  }
  size_t i = 0;
  if (bits == 4) {
    for (; i + 2 <= count; i += 2) *bytes++ = (uint8_t)(codes[i] | codes[i + 1] << 4);
  } else {
    for (; i + 8 <= count; i += 8) {
      uint64_t word = 0;
      for (int j = 0; j < 8; j++) word |= (uint64_t)codes[i + (size_t)j] << (bits * j);
      for (int b = 0; b < bits; b++) *bytes++ = (uint8_t)(word >> (8 * b));
    }
  }
  if (i == count) return;
  uint64_t word = 0;
  size_t rest = count - i;
  for (size_t j = 0; j < rest; j++) word |= (uint64_t)codes[i + j] << ((size_t)bits * j);
  for (size_t b = 0; b < (rest * (size_t)bits + 7) / 8; b++) *bytes++ = (uint8_t)(word >> (8 * b));
}

void nk_unpack_bits(const uint8_t *bytes, size_t count, int bits, uint8_t *codes) {
  if (bits == 8) {
    memcpy(codes, bytes, count);
    return;
  }
  size_t i = 0;
  uint8_t mask = (uint8_t)((1 << bits) - 1);
  if (bits == 4) {
    for (; i + 2 <= count; i += 2, bytes++) {
      codes[i] = *bytes & 15;
      codes[i + 1] = *bytes >> 4;
    }
  } else {
    for (; i + 8 <= count; i += 8) {
      uint64_t word = 0;
      for (int b = 0; b < bits; b++) word |= (uint64_t)*bytes++ << (8 * b);
      for (int j = 0; j < 8; j++) codes[i + (size_t)j] = (uint8_t)(word >> (bits * j)) & mask;
    }
  }
  if (i == count) return;
  uint64_t word = 0;
  size_t rest = count - i;
  for (size_t b = 0; b < (rest * (size_t)bits + 7) / 8; b++) word |= (uint64_t)*bytes++ << (8 * b);
  for (size_t j = 0; j < rest; j++) codes[i + j] = (uint8_t)(word >> ((size_t)bits * j)) & mask;
}

float nk_through_half(float value) { return nk_float_from_half(nk_half_from_float(value)); }

float nk_through_bfloat(float value) { return nk_float_from_bfloat(nk_bfloat_from_float(value)); }
