#include "tables.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#if defined(__aarch64__)
/// The NEON table uses the 8-bit dot product, which Armv8.2 brought (all Apple silicon has it).
static int has_dot_product(void) {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) & (1 << 20)) != 0;  // HWCAP_ASIMDDP
#else
  return 1;
#endif
}
#endif

const nk_matmul_table *nk_matmul_for(enum nk_instruction_set set) {
  if (!nk_supports(set)) return 0;
  switch (set) {
    case NK_SCALAR:
      return &nk_matmul_scalar;
#if defined(__x86_64__)
    case NK_AVX2:
      return &nk_matmul_avx2;
    case NK_AVX512:
      return &nk_matmul_avx512;
#elif defined(__aarch64__)
    case NK_NEON:
      return has_dot_product() ? &nk_matmul_neon : 0;
#endif
    default:
      return 0;
  }
}

const nk_matmul_table *nk_matmul(void) {
  static const enum nk_instruction_set best_first[] = {NK_AVX512, NK_AVX2, NK_NEON};
  for (int i = 0; i < 3; i++) {
    const nk_matmul_table *table = nk_may_choose(best_first[i]) ? nk_matmul_for(best_first[i]) : 0;
    if (table) return table;
  }
  return &nk_matmul_scalar;
}
