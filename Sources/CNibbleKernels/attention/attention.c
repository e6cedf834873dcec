#include "nk_attention.h"

void nk_attend_scalar(const nk_attention_tile *tile);
#if defined(__x86_64__)
void nk_attend_avx2(const nk_attention_tile *tile);
void nk_attend_avx512(const nk_attention_tile *tile);
#endif

size_t nk_attention_scratch(size_t row_count, size_t head_size) {
  const size_t padded = nk_attention_padded(head_size);
  return row_count * (2 * padded + 2) + NK_ATTENTION_KEYS * (6 + 2 * padded);
}

nk_attend_function nk_attend_for(enum nk_instruction_set set) {
  if (!nk_supports(set)) return 0;
  switch (set) {
#if defined(__x86_64__)
    case NK_AVX512: return nk_attend_avx512;
    case NK_AVX2: return nk_attend_avx2;
#endif
    default: return nk_attend_scalar;  // on Arm the plain build uses NEON as it is
  }
}

void nk_attend(const nk_attention_tile *tile) {
  static nk_attend_function best;
  nk_attend_function function = __atomic_load_n(&best, __ATOMIC_RELAXED);
  if (!function) {
    const enum nk_instruction_set sets[] = {NK_AVX512, NK_AVX2, NK_NEON, NK_SCALAR};
    for (int i = 0; i < 4 && !function; i++) {
      if (nk_may_choose(sets[i])) function = nk_attend_for(sets[i]);
    }
    __atomic_store_n(&best, function, __ATOMIC_RELAXED);
  }
  function(tile);
}
