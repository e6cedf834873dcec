// Products with NEON and the 8-bit dot product of Armv8.2, which multiplies signed codes by signed codes.
#if defined(__aarch64__) || defined(NK_EMULATED)
#include "../shared/arm_intrinsics.h"
#include "tables.h"

NK_TARGET_BEGIN("dotprod")

#define NK_LANES 4
#if defined(__aarch64__)
#define NK_HARDWARE_HALF
#endif
#include "float_rows.h"
#include "neon_codes.h"

enum { nk_rows = 16, nk_tile_width = 4 };

// A panel holds 16 rows as 4 quarters. For each group of 32 columns: codes [column / 4][row][4] and the scales.
typedef struct {
  int8_t codes[8][nk_rows][4];
  float scale[nk_rows];
  float minimum[nk_rows];
  int32_t sub_scale[2][nk_rows];
  int32_t sub_minimum[2][nk_rows];
} nk_panel_group;

static void quantize(const nk_activations *x, size_t first, size_t count) {
  const size_t blocks = x->columns / 32;
  for (size_t b = first * blocks; b < (first + count) * blocks; b++) {
    float32x4_t v[8];
    uint32x4_t largest = vdupq_n_u32(0);
    for (int i = 0; i < 8; i++) {
      v[i] = vld1q_f32(x->values + 32 * b + 4 * i);
      largest = vmaxq_u32(largest, vandq_u32(vreinterpretq_u32_f32(v[i]), vdupq_n_u32(0x7FFFFFFF)));
    }
    const uint32_t bits = vmaxvq_u32(largest);
    const float maximum = nk_float_from_bits(bits);
    const int is_zero = maximum < 0x1p-100f, is_finite = bits < 0x7F800000;
    const float inverse = is_zero || !is_finite ? 0 : 127 / maximum;
    int32x4_t sums[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
    int16x4_t narrow[8];
    for (int i = 0; i < 8; i++) {
      if (!is_finite) v[i] = vdupq_n_f32(0);
      const int32x4_t q = vcvtnq_s32_f32(vmulq_n_f32(v[i], inverse));
      sums[i / 4] = vaddq_s32(sums[i / 4], q);
      narrow[i] = vmovn_s32(q);
    }
    for (int i = 0; i < 4; i++) {
      const int16x8_t words = vcombine_s16(narrow[2 * i], narrow[2 * i + 1]);
      vst1_s8(x->codes + 32 * b + 8 * i, vmovn_s16(words));
      if (x->words) vst1q_s16(x->words + 32 * b + 8 * i, words);
    }
    const int first_sum = vaddvq_s32(sums[0]), second_sum = vaddvq_s32(sums[1]);
    x->scales[b] = is_zero ? 0 : maximum / 127;
    x->sums[b] = x->scales[b] * (float)(first_sum + second_sum);
    x->half_sums[2 * b] = (int16_t)first_sum;
    x->half_sums[2 * b + 1] = (int16_t)second_sum;
  }
}

NK_ARM void nk_fill_panel(const enum nk_weight_type type, const uint8_t *const rows[nk_rows], size_t blocks,
                          nk_panel_group *panel) {
  const size_t groups = nk_block_columns(type) / 32, bytes = nk_block_bytes(type);
  for (int quarter = 0; quarter < nk_rows; quarter += 4)
    for (size_t b = 0; b < blocks; b += groups) {
      const uint8_t *p[4];
      for (int r = 0; r < 4; r++) p[r] = rows[quarter + r] + b / groups * bytes;
      nk_scales4 s;
      nk_scales_of_blocks(type, p, &s);
      for (size_t g = 0; g < groups; g++) {
        nk_panel_group *out = panel + b + g;
        int8x16x2_t codes[4];
        for (int r = 0; r < 4; r++) codes[r] = nk_codes32(type, p[r], (int)g);
        for (int half = 0; half < 2; half++) {
          const int32x4_t a = vreinterpretq_s32_s8(codes[0].val[half]), c = vreinterpretq_s32_s8(codes[1].val[half]);
          const int32x4_t d = vreinterpretq_s32_s8(codes[2].val[half]), e = vreinterpretq_s32_s8(codes[3].val[half]);
          const int64x2_t ac0 = vreinterpretq_s64_s32(vtrn1q_s32(a, c)), ac1 = vreinterpretq_s64_s32(vtrn2q_s32(a, c));
          const int64x2_t de0 = vreinterpretq_s64_s32(vtrn1q_s32(d, e)), de1 = vreinterpretq_s64_s32(vtrn2q_s32(d, e));
          vst1q_s8(out->codes[4 * half][quarter], vreinterpretq_s8_s64(vtrn1q_s64(ac0, de0)));
          vst1q_s8(out->codes[4 * half + 1][quarter], vreinterpretq_s8_s64(vtrn1q_s64(ac1, de1)));
          vst1q_s8(out->codes[4 * half + 2][quarter], vreinterpretq_s8_s64(vtrn2q_s64(ac0, de0)));
          vst1q_s8(out->codes[4 * half + 3][quarter], vreinterpretq_s8_s64(vtrn2q_s64(ac1, de1)));
        }
        memcpy(out->scale + quarter, s.scale[g], 16);
        if (nk_has_minimum(type) || type == NK_WEIGHT_Q2_K) memcpy(out->minimum + quarter, s.minimum[g], 16);
        if (nk_has_sub_scales(type))
          for (int half = 0; half < 2; half++) {
            memcpy(out->sub_scale[half] + quarter, s.sub_scale[g][half], 16);
            if (type == NK_WEIGHT_Q2_K) memcpy(out->sub_minimum[half] + quarter, s.sub_minimum[g][half], 16);
          }
      }
    }
}

/// What a group adds to the sums of 4 rows, given the exact sum of products.
NK_ARM float32x4_t nk_add_group(const enum nk_weight_type type, float32x4_t sum, int32x4_t total, const float *scale,
                                const float *minimum, const int32_t *low_minimum, const int32_t *high_minimum,
                                const nk_activations *x, size_t block) {
  const float x_scale = x->scales[block];
  sum = vfmaq_f32(sum, vmulq_n_f32(vld1q_f32(scale), x_scale), vcvtq_f32_s32(total));
  if (nk_has_minimum(type)) sum = vfmaq_f32(sum, vld1q_f32(minimum), vdupq_n_f32(x->sums[block]));
  if (type == NK_WEIGHT_Q2_K) {
    int32x4_t minima = vmulq_n_s32(vld1q_s32(low_minimum), x->half_sums[2 * block]);
    minima = vmlaq_n_s32(minima, vld1q_s32(high_minimum), x->half_sums[2 * block + 1]);
    sum = vfmaq_f32(sum, vmulq_n_f32(vld1q_f32(minimum), x_scale), vcvtq_f32_s32(minima));
  }
  return sum;
}

/// Sums of one panel with `count` activation rows from row `i`: sums[count][16].
NK_ARM void nk_tile(const enum nk_weight_type type, const int count, const nk_panel_group *panel,
                    const nk_activations *x, size_t i, float *sums) {
  const size_t blocks = x->columns / 32;
  memset(sums, 0, (size_t)count * nk_rows * sizeof(float));
  for (size_t b = 0; b < blocks; b++, panel++) {
    int32x4_t total[nk_tile_width][4];
    for (int half = 0; half < 2; half++) {
      int32x4_t partial[nk_tile_width][4];
      int8x16_t codes[nk_tile_width];
      const int begins = half == 0 || nk_has_sub_scales(type);
      for (int c = 0; c < count; c++) {
        codes[c] = vld1q_s8(x->codes + (i + (size_t)c) * x->columns + 32 * b + 16 * (size_t)half);
        for (int q = 0; q < 4; q++) partial[c][q] = begins ? vdupq_n_s32(0) : total[c][q];
      }
#define NK_STEP(step)                                                                                    \
  for (int q = 0; q < 4; q++) {                                                                          \
    const int8x16_t w = vld1q_s8(panel->codes[4 * half + step][4 * q]);                                  \
    for (int c = 0; c < count; c++) partial[c][q] = vdotq_laneq_s32(partial[c][q], w, codes[c], step);   \
  }
      NK_STEP(0)
      NK_STEP(1)
      NK_STEP(2)
      NK_STEP(3)
#undef NK_STEP
      for (int c = 0; c < count; c++)
        for (int q = 0; q < 4; q++) {
          if (!nk_has_sub_scales(type)) {
            total[c][q] = partial[c][q];
          } else {
            const int32x4_t scale = vld1q_s32(panel->sub_scale[half] + 4 * q);
            total[c][q] = half ? vmlaq_s32(total[c][q], partial[c][q], scale) : vmulq_s32(partial[c][q], scale);
          }
        }
    }
    for (int c = 0; c < count; c++)
      for (int q = 0; q < 4; q++) {
        float *at = sums + nk_rows * c + 4 * q;
        vst1q_f32(at, nk_add_group(type, vld1q_f32(at), total[c][q], panel->scale + 4 * q, panel->minimum + 4 * q,
                                   panel->sub_minimum[0] + 4 * q, panel->sub_minimum[1] + 4 * q, x,
                                   (i + (size_t)c) * blocks + b));
      }
  }
}

/// y[4] for activation row `i`, straight from the packed bytes.
NK_ARM void nk_direct4(const enum nk_weight_type type, const uint8_t *const rows[4], const nk_activations *x, size_t i,
                       float *y) {
  const size_t groups = nk_block_columns(type) / 32, bytes = nk_block_bytes(type), blocks = x->columns / 32;
  float32x4_t sum = vdupq_n_f32(0);
  for (size_t b = 0; b < blocks; b += groups) {
    const uint8_t *p[4];
    for (int r = 0; r < 4; r++) p[r] = rows[r] + b / groups * bytes;
    nk_scales4 s;
    nk_scales_of_blocks(type, p, &s);
    for (size_t g = 0; g < groups; g++) {
      const size_t block = i * blocks + b + g;
      const int8x16_t low = vld1q_s8(x->codes + 32 * block), high = vld1q_s8(x->codes + 32 * block + 16);
      int32x4_t v[4];
      for (int r = 0; r < 4; r++) {
        const int8x16x2_t w = nk_codes32(type, p[r], (int)g);
        const int32x4_t first = vdotq_s32(vdupq_n_s32(0), w.val[0], low);
        if (nk_has_sub_scales(type)) {
          const int32x4_t second = vdotq_s32(vdupq_n_s32(0), w.val[1], high);
          v[r] = vmlaq_n_s32(vmulq_n_s32(first, s.sub_scale[g][0][r]), second, s.sub_scale[g][1][r]);
        } else {
          v[r] = vdotq_s32(first, w.val[1], high);
        }
      }
      const int32x4_t total = vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]));
      sum = nk_add_group(type, sum, total, s.scale[g], s.minimum[g], s.sub_minimum[g][0], s.sub_minimum[g][1], x,
                         block);
    }
  }
  vst1q_f32(y, sum);
}

