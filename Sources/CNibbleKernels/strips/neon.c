// Products of strips with NEON and the 8-bit dot product of Armv8.2, which multiplies signed by signed: numbers of 8 bits
// are taken less 128, and zero points likewise.
#if defined(__aarch64__) || defined(NK_EMULATED)
#include "../shared/arm_intrinsics.h"
#include "strips.h"

NK_TARGET_BEGIN("dotprod")

/// What is taken off the numbers to make them signed.
NK_STRIP_INLINE int nk_bias(const enum nk_strip_codes codes) {
  return codes == NK_STRIP_4_BITS ? 0 : codes == NK_STRIP_12_BIT_LEVELS ? 128 * 16 : 128;
}

/// One plane of the numbers of 4 rows, signed: of 4-bit codes the low (`half` 0) or high ones.
NK_STRIP_INLINE int8x16_t nk_plane(const enum nk_strip_codes codes, uint8x16_t packed, const int half,
                                   const int8x16_t table) {
  if (codes == NK_STRIP_8_BITS) return vreinterpretq_s8_u8(veorq_u8(packed, vdupq_n_u8(128)));
  packed = half == 1 ? vshrq_n_u8(packed, 4) : vandq_u8(packed, vdupq_n_u8(15));
  return codes == NK_STRIP_4_BITS ? vreinterpretq_s8_u8(packed) : vqtbl1q_s8(table, packed);
}

NK_STRIP_INLINE void nk_strip_tile(const enum nk_strip_codes codes, const int count, const nk_strips *w,
                                   const uint8_t *p, const nk_activations *x, size_t i, float *sums) {
  const size_t blocks = x->columns / 32, stride = x->columns, length = w->group_columns / 32;
  const int has_bytes = codes == NK_STRIP_8_BITS, plane_count = codes == NK_STRIP_12_BIT_LEVELS ? 2 : 1;
  const int8_t *activations = x->codes + i * stride;
  int8x16_t tables[2];
  for (int plane = 0; plane < 2; plane++) {
    // Of 12 bits the upper 8, then the lower 4; of others all.
    int8_t bytes[16];
    for (int k = 0; k < 16; k++) {
      const int level = w->levels[k];
      bytes[k] = (int8_t)(plane_count == 1 ? level - 128 : plane == 0 ? (level >> 4) - 128 : level & 15);
    }
    tables[plane] = vld1q_s8(bytes);
  }
  float32x4_t sum[4][4];
  for (int c = 0; c < count; c++)
    for (int q = 0; q < 4; q++) sum[c][q] = vdupq_n_f32(0);
  for (size_t first = 0; first < blocks; first += length) {
    const nk_strip_head head = nk_strip_head_at(w, p);
    float32x4_t scale[4];
    int32x4_t zero[4];
    for (int q = 0; q < 4; q++) {
      scale[q] = vmulq_n_f32(vld1q_f32(head.scales + 4 * q), w->unit);
      zero[q] = head.zeros ? vandq_s32(vld1q_s32(head.zeros + 4 * q), vdupq_n_s32(0x7FFF)) : vdupq_n_s32(w->zero);
      zero[q] = vsubq_s32(zero[q], vdupq_n_s32(nk_bias(codes)));
    }
    p += nk_strip_head_bytes(w);
    const size_t end = blocks - first < length ? blocks : first + length;
    for (size_t b = first; b < end; b++, p += nk_strip_block_bytes(codes), activations += 32) {
      nk_strip_prefetch(codes, count, p);
      int32x4_t total[4][4];
      int8x16_t x_codes[4][2];
      for (int c = 0; c < count; c++) {
        for (int q = 0; q < 4; q++) total[c][q] = vdupq_n_s32(0);
        for (int h = 0; h < 2; h++) x_codes[c][h] = vld1q_s8(activations + (size_t)c * stride + 16 * h);
      }
      for (int plane = 0; plane < plane_count; plane++) {
        if (plane == 1)
          for (int c = 0; c < count; c++)
            for (int q = 0; q < 4; q++) total[c][q] = vshlq_n_s32(total[c][q], 4);
        for (int half = 0; half < 2; half++) {
#define NK_STEP(step)                                                                                                 \
  for (int q = 0; q < 4; q++) {                                                                                       \
    const uint8x16_t packed = vld1q_u8(p + 64 * (has_bytes ? 4 * half + step : step) + 16 * q);                       \
    const int8x16_t numbers = nk_plane(codes, packed, half, tables[plane]);                                           \
    for (int c = 0; c < count; c++) total[c][q] = vdotq_laneq_s32(total[c][q], numbers, x_codes[c][half], step);      \
  }
          NK_STEP(0)
          NK_STEP(1)
          NK_STEP(2)
          NK_STEP(3)
#undef NK_STEP
        }
      }
      for (int c = 0; c < count; c++) {
        const size_t block = (i + (size_t)c) * blocks + b;
        const int32_t x_codes_sum = x->half_sums[2 * block] + x->half_sums[2 * block + 1];
        for (int q = 0; q < 4; q++) {
          const int32x4_t whole = vmlsq_n_s32(total[c][q], zero[q], x_codes_sum);
          sum[c][q] = vfmaq_f32(sum[c][q], vmulq_n_f32(scale[q], x->scales[block]), vcvtq_f32_s32(whole));
          if (head.minima)
            sum[c][q] = vfmaq_f32(sum[c][q], vld1q_f32(head.minima + 4 * q), vdupq_n_f32(x->sums[block]));
        }
      }
    }
  }
  for (int c = 0; c < count; c++)
    for (int q = 0; q < 4; q++) vst1q_f32(sums + nk_strip_rows * c + 4 * q, sum[c][q]);
}

#define NK_STRIP_WIDEST(codes) 4
NK_STRIP_MULTIPLY(multiply, 0)

const nk_strip_table nk_strips_neon = {multiply, nk_strips_take_no_words};

NK_TARGET_END
#endif
