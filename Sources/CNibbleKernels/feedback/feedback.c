// The choice of a table.
#include "../include/nk_feedback.h"

extern const nk_feedback_table nk_feedback_table_scalar;
#if defined(__x86_64__)
extern const nk_feedback_table nk_feedback_table_avx2;
#endif

const nk_feedback_table *nk_feedback_for(enum nk_instruction_set instruction_set) {
  if (!nk_supports(instruction_set)) return 0;
  switch (instruction_set) {
#if defined(__x86_64__)
    case NK_AVX2:
    case NK_AVX512: return &nk_feedback_table_avx2;
#endif
    default: return &nk_feedback_table_scalar;
  }
}

const nk_feedback_table *nk_feedback(void) {
  const nk_feedback_table *table = nk_may_choose(NK_AVX2) ? nk_feedback_for(NK_AVX2) : 0;
  return table ? table : &nk_feedback_table_scalar;
}
