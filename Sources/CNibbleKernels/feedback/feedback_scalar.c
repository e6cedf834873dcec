// The feedback kernels in plain C: the definition, and on AArch64 the NEON build.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma STDC FP_CONTRACT OFF

#define NK_FEEDBACK_TABLE nk_feedback_table_scalar
#include "table.inc.h"
