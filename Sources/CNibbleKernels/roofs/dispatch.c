#include "../include/nk_matmul.h"
#include "tables.h"

const nk_roof_table *nk_roofs_for(enum nk_instruction_set set) {
  if (!nk_matmul_for(set)) return 0;  // the same requirements
  switch (set) {
    case NK_SCALAR:
      return &nk_roofs_scalar;
#if defined(__x86_64__)
    case NK_AVX2:
      return &nk_roofs_avx2;
    case NK_AVX512:
      return &nk_roofs_avx512;
#elif defined(__aarch64__)
    case NK_NEON:
      return &nk_roofs_neon;
#endif
    default:
      return 0;
  }
}

const nk_roof_table *nk_roofs(void) {
  static const enum nk_instruction_set best_first[] = {NK_AVX512, NK_AVX2, NK_NEON};
  for (int i = 0; i < 3; i++) {
    const nk_roof_table *table = nk_may_choose(best_first[i]) ? nk_roofs_for(best_first[i]) : 0;
    if (table) return table;
  }
  return &nk_roofs_scalar;
}
