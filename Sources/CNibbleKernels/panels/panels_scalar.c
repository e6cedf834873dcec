// The kernels of block floating point in plain C: the definition.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma STDC FP_CONTRACT OFF

#include "../blocks/lanes.h"

/// The low halves' product and the high halves', added.
NK_INLINE nk_v8i nk_pair_products(int32_t left, nk_v8i right) {
  return ((right << 16) >> 16) * (int32_t)(int16_t)left + (right >> 16) * (left >> 16);
}

#define NK_PANEL_TABLE nk_panel_table_scalar
#include "panels.inc.h"
