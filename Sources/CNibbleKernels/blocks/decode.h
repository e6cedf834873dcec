// From packed blocks to values, with the products in the order that the format fixes.
#ifndef NIBBLE_BLOCKS_DECODE_H
#define NIBBLE_BLOCKS_DECODE_H

#include "../shared/half.h"
#include "../shared/microscaling.h"
#include "codebook.h"
#include "pack_super.h"

NK_INLINE float nk_get_half(const uint8_t *bytes) { return nk_float_from_half(nk_get16(bytes)); }

static void nk_decode_f32(const uint8_t *blocks, float *values, size_t count) {
  memcpy(values, blocks, count * sizeof(float));
}

static void nk_decode_bf16(const uint8_t *blocks, float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint16_t bits;
    memcpy(&bits, blocks + 2 * i, 2);
    values[i] = nk_float_from_bfloat(bits);
  }
}

static void nk_decode_q4_0(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 18, y += 32) {
    float d = nk_get_half(b);
    for (int i = 0; i < 16; i++) y[i] = (float)((b[2 + i] & 15) - 8) * d;
    for (int i = 0; i < 16; i++) y[16 + i] = (float)((b[2 + i] >> 4) - 8) * d;
  }
}

static void nk_decode_q4_1(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 20, y += 32) {
    float d = nk_get_half(b), m = nk_get_half(b + 2);
    for (int i = 0; i < 16; i++) y[i] = (float)(b[4 + i] & 15) * d + m;
    for (int i = 0; i < 16; i++) y[16 + i] = (float)(b[4 + i] >> 4) * d + m;
  }
}

NK_INLINE void nk_get_q5(const uint8_t *fifths, const uint8_t *nibbles, uint8_t *codes) {
  uint32_t bits;
  memcpy(&bits, fifths, 4);
  for (int i = 0; i < 16; i++) {
    codes[i] = (uint8_t)((nibbles[i] & 15) | (bits >> i & 1) << 4);
    codes[16 + i] = (uint8_t)(nibbles[i] >> 4 | (bits >> (16 + i) & 1) << 4);
  }
}

static void nk_decode_q5_0(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 22, y += 32) {
    float d = nk_get_half(b);
    uint8_t codes[32];
    nk_get_q5(b + 2, b + 6, codes);
    for (int i = 0; i < 32; i++) y[i] = (float)(codes[i] - 16) * d;
  }
}

static void nk_decode_q5_1(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 24, y += 32) {
    float d = nk_get_half(b), m = nk_get_half(b + 2);
    uint8_t codes[32];
    nk_get_q5(b + 4, b + 8, codes);
    for (int i = 0; i < 32; i++) y[i] = (float)codes[i] * d + m;
  }
}

static void nk_decode_q8_0(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 34, y += 32) {
    float d = nk_get_half(b);
    for (int i = 0; i < 32; i++) y[i] = (float)(int8_t)b[2 + i] * d;
  }
}

static void nk_decode_q2_k(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 84, y += 256) {
    float d = nk_get_half(b + 80), m = nk_get_half(b + 82);
    for (int s = 0; s < 16; s++) {
      float scale = d * (float)(b[s] & 15), offset = m * (float)(b[s] >> 4);
      const uint8_t *codes = b + 16 + 32 * (s / 8) + 16 * (s % 2);
      int shift = 2 * (s % 8 / 2);
      for (int i = 0; i < 16; i++) y[16 * s + i] = scale * (float)(codes[i] >> shift & 3) - offset;
    }
  }
}

static void nk_decode_q3_k(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 110, y += 256) {
    float d = nk_get_half(b + 108);
    uint8_t scales[16];
    nk_get_q3_k_scales(b + 96, scales);
    for (int s = 0; s < 16; s++) {
      float scale = d * (float)(scales[s] - 32);
      const uint8_t *low = b + 32 + 32 * (s / 8) + 16 * (s % 2), *high = b + 16 * (s % 2);
      int shift = 2 * (s % 8 / 2), bit = s / 2;
      for (int i = 0; i < 16; i++) {
        y[16 * s + i] = scale * (float)((low[i] >> shift & 3) + 4 * (high[i] >> bit & 1) - 4);
      }
    }
  }
}

static void nk_decode_q4_k(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 144, y += 256) {
    float d = nk_get_half(b), m = nk_get_half(b + 2);
    uint8_t scales[8], offsets[8];
    nk_get_k_scales(b + 4, scales, offsets);
    for (int s = 0; s < 8; s++) {
      float scale = d * (float)scales[s], offset = m * (float)offsets[s];
      const uint8_t *codes = b + 16 + 32 * (s / 2);
      int shift = 4 * (s % 2);
      for (int i = 0; i < 32; i++) y[32 * s + i] = scale * (float)(codes[i] >> shift & 15) - offset;
    }
  }
}

static void nk_decode_q5_k(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 176, y += 256) {
    float d = nk_get_half(b), m = nk_get_half(b + 2);
    uint8_t scales[8], offsets[8];
    nk_get_k_scales(b + 4, scales, offsets);
    for (int s = 0; s < 8; s++) {
      float scale = d * (float)scales[s], offset = m * (float)offsets[s];
      const uint8_t *codes = b + 48 + 32 * (s / 2), *fifths = b + 16;
      int shift = 4 * (s % 2);
      for (int i = 0; i < 32; i++) {
        y[32 * s + i] = scale * (float)((codes[i] >> shift & 15) + 16 * (fifths[i] >> s & 1)) - offset;
      }
    }
  }
}

static void nk_decode_q6_k(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 210, y += 256) {
    float d = nk_get_half(b + 208);
    for (int s = 0; s < 16; s++) {
      float scale = d * (float)(int8_t)b[192 + s];
      int part = s % 8 / 2;
      const uint8_t *low = b + 64 * (s / 8) + 32 * (part % 2) + 16 * (s % 2);
      const uint8_t *high = b + 128 + 32 * (s / 8) + 16 * (s % 2);
      int low_shift = 4 * (part / 2), high_shift = 2 * part;
      for (int i = 0; i < 16; i++) {
        int code = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
        y[16 * s + i] = scale * (float)(code - 32);
      }
    }
  }
}

static void nk_decode_iq4_nl(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 18, y += 32) {
    float d = nk_get_half(b);
    for (int i = 0; i < 16; i++) {
      y[i] = d * (float)nk_iq4_levels[b[2 + i] & 15];
      y[16 + i] = d * (float)nk_iq4_levels[b[2 + i] >> 4];
    }
  }
}

static void nk_decode_mxfp4(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 17, y += 32) {
    float d = nk_half_of_exponent(b[0]);
    for (int i = 0; i < 16; i++) {
      y[i] = d * (float)nk_e2m1_doubles[b[1 + i] & 15];
      y[16 + i] = d * (float)nk_e2m1_doubles[b[1 + i] >> 4];
    }
  }
}

static void nk_decode_iq4_xs(const uint8_t *b, float *y, size_t count) {
  for (; count-- > 0; b += 136, y += 256) {
    float d = nk_get_half(b);
    uint8_t scales[8];
    nk_get_iq4_xs_scales(b, scales);
    for (int s = 0; s < 8; s++) {
      float scale = d * (float)(scales[s] - 32);
      const uint8_t *codes = b + 8 + 16 * s;
      for (int i = 0; i < 16; i++) {
        y[32 * s + i] = scale * (float)nk_iq4_levels[codes[i] & 15];
        y[32 * s + 16 + i] = scale * (float)nk_iq4_levels[codes[i] >> 4];
      }
    }
  }
}

#endif