/// Up to this many activation rows, expanding a panel costs more than it saves.
enum { nk_direct_limit = 3 };

NK_ARM void nk_multiply_codes(const enum nk_weight_type type, const nk_matrix *w, size_t first_row, size_t row_count,
                              const nk_activations *x, size_t count, float *y, size_t y_stride, void *scratch) {
  const size_t blocks = w->columns / 32, row_bytes = w->columns / nk_block_columns(type) * nk_block_bytes(type);
  const size_t step = count <= nk_direct_limit ? 4 : nk_rows;
  for (size_t r = 0; r < row_count; r += step) {
    const size_t valid = row_count - r < step ? row_count - r : step;
    const uint8_t *rows[nk_rows];
    for (size_t j = 0; j < step; j++) rows[j] = w->bytes + (first_row + r + (j < valid ? j : valid - 1)) * row_bytes;
    if (count > nk_direct_limit) nk_fill_panel(type, rows, blocks, scratch);
    for (size_t i = 0, tile = 1; i < count; i += tile) {
      float sums[nk_tile_width * nk_rows];
      if (count <= nk_direct_limit) {
        nk_direct4(type, rows, x, i, sums);
      } else if (count - i >= nk_tile_width) {
        nk_tile(type, nk_tile_width, scratch, x, i, sums);
        tile = nk_tile_width;
      } else {
        nk_tile(type, 1, scratch, x, i, sums);
        tile = 1;
      }
      for (size_t j = 0; j < tile; j++) memcpy(y + (i + j) * y_stride + r, sums + nk_rows * j, valid * sizeof(float));
    }
  }
}

