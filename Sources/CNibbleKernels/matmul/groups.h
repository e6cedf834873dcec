// What a group of 32 weights means, type by type, in plain C: the definition that every table follows.
#ifndef NK_MATMUL_GROUPS_H
#define NK_MATMUL_GROUPS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../include/nk_matmul.h"
#include "../shared/half.h"
#include "../shared/microscaling.h"

/// 32 weights: weight c is (scale * sub_scale[c / 16]) * code[c] + minimum, where Q2_K's minimum is
/// minimum_scale * sub_minimum[c / 16].
typedef struct {
  int8_t codes[32];
  float scale;
  float minimum;
  float minimum_scale;
  int16_t sub_scale[2];
  int16_t sub_minimum[2];
} nk_group;

static const int8_t nk_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static inline size_t nk_block_columns(enum nk_weight_type type) {
  switch (type) {
    case NK_WEIGHT_F32:
    case NK_WEIGHT_F16:
    case NK_WEIGHT_BF16:
      return 1;
    case NK_WEIGHT_Q2_K:
    case NK_WEIGHT_Q3_K:
    case NK_WEIGHT_Q4_K:
    case NK_WEIGHT_Q5_K:
    case NK_WEIGHT_Q6_K:
    case NK_WEIGHT_IQ4_XS:
      return 256;
    default:
      return 32;
  }
}

static inline size_t nk_block_bytes(enum nk_weight_type type) {
  switch (type) {
    case NK_WEIGHT_F32: return 4;
    case NK_WEIGHT_F16: return 2;
    case NK_WEIGHT_BF16: return 2;
    case NK_WEIGHT_Q4_0: return 18;
    case NK_WEIGHT_Q4_1: return 20;
    case NK_WEIGHT_Q5_0: return 22;
    case NK_WEIGHT_Q5_1: return 24;
    case NK_WEIGHT_Q8_0: return 34;
    case NK_WEIGHT_Q2_K: return 84;
    case NK_WEIGHT_Q3_K: return 110;
    case NK_WEIGHT_Q4_K: return 144;
    case NK_WEIGHT_Q5_K: return 176;
    case NK_WEIGHT_Q6_K: return 210;
    case NK_WEIGHT_IQ4_NL: return 18;
    case NK_WEIGHT_IQ4_XS: return 136;
    case NK_WEIGHT_MXFP4: return 17;
  }
  return 0;
}

/// Whether groups have a float minimum (`minimum`).
static inline int nk_has_minimum(enum nk_weight_type type) {
  return type == NK_WEIGHT_Q4_1 || type == NK_WEIGHT_Q5_1 || type == NK_WEIGHT_Q4_K || type == NK_WEIGHT_Q5_K;
}

/// Whether a group's halves have integer scales.
static inline int nk_has_sub_scales(enum nk_weight_type type) {
  return type == NK_WEIGHT_Q2_K || type == NK_WEIGHT_Q3_K || type == NK_WEIGHT_Q6_K;
}

/// What is added to signed codes to make them unsigned.
static inline int nk_code_offset(enum nk_weight_type type) {
  switch (type) {
    case NK_WEIGHT_Q4_0: return 8;
    case NK_WEIGHT_Q5_0:
    case NK_WEIGHT_MXFP4: return 16;
    case NK_WEIGHT_Q3_K: return 4;
    case NK_WEIGHT_Q6_K: return 32;
    case NK_WEIGHT_Q8_0:
    case NK_WEIGHT_IQ4_NL:
    case NK_WEIGHT_IQ4_XS: return 128;
    default: return 0;
  }
}

static inline float nk_half_at(const uint8_t *bytes) {
  uint16_t half;
  memcpy(&half, bytes, sizeof half);
  return nk_float_from_half(half);
}

/// Unpacks the 8 scales and 8 minima (6 bits each) of Q4_K and Q5_K.
static inline void nk_six_bit_scales(const uint8_t *packed, uint8_t scales[8], uint8_t minima[8]) {
  uint32_t a, b, c;
  memcpy(&a, packed, 4);
  memcpy(&b, packed + 4, 4);
  memcpy(&c, packed + 8, 4);
  uint32_t words[4] = {a & 0x3F3F3F3F, (c & 0x0F0F0F0F) | (a >> 6 & 0x03030303) << 4, b & 0x3F3F3F3F,
                       (c >> 4 & 0x0F0F0F0F) | (b >> 6 & 0x03030303) << 4};
  memcpy(scales, words, 8);
  memcpy(minima, words + 2, 8);
}

/// Unpacks Q3_K's 16 scales.
static inline void nk_q3_scales(const uint8_t *packed, int8_t scales[16]) {
  uint32_t a, b, c;
  memcpy(&a, packed, 4);
  memcpy(&b, packed + 4, 4);
  memcpy(&c, packed + 8, 4);
  uint32_t words[4] = {
      (a & 0x0F0F0F0F) | (c & 0x03030303) << 4, (b & 0x0F0F0F0F) | (c >> 2 & 0x03030303) << 4,
      (a >> 4 & 0x0F0F0F0F) | (c >> 4 & 0x03030303) << 4, (b >> 4 & 0x0F0F0F0F) | (c >> 6 & 0x03030303) << 4};
  memcpy(scales, words, 16);
  for (int j = 0; j < 16; j++) scales[j] = (int8_t)(scales[j] - 32);
}

