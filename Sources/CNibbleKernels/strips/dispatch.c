#include "strips.h"

const nk_strip_table *nk_strip_products_for(enum nk_instruction_set set) {
  if (!nk_matmul_for(set)) return 0;  // the same requirements
  switch (set) {
    case NK_SCALAR:
      return &nk_strips_scalar;
#if defined(__x86_64__)
    case NK_AVX2:
      return &nk_strips_avx2;
    case NK_AVX512:
      return &nk_strips_avx512;
#elif defined(__aarch64__)
    case NK_NEON:
      return &nk_strips_neon;
#endif
    default:
      return 0;
  }
}

const nk_strip_table *nk_strip_products(void) {
  static const enum nk_instruction_set best_first[] = {NK_AVX512, NK_AVX2, NK_NEON};
  for (int i = 0; i < 3; i++) {
    const nk_strip_table *table = nk_may_choose(best_first[i]) ? nk_strip_products_for(best_first[i]) : 0;
    if (table) return table;
  }
  return &nk_strips_scalar;
}
