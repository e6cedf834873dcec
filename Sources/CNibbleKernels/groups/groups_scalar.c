// The group kernels in plain C: the definition, and on AArch64 the NEON build.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma STDC FP_CONTRACT OFF

#define NK_GROUP_TABLE nk_group_table_scalar
#include "groups.inc.h"