/// Unpacks IQ4_XS's 8 scales.
static inline void nk_iq4_xs_scales(const uint8_t *block, int8_t scales[8]) {
  unsigned high = block[2] | (unsigned)block[3] << 8;
  for (int b = 0; b < 8; b++) {
    unsigned low = block[4 + b / 2] >> 4 * (b % 2) & 15;
    scales[b] = (int8_t)((int)(low | (high >> 2 * b & 3) << 4) - 32);
  }
}

static inline void nk_nibble_codes(const uint8_t *packed, int8_t codes[32]) {
  for (int j = 0; j < 16; j++) {
    codes[j] = (int8_t)(packed[j] & 15);
    codes[j + 16] = (int8_t)(packed[j] >> 4);
  }
}

/// Decodes group `b` (0 for types with blocks of 32) of the block at `p`.
static inline void nk_decode_group(enum nk_weight_type type, const uint8_t *p, size_t b, nk_group *g) {
  int8_t *q = g->codes;
  g->minimum = g->minimum_scale = 0;
  g->sub_scale[0] = g->sub_scale[1] = 1;
  g->sub_minimum[0] = g->sub_minimum[1] = 0;
  size_t h = b / 4, k = b % 4;
  switch (type) {
    case NK_WEIGHT_Q4_0:
      g->scale = nk_half_at(p);
      nk_nibble_codes(p + 2, q);
      break;
    case NK_WEIGHT_Q4_1:
      g->scale = nk_half_at(p);
      g->minimum = nk_half_at(p + 2);
      nk_nibble_codes(p + 4, q);
      break;
    case NK_WEIGHT_Q5_0:
    case NK_WEIGHT_Q5_1: {
      const uint8_t *high = p + (type == NK_WEIGHT_Q5_0 ? 2 : 4);
      g->scale = nk_half_at(p);
      if (type == NK_WEIGHT_Q5_1) g->minimum = nk_half_at(p + 2);
      nk_nibble_codes(high + 4, q);
      for (int c = 0; c < 32; c++) q[c] = (int8_t)(q[c] | (high[c / 8] >> c % 8 & 1) << 4);
      break;
    }
    case NK_WEIGHT_Q8_0:
      g->scale = nk_half_at(p);
      memcpy(q, p + 2, 32);
      return;
    case NK_WEIGHT_IQ4_NL:
      g->scale = nk_half_at(p);
      nk_nibble_codes(p + 2, q);
      break;
    case NK_WEIGHT_MXFP4:
      g->scale = nk_half_of_exponent(p[0]);
      nk_nibble_codes(p + 1, q);
      for (int c = 0; c < 32; c++) q[c] = nk_e2m1_doubles[q[c]];
      return;
    case NK_WEIGHT_IQ4_XS: {
      int8_t scales[8];
      nk_iq4_xs_scales(p, scales);
      g->scale = nk_half_at(p) * (float)scales[b];
      nk_nibble_codes(p + 8 + 16 * b, q);
      break;
    }
    case NK_WEIGHT_Q2_K:
      g->scale = nk_half_at(p + 80);
      g->minimum_scale = -nk_half_at(p + 82);
      for (int c = 0; c < 32; c++) q[c] = (int8_t)(p[16 + 32 * h + (size_t)c] >> 2 * k & 3);
      for (size_t i = 0; i < 2; i++) {
        g->sub_scale[i] = p[2 * b + i] & 15;
        g->sub_minimum[i] = p[2 * b + i] >> 4;
      }
      break;
    case NK_WEIGHT_Q3_K: {
      int8_t scales[16];
      nk_q3_scales(p + 96, scales);
      g->scale = nk_half_at(p + 108);
      for (int c = 0; c < 32; c++)
        q[c] = (int8_t)((p[32 + 32 * h + (size_t)c] >> 2 * k & 3) | (p[c] >> b & 1) << 2);
      for (size_t i = 0; i < 2; i++) g->sub_scale[i] = scales[2 * b + i];
      break;
    }
    case NK_WEIGHT_Q4_K:
    case NK_WEIGHT_Q5_K: {
      uint8_t scales[8], minima[8];
      nk_six_bit_scales(p + 4, scales, minima);
      g->scale = nk_half_at(p) * (float)scales[b];
      g->minimum = -(nk_half_at(p + 2) * (float)minima[b]);
      const uint8_t *low = p + (type == NK_WEIGHT_Q4_K ? 16 : 48) + 32 * (b / 2);
      for (int c = 0; c < 32; c++) q[c] = (int8_t)(low[c] >> 4 * (b % 2) & 15);
      if (type == NK_WEIGHT_Q5_K)
        for (int c = 0; c < 32; c++) q[c] = (int8_t)(q[c] | (p[16 + c] >> b & 1) << 4);
      break;
    }
    case NK_WEIGHT_Q6_K: {
      const uint8_t *low = p + 64 * h + 32 * (k % 2), *high = p + 128 + 32 * h;
      g->scale = nk_half_at(p + 208);
      for (int c = 0; c < 32; c++)
        q[c] = (int8_t)((low[c] >> 4 * (k / 2) & 15) | (high[c] >> 2 * k & 3) << 4);
      for (size_t i = 0; i < 2; i++) g->sub_scale[i] = (int8_t)p[192 + 2 * b + i];
      break;
    }
    default:
      return;
  }
  if (type == NK_WEIGHT_IQ4_NL || type == NK_WEIGHT_IQ4_XS) {
    for (int c = 0; c < 32; c++) q[c] = nk_iq4_values[q[c]];
  } else {
    int offset = nk_code_offset(type);
    for (int c = 0; c < 32; c++) q[c] = (int8_t)(q[c] - offset);
  }
}

#endif
