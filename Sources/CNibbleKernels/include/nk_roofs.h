// How fast the machine is at the two things that bound products: multiplying bytes, and reading memory. Measured, not looked up,
// so that rates of models stand beside what this machine gives to these threads now.
#ifndef NK_ROOFS_H
#define NK_ROOFS_H

#include <stddef.h>
#include <stdint.h>

#include "nk_instruction_set.h"

/// Bytes that `multiply` works on: they stay in the first cache.
enum { nk_roof_bytes = 8192 };

typedef struct {
  /// Products of bytes in one round of `multiply`.
  size_t round_products;
  /// Does `rounds` rounds with the instructions of the products of 4-bit weights with 8-bit activations (nk_matmul.h), and nothing
  /// else: no scales, no unpacking. `memory`: nk_roof_bytes, aligned to 64. Returns a sum, so that nothing is left out.
  int32_t (*multiply)(const uint8_t *memory, size_t rounds);
  /// Reads `count` bytes, a multiple of 256, aligned to 64, in order.
  uint64_t (*read)(const uint8_t *memory, size_t count);
} nk_roof_table;

/// The table of the best instruction set that this machine has.
const nk_roof_table *nk_roofs(void);

/// The table of one instruction set, or NULL when this machine (or this build) does not have it.
const nk_roof_table *nk_roofs_for(enum nk_instruction_set set);

#endif
