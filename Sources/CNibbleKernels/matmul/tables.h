// The tables of products, one an instruction set.
#ifndef NK_MATMUL_TABLES_H
#define NK_MATMUL_TABLES_H

#include "../include/nk_matmul.h"

extern const nk_matmul_table nk_matmul_scalar;
extern const nk_matmul_table nk_matmul_avx2;
extern const nk_matmul_table nk_matmul_avx512;
extern const nk_matmul_table nk_matmul_neon;

/// nk_matmul_table.takes_words of tables that multiply bytes.
static inline int nk_takes_no_words(enum nk_weight_type type) {
  (void)type;
  return 0;
}

#endif
