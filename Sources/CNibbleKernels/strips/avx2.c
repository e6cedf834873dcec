// Products of strips with AVX2 and FMA. Numbers are taken 4 bits a plane (5 for levels that fit), so that 16-bit sums of
// vpmaddubsw hold all 8 steps of 4 columns (or 4 of them) before they must widen.
#if defined(__x86_64__)
#include "../shared/x86_intrinsics.h"
#include "strips.h"

NK_TARGET_BEGIN("avx2,fma,f16c")

/// How many planes of bits a number has; the first counts most.
NK_STRIP_INLINE int nk_plane_count(const enum nk_strip_codes codes) {
  switch (codes) {
    case NK_STRIP_4_BITS:
    case NK_STRIP_5_BIT_LEVELS: return 1;
    case NK_STRIP_8_BITS:
    case NK_STRIP_8_BIT_LEVELS: return 2;
    case NK_STRIP_12_BIT_LEVELS: return 3;
  }
  return 1;
}

/// One plane of the numbers of 8 rows: of 4-bit codes the low (`half` 0) or high ones.
NK_STRIP_INLINE __m256i nk_plane(const enum nk_strip_codes codes, __m256i packed, const int half, const int plane,
                                 const __m256i table) {
  const int is_high = codes == NK_STRIP_8_BITS ? plane == 0 : half == 1;
  if (is_high) packed = _mm256_srli_epi16(packed, 4);
  packed = _mm256_and_si256(packed, _mm256_set1_epi8(15));
  return codes == NK_STRIP_4_BITS || codes == NK_STRIP_8_BITS ? packed : _mm256_shuffle_epi8(table, packed);
}

/// Adds the products of 4 columns, from one plane of the packed numbers at `p`, to 16-bit sums of 16 rows.
NK_STRIP_INLINE void nk_add_step(const enum nk_strip_codes codes, const int count, const uint8_t *p, const int half,
                                 const int plane, const __m256i table, const int8_t *x, size_t stride,
                                 __m256i partial[][2]) {
  const __m256i w0 = nk_plane(codes, _mm256_load_si256((const __m256i *)p), half, plane, table);
  const __m256i w1 = nk_plane(codes, _mm256_load_si256((const __m256i *)(p + 32)), half, plane, table);
  for (int c = 0; c < count; c++) {
    int32_t four;
    memcpy(&four, x + (size_t)c * stride, 4);
    const __m256i factor = _mm256_set1_epi32(four);
    partial[c][0] = _mm256_add_epi16(partial[c][0], _mm256_maddubs_epi16(w0, factor));
    partial[c][1] = _mm256_add_epi16(partial[c][1], _mm256_maddubs_epi16(w1, factor));
  }
}

