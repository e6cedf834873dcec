// Packing and unpacking of one block's fields, for the types with super-blocks of 256 elements.
#ifndef NIBBLE_BLOCKS_PACK_SUPER_H
#define NIBBLE_BLOCKS_PACK_SUPER_H

#include "pack.h"

// Q2_K: scales[16] (low nibble scale, high nibble offset), codes[64], f16 scale, f16 negated offset.

static void nk_pack_q2_k(const nk_block_parts *parts, uint8_t *block) {
  for (int j = 0; j < 16; j++) block[j] = (uint8_t)((parts->sub_scales[j] & 15) | parts->sub_offsets[j] << 4);
  for (int h = 0; h < 2; h++) {
    const uint8_t *c = parts->codes + 128 * h;
    for (int l = 0; l < 32; l++) {
      block[16 + 32 * h + l] = (uint8_t)((c[l] & 3) | (c[32 + l] & 3) << 2 | (c[64 + l] & 3) << 4 | c[96 + l] << 6);
    }
  }
  nk_put16(block + 80, parts->scales[0]);
  nk_put16(block + 82, parts->offsets[0] ^ 0x8000);
}

static void nk_unpack_q2_k(const uint8_t *block, const nk_block_parts *parts) {
  for (int j = 0; j < 16; j++) {
    parts->sub_scales[j] = block[j] & 15;
    parts->sub_offsets[j] = block[j] >> 4;
  }
  for (int h = 0; h < 2; h++) {
    for (int k = 0; k < 4; k++) {
      uint8_t *c = parts->codes + 128 * h + 32 * k;
      for (int l = 0; l < 32; l++) c[l] = block[16 + 32 * h + l] >> 2 * k & 3;
    }
  }
  parts->scales[0] = nk_get16(block + 80);
  parts->offsets[0] = nk_get16(block + 82) ^ 0x8000;
}

// Q3_K: third bits[32], low bits[64], 16 six-bit scales in 12 bytes, f16 scale.

static void nk_pack_q3_k(const nk_block_parts *parts, uint8_t *block) {
  memset(block, 0, 32);
  for (int h = 0; h < 2; h++) {
    const uint8_t *c = parts->codes + 128 * h;
    for (int l = 0; l < 32; l++) {
      int low = 0, high = 0;
      for (int k = 0; k < 4; k++) {
        low |= (c[32 * k + l] & 3) << 2 * k;
        high |= (c[32 * k + l] >> 2 & 1) << (4 * h + k);
      }
      block[32 + 32 * h + l] = (uint8_t)low;
      block[l] |= (uint8_t)high;
    }
  }
  const uint8_t *s = parts->sub_scales;
  for (int j = 0; j < 8; j++) block[96 + j] = (uint8_t)((s[j] & 15) | s[j + 8] << 4);
  for (int j = 0; j < 4; j++) {
    int bits = s[j] >> 4 | s[j + 4] >> 4 << 2 | s[j + 8] >> 4 << 4 | s[j + 12] >> 4 << 6;
    block[104 + j] = (uint8_t)bits;
  }
  nk_put16(block + 108, parts->scales[0]);
}

NK_INLINE void nk_get_q3_k_scales(const uint8_t *packed, uint8_t *scales) {
  for (int j = 0; j < 16; j++) {
    int low = j < 8 ? packed[j] & 15 : packed[j - 8] >> 4;
    scales[j] = (uint8_t)(low | (packed[8 + j % 4] >> 2 * (j / 4) & 3) << 4);
  }
}

static void nk_unpack_q3_k(const uint8_t *block, const nk_block_parts *parts) {
  for (int h = 0; h < 2; h++) {
    for (int k = 0; k < 4; k++) {
      uint8_t *c = parts->codes + 128 * h + 32 * k;
      for (int l = 0; l < 32; l++) {
        c[l] = (uint8_t)((block[32 + 32 * h + l] >> 2 * k & 3) | (block[l] >> (4 * h + k) & 1) << 2);
      }
    }
  }
  nk_get_q3_k_scales(block + 96, parts->sub_scales);
  parts->scales[0] = nk_get16(block + 108);
}

// Q4_K and Q5_K: f16 scale, f16 negated offset, 8 six-bit scales and 8 six-bit offsets in 12 bytes.

NK_INLINE void nk_put_k_scales(const uint8_t *scales, const uint8_t *offsets, uint8_t *packed) {
  for (int j = 0; j < 4; j++) {
    packed[j] = (uint8_t)((scales[j] & 63) | scales[j + 4] >> 4 << 6);
    packed[j + 4] = (uint8_t)((offsets[j] & 63) | offsets[j + 4] >> 4 << 6);
    packed[j + 8] = (uint8_t)((scales[j + 4] & 15) | offsets[j + 4] << 4);
  }
}

NK_INLINE void nk_get_k_scales(const uint8_t *packed, uint8_t *scales, uint8_t *offsets) {
  for (int j = 0; j < 4; j++) {
    scales[j] = packed[j] & 63;
    offsets[j] = packed[j + 4] & 63;
    scales[j + 4] = (uint8_t)((packed[j + 8] & 15) | packed[j] >> 6 << 4);
    offsets[j + 4] = (uint8_t)(packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4);
  }
}

NK_INLINE void nk_put_k_header(const nk_block_parts *parts, uint8_t *block) {
  nk_put16(block, parts->scales[0]);
  nk_put16(block + 2, parts->offsets[0] ^ 0x8000);
  nk_put_k_scales(parts->sub_scales, parts->sub_offsets, block + 4);
}

