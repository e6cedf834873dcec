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
  const nk_group_table *table = nk_may_choose(NK_AVX2) ? nk_groups_for(NK_AVX2) : 0;
  return table ? table : &nk_group_table_scalar;
}

void nk_expand_table(const uint8_t *codes, size_t count, const float *levels, float scale, float *x) {
  for (size_t i = 0; i < count; i++) x[i] = levels[codes[i]] * scale;
}

typedef uint8_t nk_bytes16 __attribute__((ext_vector_type(16)));

static inline nk_bytes16 nk_load16(const uint8_t *bytes) {
  nk_bytes16 v;
  memcpy(&v, bytes, 16);
  return v;
}

// Eight codes fill `bits` bytes, so that every run of eight begins at a byte.
void nk_pack_bits(const uint8_t *codes, size_t count, int bits, uint8_t *bytes) {
  if (bits == 8) {
    memcpy(bytes, codes, count);
    return;
  }
  size_t i = 0;
  if (bits == 4) {
    for (; i + 32 <= count; i += 32, bytes += 16) {
      nk_bytes16 a = nk_load16(codes + i), b = nk_load16(codes + i + 16);
      nk_bytes16 low = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      nk_bytes16 high = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
      nk_bytes16 both = low | high << 4;
      memcpy(bytes, &both, 16);
    }
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
    for (; i + 32 <= count; i += 32, bytes += 16) {
      nk_bytes16 both = nk_load16(bytes), low = both & 15, high = both >> 4;
      nk_bytes16 a = __builtin_shufflevector(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      nk_bytes16 b = __builtin_shufflevector(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      memcpy(codes + i, &a, 16);
      memcpy(codes + i + 16, &b, 16);
    }
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

void nk_take_fields(const uint32_t *restrict words, size_t count, int shift, uint8_t mask, uint8_t *restrict codes) {
  for (size_t i = 0; i < count; i++) codes[i] = (uint8_t)(words[i] >> shift) & mask;
}

void nk_put_fields(const uint8_t *restrict codes, size_t count, int shift, uint32_t *restrict words) {
  for (size_t i = 0; i < count; i++) words[i] |= (uint32_t)codes[i] << shift;
}

float nk_through_half(float value) { return nk_float_from_half(nk_half_from_float(value)); }

float nk_through_bfloat(float value) { return nk_float_from_bfloat(nk_bfloat_from_float(value)); }