NK_STRIP_INLINE void nk_strip_tile(const enum nk_strip_codes codes, const int count, const nk_strips *w,
                                   const uint8_t *p, const nk_activations *x, size_t i, float *sums) {
  const size_t blocks = x->columns / 32, stride = x->columns, length = w->group_columns / 32;
  const int plane_count = nk_plane_count(codes), stage_count = codes == NK_STRIP_5_BIT_LEVELS ? 2 : plane_count;
  const int step_count = codes == NK_STRIP_8_BITS ? 8 : 4, half_count = codes == NK_STRIP_8_BITS ? 1 : 2;
  const int is_half_stage = codes == NK_STRIP_5_BIT_LEVELS, bits = is_half_stage ? 5 : 4;
  const int8_t *activations = x->codes + i * stride;
  __m256i tables[3];
  for (int plane = 0; plane < plane_count; plane++) {
    uint8_t bytes[16];
    for (int k = 0; k < 16; k++) bytes[k] = (w->levels[k] >> 4 * (plane_count - 1 - plane)) & ((1 << bits) - 1);
    tables[plane] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes));
  }
  const __m256 unit = _mm256_set1_ps(w->unit);
  __m256 sum[12][2];
  for (int c = 0; c < count; c++) sum[c][0] = sum[c][1] = _mm256_setzero_ps();
  for (size_t first = 0; first < blocks; first += length) {
    const nk_strip_head head = nk_strip_head_at(w, p);
    const __m256 scale[2] = {_mm256_mul_ps(_mm256_load_ps(head.scales), unit),
                             _mm256_mul_ps(_mm256_load_ps(head.scales + 8), unit)};
    __m256i zero[2] = {_mm256_set1_epi16((short)w->zero), _mm256_set1_epi16((short)w->zero)};
    if (head.zeros) {
      zero[0] = _mm256_load_si256((const __m256i *)head.zeros);
      zero[1] = _mm256_load_si256((const __m256i *)head.zeros + 1);
    }
    p += nk_strip_head_bytes(w);
    const size_t end = blocks - first < length ? blocks : first + length;
    for (size_t b = first; b < end; b++, p += nk_strip_block_bytes(codes), activations += 32) {
      nk_strip_prefetch(codes, count, p);
      __m256i total[12][2];
      for (int stage = 0; stage < stage_count; stage++) {
        const int plane = plane_count > 1 ? stage : 0;
        __m256i partial[12][2];
        for (int c = 0; c < count; c++) partial[c][0] = partial[c][1] = _mm256_setzero_si256();
        if (count <= 2) {
#pragma clang loop unroll(full)
          for (int s = 0; s < step_count; s++)
#pragma clang loop unroll(full)
            for (int half = 0; half < half_count; half++)
              if (!is_half_stage || half == stage)
                nk_add_step(codes, count, p + 64 * s, half, plane, tables[plane], activations + 4 * s + 16 * half,
                            stride, partial);
        } else {
          // Unrolled, the sums would not stay in registers.
#pragma clang loop unroll(full)
          for (int half = 0; half < half_count; half++)
            if (!is_half_stage || half == stage)
#pragma clang loop unroll(disable)
              for (int s = 0; s < step_count; s++)
                nk_add_step(codes, count, p + 64 * s, half, plane, tables[plane], activations + 4 * s + 16 * half,
                            stride, partial);
        }
        const __m256i worth = _mm256_set1_epi16((short)(1 << 4 * (plane_count - 1 - plane)));
        for (int c = 0; c < count; c++)
          for (int h = 0; h < 2; h++) {
            const __m256i wide = _mm256_madd_epi16(partial[c][h], worth);
            total[c][h] = stage ? _mm256_add_epi32(total[c][h], wide) : wide;
          }
      }
      for (int c = 0; c < count; c++) {
        const size_t block = (i + (size_t)c) * blocks + b;
        int32_t half_sums;
        memcpy(&half_sums, x->half_sums + 2 * block, 4);
        const __m256i pair = _mm256_set1_epi32(half_sums);
        const __m256 x_scale = _mm256_set1_ps(x->scales[block]);
        for (int h = 0; h < 2; h++) {
          const __m256i whole = _mm256_sub_epi32(total[c][h], _mm256_madd_epi16(zero[h], pair));
          sum[c][h] = _mm256_fmadd_ps(_mm256_mul_ps(scale[h], x_scale), _mm256_cvtepi32_ps(whole), sum[c][h]);
        }
        if (head.minima) {
          const __m256 x_sum = _mm256_set1_ps(x->sums[block]);
          for (int h = 0; h < 2; h++)
            sum[c][h] = _mm256_fmadd_ps(_mm256_load_ps(head.minima + 8 * h), x_sum, sum[c][h]);
        }
      }
    }
  }
  for (int c = 0; c < count; c++)
    for (int h = 0; h < 2; h++) _mm256_storeu_ps(sums + nk_strip_rows * c + 8 * h, sum[c][h]);
}

#define NK_STRIP_WIDEST 6
NK_STRIP_MULTIPLY(multiply)

const nk_strip_table nk_strips_avx2 = {multiply};

NK_TARGET_END
#endif
