// Panels of 16 weight rows as the micro-kernels of AVX2 and AVX-512 read them.
#ifndef NIBBLE_SHARED_PANEL_SHAPE_H
#define NIBBLE_SHARED_PANEL_SHAPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NK_PANEL static inline __attribute__((always_inline))

/// For each group of 32 columns a panel holds codes [column / 4][row][4] or, where it is wide, int16 [column / 2][row][2]; then
/// scales [16]; then, where it has them, minima [16], half scales [half][16] (pairs (s, s) or int32), and offsets or minima of the
/// halves as pairs [16].
typedef struct {
  int depth;            // steps of 4 columns whose products with unsigned codes 16 bits hold
  int has_minimum;
  int has_sub_scales;   // halves have integer scales
  int has_sub_minimum;  // halves have integer minima
  int is_wide;
  int offset;           // what is taken off all codes
  int has_offsets;      // each row and half has its own
} nk_shape;

NK_PANEL size_t nk_scale_at(const nk_shape s) { return s.is_wide ? 1024 : 512; }
NK_PANEL size_t nk_minimum_at(const nk_shape s) { return nk_scale_at(s) + 64; }
NK_PANEL size_t nk_sub_scale_at(const nk_shape s) { return nk_minimum_at(s) + (s.has_minimum ? 64 : 0); }
NK_PANEL size_t nk_sub_offset_at(const nk_shape s) { return nk_sub_scale_at(s) + (s.has_sub_scales ? 128 : 0); }
NK_PANEL size_t nk_panel_stride(const nk_shape s) {
  return nk_sub_offset_at(s) + (s.has_offsets || s.has_sub_minimum ? 64 : 0);
}

/// The sums of a block's halves, as a pair of int16.
NK_PANEL int32_t nk_pair_at(const int16_t *half_sums, size_t block) {
  int32_t pair;
  memcpy(&pair, half_sums + 2 * block, 4);
  return pair;
}

#endif
