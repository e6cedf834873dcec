// The block formats of GGUF files: decoding, packing, and the search for the best codes and scales.
//
// A block type is named by its GGUF type id. Values run along a matrix row; whole blocks only. Nothing here allocates
// or fails: callers check ids with nk_block_codec, counts and buffer sizes.
#ifndef NIBBLE_BLOCKS_H
#define NIBBLE_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

/// The fields of consecutive blocks, unpacked. Every number is a level index: 0 is the lowest level that its bits can
/// hold, so a signed field of b bits is stored with 2^(b-1) added. Fields that the type lacks are not touched.
///
/// An element's value is `level(code) * scale + offset`; with sub-blocks the scale is `scales * sub_scales` and the
/// offset `offsets * sub_offsets`. GGUF stores the k-quants' offsets negated; here they are as they are added.
typedef struct {
  uint8_t *codes;        // element_count a block
  uint16_t *scales;      // one a block, f16 bits
  uint16_t *offsets;     // one a block, f16 bits
  uint8_t *sub_scales;   // sub_count a block
  uint8_t *sub_offsets;  // sub_count a block
} nk_block_parts;

/// What is known about a block type, and its operations.
typedef struct {
  int element_count;  // elements of a block
  int byte_count;     // bytes of a block
  int sub_count;      // sub-blocks of a block that have a scale of their own; 0 where the block has one scale only
  int has_offset;
  /// Turns blocks into values, exactly as the format defines them.
  void (*decode)(const uint8_t *blocks, float *values, size_t block_count);
  /// Packs and unpacks one block's fields; null for the float types.
  void (*pack)(const nk_block_parts *parts, uint8_t *block);
  void (*unpack)(const uint8_t *block, const nk_block_parts *parts);
} nk_block_codec;

/// The parts of the block that is `index` blocks after the first.
static inline nk_block_parts nk_block_parts_at(nk_block_codec codec, nk_block_parts parts, size_t index) {
  parts.codes += index * (size_t)codec.element_count;
  parts.scales += index;
  if (codec.has_offset) parts.offsets += index;
  if (codec.sub_count) parts.sub_scales += index * (size_t)codec.sub_count;
  if (codec.sub_count && codec.has_offset) parts.sub_offsets += index * (size_t)codec.sub_count;
  return parts;
}

/// One instruction set's implementation; all give the same bits.
typedef struct {
  /// The codec of a GGUF type id, or null.
  const nk_block_codec *(*codec)(uint32_t type);
  /// Finds codes and scales of `count` values, a whole number of rows of `column_count`, and packs them.
  /// `importance` holds a factor >= 0 for each column, or is null.
  void (*encode)(
    uint32_t type, const float *values, size_t count, const float *importance, size_t column_count, uint8_t *blocks);
  /// The same search, unpacked.
  void (*quantize)(
    uint32_t type, const float *values, size_t count, const float *importance, size_t column_count,
    const nk_block_parts *parts);
} nk_block_table;

/// The best table that this machine can run.
const nk_block_table *nk_blocks(void);

/// The table of one instruction set, or null where this machine or build has none.
const nk_block_table *nk_blocks_for(enum nk_instruction_set instruction_set);

#endif
