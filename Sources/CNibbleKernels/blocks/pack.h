// Packing and unpacking of one block's fields, for every quantized type. Byte order and bit positions are GGUF's.
#ifndef NIBBLE_BLOCKS_PACK_H
#define NIBBLE_BLOCKS_PACK_H

#include <string.h>

#include "../include/nk_blocks.h"
#include "lanes.h"

NK_INLINE uint16_t nk_get16(const uint8_t *bytes) { return (uint16_t)(bytes[0] | bytes[1] << 8); }

NK_INLINE void nk_put16(uint8_t *bytes, uint16_t value) {
  bytes[0] = (uint8_t)value;
  bytes[1] = (uint8_t)(value >> 8);
}

// Nibbles of 32 elements: element i in the low half of byte i, element i + 16 in its high half.
NK_INLINE void nk_put_nibbles(const uint8_t *codes, uint8_t *bytes) {
  for (int i = 0; i < 16; i++) bytes[i] = (uint8_t)((codes[i] & 15) | codes[i + 16] << 4);
}

NK_INLINE void nk_get_nibbles(const uint8_t *bytes, uint8_t *codes) {
  for (int i = 0; i < 16; i++) {
    codes[i] = bytes[i] & 15;
    codes[i + 16] = bytes[i] >> 4;
  }
}

// Fifth bits of 32 elements: element i in bit i.
NK_INLINE void nk_put_fifths(const uint8_t *codes, uint8_t *bytes) {
  for (int b = 0; b < 4; b++) {
    uint8_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= (uint8_t)((codes[8 * b + i] >> 4 & 1) << i);
    bytes[b] = bits;
  }
}

NK_INLINE void nk_get_fifths(const uint8_t *bytes, uint8_t *codes) {
  for (int i = 0; i < 32; i++) codes[i] |= (uint8_t)((bytes[i / 8] >> i % 8 & 1) << 4);
}

static void nk_pack_q4_0(const nk_block_parts *parts, uint8_t *block) {
  nk_put16(block, parts->scales[0]);
  nk_put_nibbles(parts->codes, block + 2);
}

static void nk_unpack_q4_0(const uint8_t *block, const nk_block_parts *parts) {
  parts->scales[0] = nk_get16(block);
  nk_get_nibbles(block + 2, parts->codes);
}

// MXFP4: an exponent, then nibbles of numbers E2M1; codes count the numbers from the lowest.
static void nk_pack_mxfp4(const nk_block_parts *parts, uint8_t *block) {
  uint8_t numbers[32];
  for (int i = 0; i < 32; i++) {
    const uint8_t code = parts->codes[i] & 15;
    numbers[i] = (uint8_t)(code < 8 ? 15 - code : code - 8);
  }
  block[0] = (uint8_t)parts->scales[0];
  nk_put_nibbles(numbers, block + 1);
}

static void nk_unpack_mxfp4(const uint8_t *block, const nk_block_parts *parts) {
  parts->scales[0] = block[0];
  nk_get_nibbles(block + 1, parts->codes);
  for (int i = 0; i < 32; i++) {
    const uint8_t number = parts->codes[i];
    parts->codes[i] = (uint8_t)(number < 8 ? number + 8 : 15 - number);
  }
}

static void nk_pack_q4_1(const nk_block_parts *parts, uint8_t *block) {
  nk_put16(block, parts->scales[0]);
  nk_put16(block + 2, parts->offsets[0]);
  nk_put_nibbles(parts->codes, block + 4);
}

static void nk_unpack_q4_1(const uint8_t *block, const nk_block_parts *parts) {
  parts->scales[0] = nk_get16(block);
  parts->offsets[0] = nk_get16(block + 2);
  nk_get_nibbles(block + 4, parts->codes);
}

static void nk_pack_q5_0(const nk_block_parts *parts, uint8_t *block) {
  nk_put16(block, parts->scales[0]);
  nk_put_fifths(parts->codes, block + 2);
  nk_put_nibbles(parts->codes, block + 6);
}

static void nk_unpack_q5_0(const uint8_t *block, const nk_block_parts *parts) {
  parts->scales[0] = nk_get16(block);
  nk_get_nibbles(block + 6, parts->codes);
  nk_get_fifths(block + 2, parts->codes);
}

static void nk_pack_q5_1(const nk_block_parts *parts, uint8_t *block) {
  nk_put16(block, parts->scales[0]);
  nk_put16(block + 2, parts->offsets[0]);
  nk_put_fifths(parts->codes, block + 4);
  nk_put_nibbles(parts->codes, block + 8);
}

static void nk_unpack_q5_1(const uint8_t *block, const nk_block_parts *parts) {
  parts->scales[0] = nk_get16(block);
  parts->offsets[0] = nk_get16(block + 2);
  nk_get_nibbles(block + 8, parts->codes);
  nk_get_fifths(block + 4, parts->codes);
}

static void nk_pack_q8_0(const nk_block_parts *parts, uint8_t *block) {
  nk_put16(block, parts->scales[0]);
  for (int i = 0; i < 32; i++) block[2 + i] = parts->codes[i] ^ 0x80;
}

static void nk_unpack_q8_0(const uint8_t *block, const nk_block_parts *parts) {
  parts->scales[0] = nk_get16(block);
  for (int i = 0; i < 32; i++) parts->codes[i] = block[2 + i] ^ 0x80;
}

#endif
