// The choice of a table.
#include "../include/nk_panels.h"

extern const nk_panel_table nk_panel_table_scalar;
#if defined(__x86_64__)
extern const nk_panel_table nk_panel_table_avx2;
#endif

const nk_panel_table *nk_panels_for(enum nk_instruction_set instruction_set) {
  if (!nk_supports(instruction_set)) return 0;
  switch (instruction_set) {
    case NK_SCALAR: return &nk_panel_table_scalar;
#if defined(__x86_64__)
    case NK_AVX2:
    case NK_AVX512: return &nk_panel_table_avx2;
#endif
    default: return 0;
  }
}

// Plain C is slower at integers than a library is at floats.
const nk_panel_table *nk_panels(void) { return nk_may_choose(NK_AVX2) ? nk_panels_for(NK_AVX2) : 0; }
