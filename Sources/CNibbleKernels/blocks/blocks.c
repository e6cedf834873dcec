// The choice of a table.
#include "nk_blocks.h"

extern const nk_block_table nk_block_table_scalar;
#if defined(__x86_64__)
extern const nk_block_table nk_block_table_avx2;
#endif

// Nothing here gains from wider vectors than AVX2's, so AVX-512 machines use that table too.
const nk_block_table *nk_blocks_for(enum nk_instruction_set instruction_set) {
  if (!nk_supports(instruction_set)) return 0;
  switch (instruction_set) {
#if defined(__x86_64__)
    case NK_AVX2:
    case NK_AVX512: return &nk_block_table_avx2;
#endif
    default: return &nk_block_table_scalar;
  }
}

const nk_block_table *nk_blocks(void) {
  const nk_block_table *table = nk_may_choose(NK_AVX2) ? nk_blocks_for(NK_AVX2) : 0;
  return table ? table : &nk_block_table_scalar;
}
