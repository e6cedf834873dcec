// The tables of float kernels, one an instruction set.
#ifndef NK_FLOAT_TABLES_H
#define NK_FLOAT_TABLES_H

#include "../include/nk_float.h"

extern const nk_float_table nk_float_scalar;
extern const nk_float_table nk_float_avx2;
extern const nk_float_table nk_float_avx512;
extern const nk_float_table nk_float_neon;

#endif