static void multiply(const nk_matrix *w, size_t first_row, size_t row_count, const nk_activations *x, size_t count,
                     float *y, size_t y_stride, void *scratch) {
#define NK_CASE(type) \
  case NK_WEIGHT_##type: \
    nk_multiply_codes(NK_WEIGHT_##type, w, first_row, row_count, x, count, y, y_stride, scratch); \
    break
  switch (w->type) {
    case NK_WEIGHT_F32: nk_multiply_f32(w, first_row, row_count, x, count, y, y_stride, scratch); break;
    case NK_WEIGHT_F16: nk_multiply_f16(w, first_row, row_count, x, count, y, y_stride, scratch); break;
    case NK_WEIGHT_BF16: nk_multiply_bf16(w, first_row, row_count, x, count, y, y_stride, scratch); break;
    NK_CASE(Q4_0);
    NK_CASE(Q4_1);
    NK_CASE(Q5_0);
    NK_CASE(Q5_1);
    NK_CASE(Q8_0);
    NK_CASE(Q2_K);
    NK_CASE(Q3_K);
    NK_CASE(Q4_K);
    NK_CASE(Q5_K);
    NK_CASE(Q6_K);
    NK_CASE(IQ4_NL);
    NK_CASE(IQ4_XS);
    NK_CASE(MXFP4);
  }
}

const nk_matmul_table nk_matmul_neon = {quantize, multiply, nk_takes_no_words};

NK_TARGET_END
#endif
