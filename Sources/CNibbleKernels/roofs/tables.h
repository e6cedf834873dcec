// The tables of roofs, one an instruction set.
#ifndef NK_ROOFS_TABLES_H
#define NK_ROOFS_TABLES_H

#include "../include/nk_roofs.h"

extern const nk_roof_table nk_roofs_scalar;
extern const nk_roof_table nk_roofs_avx2;
extern const nk_roof_table nk_roofs_avx512;
extern const nk_roof_table nk_roofs_neon;

#endif
