// The whole implementation, for the instruction set of the including file, as one table named NK_BLOCK_TABLE.
#ifndef NIBBLE_BLOCKS_TABLE_H
#define NIBBLE_BLOCKS_TABLE_H

#include "legacy.h"
#include "microscaling.h"
#include "plain.h"
#include "super_affine.h"
#include "super_symmetric.h"

enum { NK_LAST_TYPE = 39 };

#define NK_CODEC(id, name, elements, bytes, subs, offset) \
  [id] = {elements, bytes, subs, offset, nk_decode_##name, nk_pack_##name, nk_unpack_##name}

static const nk_block_codec nk_codecs[NK_LAST_TYPE + 1] = {
  [0] = {1, 4, 0, 0, nk_decode_f32, 0, 0},
  [1] = {1, 2, 0, 0, nk_decode_f16, 0, 0},
  [30] = {1, 2, 0, 0, nk_decode_bf16, 0, 0},
  NK_CODEC(2, q4_0, 32, 18, 0, 0),
  NK_CODEC(3, q4_1, 32, 20, 0, 1),
  NK_CODEC(6, q5_0, 32, 22, 0, 0),
  NK_CODEC(7, q5_1, 32, 24, 0, 1),
  NK_CODEC(8, q8_0, 32, 34, 0, 0),
  NK_CODEC(10, q2_k, 256, 84, 16, 1),
  NK_CODEC(11, q3_k, 256, 110, 16, 0),
  NK_CODEC(12, q4_k, 256, 144, 8, 1),
  NK_CODEC(13, q5_k, 256, 176, 8, 1),
  NK_CODEC(14, q6_k, 256, 210, 16, 0),
  [20] = {32, 18, 0, 0, nk_decode_iq4_nl, nk_pack_q4_0, nk_unpack_q4_0},
  NK_CODEC(23, iq4_xs, 256, 136, 8, 0),
  NK_CODEC(39, mxfp4, 32, 17, 0, 0),
};

/// Finds codes and scales of a group of 256 values (importance: 256 numbers or null).
typedef void (*nk_group_search)(const float *values, const float *importance, const nk_block_parts *out);

static const nk_group_search nk_searches[NK_LAST_TYPE + 1] = {
  [2] = nk_search_q4_0,  [3] = nk_search_q4_1,  [6] = nk_search_q5_0,  [7] = nk_search_q5_1,  [8] = nk_search_q8_0,
  [10] = nk_search_q2_k, [11] = nk_search_q3_k, [12] = nk_search_q4_k, [13] = nk_search_q5_k, [14] = nk_search_q6_k,
  [20] = nk_search_iq4_nl, [23] = nk_search_iq4_xs,
  [39] = nk_search_mxfp4,
};

static const nk_block_codec *nk_find_codec(uint32_t type) {
  return type <= NK_LAST_TYPE && nk_codecs[type].decode ? &nk_codecs[type] : 0;
}

typedef struct {
  uint8_t codes[NK_GROUP];
  uint16_t scales[NK_LANES], offsets[NK_LANES];
  uint8_t sub_scales[16], sub_offsets[16];
} nk_group_storage;

/// Searches group after group; each group's parts go to `blocks` packed, or else to `parts`.
static void nk_search_all(
  uint32_t type, const float *values, size_t count, const float *importance, size_t column_count,
  const nk_block_parts *parts, uint8_t *blocks) {
  const nk_block_codec *codec = &nk_codecs[type];
  nk_group_search search = nk_searches[type];
  size_t blocks_a_group = (size_t)(NK_GROUP / codec->element_count);
  nk_group_storage storage;
  nk_block_parts local = {
    storage.codes, storage.scales, storage.offsets, storage.sub_scales, storage.sub_offsets};
  float padded[NK_GROUP], factors[NK_GROUP];
  for (size_t start = 0; start < count; start += NK_GROUP) {
    size_t length = count - start < NK_GROUP ? count - start : NK_GROUP;
    const float *group = values + start, *group_importance = 0;
    if (length < NK_GROUP) {
      memset(padded, 0, sizeof padded);
      memcpy(padded, group, length * sizeof(float));
      group = padded;
    }
    if (importance) {
      size_t column = start % column_count;
      group_importance = importance + column;
      if (length < NK_GROUP || column + NK_GROUP > column_count) {
        memset(factors, 0, sizeof factors);
        for (size_t i = 0; i < length; i++) {
          factors[i] = importance[column];
          column = column + 1 == column_count ? 0 : column + 1;
        }
        group_importance = factors;
      }
    }
    size_t block = start / (size_t)codec->element_count, block_count = length / (size_t)codec->element_count;
    if (parts && block_count == blocks_a_group) {
      nk_block_parts here = nk_block_parts_at(*codec, *parts, block);
      search(group, group_importance, &here);
      continue;
    }
    search(group, group_importance, &local);
    for (size_t i = 0; i < block_count; i++) {
      nk_block_parts one = nk_block_parts_at(*codec, local, i);
      if (blocks) {
        codec->pack(&one, blocks + (block + i) * (size_t)codec->byte_count);
      } else {
        nk_block_parts there = nk_block_parts_at(*codec, *parts, block + i);
        memcpy(there.codes, one.codes, (size_t)codec->element_count);
        there.scales[0] = one.scales[0];
        if (codec->has_offset) there.offsets[0] = one.offsets[0];
      }
    }
  }
}

static void nk_encode(
  uint32_t type, const float *values, size_t count, const float *importance, size_t column_count, uint8_t *blocks) {
  switch (type) {
    case 0: nk_encode_f32(values, count, blocks); return;
    case 1: nk_encode_f16(values, count, blocks); return;
    case 30: nk_encode_bf16(values, count, blocks); return;
    default: nk_search_all(type, values, count, importance, column_count, 0, blocks); return;
  }
}

static void nk_quantize(
  uint32_t type, const float *values, size_t count, const float *importance, size_t column_count,
  const nk_block_parts *parts) {
  nk_search_all(type, values, count, importance, column_count, parts, 0);
}

const nk_block_table NK_BLOCK_TABLE = {nk_find_codec, nk_encode, nk_quantize};

#endif
