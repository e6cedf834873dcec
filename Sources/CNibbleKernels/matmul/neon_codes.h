// Packed weights to vectors of signed codes and scales, with NEON.
#ifndef NK_MATMUL_NEON_CODES_H
#define NK_MATMUL_NEON_CODES_H

#include "groups.h"

#define NK_ARM static inline __attribute__((always_inline))

/// 16 bytes to 32 codes: the low nibbles, then the high nibbles.
NK_ARM uint8x16x2_t nk_nibbles(const uint8_t *p) {
  const uint8x16_t bytes = vld1q_u8(p);
  uint8x16x2_t codes = {{vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8(bytes, 4)}};
  return codes;
}

/// 32 bits to 32 bytes: 16 where the bit is set.
NK_ARM uint8x16x2_t nk_fifth_bits(const uint8_t *p) {
  static const uint8_t mask_bytes[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t masks = vld1q_u8(mask_bytes), sixteen = vdupq_n_u8(16);
  const uint8x16_t low = vcombine_u8(vdup_n_u8(p[0]), vdup_n_u8(p[1]));
  const uint8x16_t high = vcombine_u8(vdup_n_u8(p[2]), vdup_n_u8(p[3]));
  uint8x16x2_t bits = {{vandq_u8(vtstq_u8(low, masks), sixteen), vandq_u8(vtstq_u8(high, masks), sixteen)}};
  return bits;
}

/// 32 bytes shifted right (left where `count` is negative) and masked.
NK_ARM uint8x16x2_t nk_shifted(const uint8_t *p, int count, int mask) {
  const int8x16_t shift = vdupq_n_s8((int8_t)-count);
  const uint8x16_t masks = vdupq_n_u8((uint8_t)mask);
  uint8x16x2_t bytes = {
      {vandq_u8(vshlq_u8(vld1q_u8(p), shift), masks), vandq_u8(vshlq_u8(vld1q_u8(p + 16), shift), masks)}};
  return bytes;
}

NK_ARM uint8x16x2_t nk_joined(uint8x16x2_t a, uint8x16x2_t b) {
  uint8x16x2_t both = {{vorrq_u8(a.val[0], b.val[0]), vorrq_u8(a.val[1], b.val[1])}};
  return both;
}

/// The 32 signed codes of group `b` of the block at `p`.
NK_ARM int8x16x2_t nk_codes32(const enum nk_weight_type type, const uint8_t *p, int b) {
  const int h = b / 4, k = b % 4;
  uint8x16x2_t codes;
  switch (type) {
    case NK_WEIGHT_Q4_0: codes = nk_nibbles(p + 2); break;
    case NK_WEIGHT_Q4_1: codes = nk_nibbles(p + 4); break;
    case NK_WEIGHT_Q5_0: codes = nk_joined(nk_nibbles(p + 6), nk_fifth_bits(p + 2)); break;
    case NK_WEIGHT_Q5_1: codes = nk_joined(nk_nibbles(p + 8), nk_fifth_bits(p + 4)); break;
    case NK_WEIGHT_Q2_K: codes = nk_shifted(p + 16 + 32 * h, 2 * k, 3); break;
    case NK_WEIGHT_Q3_K:
      codes = nk_joined(nk_shifted(p + 32 + 32 * h, 2 * k, 3), nk_shifted(p, b - 2, 4));
      break;
    case NK_WEIGHT_Q4_K: codes = nk_shifted(p + 16 + 32 * (b / 2), 4 * (b % 2), 15); break;
    case NK_WEIGHT_Q5_K:
      codes = nk_joined(nk_shifted(p + 48 + 32 * (b / 2), 4 * (b % 2), 15), nk_shifted(p + 16, b - 4, 16));
      break;
    case NK_WEIGHT_Q6_K:
      codes = nk_joined(nk_shifted(p + 64 * h + 32 * (k % 2), 4 * (k / 2), 15),
                        nk_shifted(p + 128 + 32 * h, 2 * k - 4, 48));
      break;
    case NK_WEIGHT_IQ4_NL:
    case NK_WEIGHT_IQ4_XS: {
      const int8x16_t values = vld1q_s8(nk_iq4_values);
      codes = nk_nibbles(type == NK_WEIGHT_IQ4_NL ? p + 2 : p + 8 + 16 * b);
      int8x16x2_t looked_up = {{vqtbl1q_s8(values, codes.val[0]), vqtbl1q_s8(values, codes.val[1])}};
      return looked_up;
    }
    case NK_WEIGHT_MXFP4: {
      const int8x16_t doubles = vld1q_s8(nk_e2m1_doubles);
      codes = nk_nibbles(p + 1);
      int8x16x2_t looked_up = {{vqtbl1q_s8(doubles, codes.val[0]), vqtbl1q_s8(doubles, codes.val[1])}};
      return looked_up;
    }
    default: {
      int8x16x2_t stored = {{vld1q_s8((const int8_t *)p + 2), vld1q_s8((const int8_t *)p + 18)}};
      return stored;
    }
  }
  const int8x16_t offset = vdupq_n_s8((int8_t)nk_code_offset(type));
  int8x16x2_t signed_codes = {{vsubq_s8(vreinterpretq_s8_u8(codes.val[0]), offset),
                               vsubq_s8(vreinterpretq_s8_u8(codes.val[1]), offset)}};
  return signed_codes;
}

/// Scales of up to 8 groups of 4 rows, as [group][row]; the half scales and minima as [group][half][row].
typedef struct {
  float scale[8][4];
  float minimum[8][4];  // Q2_K: minimum_scale
  int32_t sub_scale[8][2][4];
  int32_t sub_minimum[8][2][4];
} nk_scales4;

NK_ARM void nk_scales_of_blocks(const enum nk_weight_type type, const uint8_t *const p[4], nk_scales4 *s) {
  for (int r = 0; r < 4; r++) {
    switch (type) {
      case NK_WEIGHT_Q4_1:
      case NK_WEIGHT_Q5_1:
        s->scale[0][r] = nk_half_at(p[r]);
        s->minimum[0][r] = nk_half_at(p[r] + 2);
        break;
      case NK_WEIGHT_Q4_K:
      case NK_WEIGHT_Q5_K: {
        uint8_t scales[8], minima[8];
        nk_six_bit_scales(p[r] + 4, scales, minima);
        const float scale = nk_half_at(p[r]), minimum = -nk_half_at(p[r] + 2);
        for (int b = 0; b < 8; b++) {
          s->scale[b][r] = scale * (float)scales[b];
          s->minimum[b][r] = minimum * (float)minima[b];
        }
        break;
      }
      case NK_WEIGHT_IQ4_XS: {
        int8_t scales[8];
        nk_iq4_xs_scales(p[r], scales);
        const float scale = nk_half_at(p[r]);
        for (int b = 0; b < 8; b++) s->scale[b][r] = scale * (float)scales[b];
        break;
      }
      case NK_WEIGHT_Q2_K: {
        const float scale = nk_half_at(p[r] + 80), minimum = -nk_half_at(p[r] + 82);
        for (int b = 0; b < 8; b++) {
          s->scale[b][r] = scale;
          s->minimum[b][r] = minimum;
          for (int half = 0; half < 2; half++) {
            s->sub_scale[b][half][r] = p[r][2 * b + half] & 15;
            s->sub_minimum[b][half][r] = p[r][2 * b + half] >> 4;
          }
        }
        break;
      }
      case NK_WEIGHT_Q3_K:
      case NK_WEIGHT_Q6_K: {
        int8_t scales[16];
        if (type == NK_WEIGHT_Q3_K) nk_q3_scales(p[r] + 96, scales);
        else memcpy(scales, p[r] + 192, 16);
        const float scale = nk_half_at(p[r] + (type == NK_WEIGHT_Q3_K ? 108 : 208));
        for (int b = 0; b < 8; b++) {
          s->scale[b][r] = scale;
          for (int half = 0; half < 2; half++) s->sub_scale[b][half][r] = scales[2 * b + half];
        }
        break;
      }
      case NK_WEIGHT_MXFP4: s->scale[0][r] = nk_half_of_exponent(p[r][0]); break;
      default:
        s->scale[0][r] = nk_half_at(p[r]);
    }
  }
}

#endif