NK_INLINE void nk_get_k_header(const uint8_t *block, const nk_block_parts *parts) {
  parts->scales[0] = nk_get16(block);
  parts->offsets[0] = nk_get16(block + 2) ^ 0x8000;
  nk_get_k_scales(block + 4, parts->sub_scales, parts->sub_offsets);
}

// Nibbles of 256 elements: of each 64, the first 32 in the low halves of 32 bytes, the others in the high halves.
NK_INLINE void nk_put_k_nibbles(const uint8_t *codes, uint8_t *bytes) {
  for (int c = 0; c < 4; c++) {
    for (int l = 0; l < 32; l++) {
      bytes[32 * c + l] = (uint8_t)((codes[64 * c + l] & 15) | codes[64 * c + 32 + l] << 4);
    }
  }
}

NK_INLINE void nk_get_k_nibbles(const uint8_t *bytes, uint8_t *codes) {
  for (int c = 0; c < 4; c++) {
    for (int l = 0; l < 32; l++) {
      codes[64 * c + l] = bytes[32 * c + l] & 15;
      codes[64 * c + 32 + l] = bytes[32 * c + l] >> 4;
    }
  }
}

static void nk_pack_q4_k(const nk_block_parts *parts, uint8_t *block) {
  nk_put_k_header(parts, block);
  nk_put_k_nibbles(parts->codes, block + 16);
}

static void nk_unpack_q4_k(const uint8_t *block, const nk_block_parts *parts) {
  nk_get_k_header(block, parts);
  nk_get_k_nibbles(block + 16, parts->codes);
}

// Q5_K: fifth bits[32] after the header; bit s of byte l belongs to element l of sub-block s.

static void nk_pack_q5_k(const nk_block_parts *parts, uint8_t *block) {
  nk_put_k_header(parts, block);
  for (int l = 0; l < 32; l++) {
    int bits = 0;
    for (int s = 0; s < 8; s++) bits |= (parts->codes[32 * s + l] >> 4 & 1) << s;
    block[16 + l] = (uint8_t)bits;
  }
  nk_put_k_nibbles(parts->codes, block + 48);
}

static void nk_unpack_q5_k(const uint8_t *block, const nk_block_parts *parts) {
  nk_get_k_header(block, parts);
  nk_get_k_nibbles(block + 48, parts->codes);
  for (int s = 0; s < 8; s++) {
    for (int l = 0; l < 32; l++) parts->codes[32 * s + l] |= (uint8_t)((block[16 + l] >> s & 1) << 4);
  }
}

// Q6_K: low nibbles[128], high bits[64], i8 scales[16], f16 scale.

static void nk_pack_q6_k(const nk_block_parts *parts, uint8_t *block) {
  for (int h = 0; h < 2; h++) {
    const uint8_t *c = parts->codes + 128 * h;
    for (int l = 0; l < 64; l++) block[64 * h + l] = (uint8_t)((c[l] & 15) | c[64 + l] << 4);
    for (int l = 0; l < 32; l++) {
      int bits = c[l] >> 4 | c[32 + l] >> 4 << 2 | c[64 + l] >> 4 << 4 | c[96 + l] >> 4 << 6;
      block[128 + 32 * h + l] = (uint8_t)bits;
    }
  }
  for (int j = 0; j < 16; j++) block[192 + j] = parts->sub_scales[j] ^ 0x80;
  nk_put16(block + 208, parts->scales[0]);
}

static void nk_unpack_q6_k(const uint8_t *block, const nk_block_parts *parts) {
  for (int h = 0; h < 2; h++) {
    uint8_t *c = parts->codes + 128 * h;
    for (int l = 0; l < 64; l++) {
      c[l] = block[64 * h + l] & 15;
      c[64 + l] = block[64 * h + l] >> 4;
    }
    for (int k = 0; k < 4; k++) {
      for (int l = 0; l < 32; l++) {
        c[32 * k + l] |= (uint8_t)((block[128 + 32 * h + l] >> 2 * k & 3) << 4);
      }
    }
  }
  for (int j = 0; j < 16; j++) parts->sub_scales[j] = block[192 + j] ^ 0x80;
  parts->scales[0] = nk_get16(block + 208);
}

// IQ4_XS: f16 scale, upper 2 bits of 8 six-bit scales in 2 bytes, their lower 4 in 4 bytes, nibbles[128] as in IQ4_NL.

static void nk_pack_iq4_xs(const nk_block_parts *parts, uint8_t *block) {
  const uint8_t *s = parts->sub_scales;
  int high = 0;
  for (int j = 0; j < 8; j++) high |= s[j] >> 4 << 2 * j;
  nk_put16(block, parts->scales[0]);
  nk_put16(block + 2, (uint16_t)high);
  for (int j = 0; j < 4; j++) block[4 + j] = (uint8_t)((s[2 * j] & 15) | s[2 * j + 1] << 4);
  for (int j = 0; j < 8; j++) nk_put_nibbles(parts->codes + 32 * j, block + 8 + 16 * j);
}

NK_INLINE void nk_get_iq4_xs_scales(const uint8_t *block, uint8_t *scales) {
  int high = nk_get16(block + 2);
  for (int j = 0; j < 8; j++) {
    scales[j] = (uint8_t)((block[4 + j / 2] >> 4 * (j % 2) & 15) | (high >> 2 * j & 3) << 4);
  }
}

static void nk_unpack_iq4_xs(const uint8_t *block, const nk_block_parts *parts) {
  parts->scales[0] = nk_get16(block);
  nk_get_iq4_xs_scales(block, parts->sub_scales);
  for (int j = 0; j < 8; j++) nk_get_nibbles(block + 8 + 16 * j, parts->codes + 32 * j);
}

#endif
