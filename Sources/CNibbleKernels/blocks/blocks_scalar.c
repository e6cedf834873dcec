// The block formats in plain C: the definition, and on AArch64 the NEON build.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma STDC FP_CONTRACT OFF

#define NK_BLOCK_TABLE nk_block_table_scalar
#include "table.h"
