// Products of strips with AVX-512 and VNNI: vpdpbusd takes numbers of 8 bits, 4 columns of all 16 rows at a time, and a tile
// of 12 activation rows stays in registers.
#if defined(__x86_64__)
#include "../shared/x86_intrinsics.h"
#include "strips.h"

NK_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")

/// One plane of the numbers of 16 rows: of 4-bit codes the low (`half` 0) or high ones.
NK_STRIP_INLINE __m512i nk_plane(const enum nk_strip_codes codes, __m512i packed, const int half,
                                 const __m512i table) {
  if (codes == NK_STRIP_8_BITS) return packed;
  if (half == 1) packed = _mm512_srli_epi16(packed, 4);
  packed = _mm512_and_si512(packed, _mm512_set1_epi8(15));
  return codes == NK_STRIP_4_BITS ? packed : _mm512_shuffle_epi8(table, packed);
}

NK_STRIP_INLINE void nk_strip_tile(const enum nk_strip_codes codes, const int count, const nk_strips *w,
                                   const uint8_t *p, const nk_activations *x, size_t i, float *sums) {
  const size_t blocks = x->columns / 32, stride = x->columns, length = w->group_columns / 32;
  const int has_bytes = codes == NK_STRIP_8_BITS, plane_count = codes == NK_STRIP_12_BIT_LEVELS ? 2 : 1;
  const int8_t *activations = x->codes + i * stride;
  __m512i tables[2];
  for (int plane = 0; plane < 2; plane++) {
    // Of 12 bits the upper 8, then the lower 4; of others all.
    uint8_t bytes[16];
    for (int k = 0; k < 16; k++)
      bytes[k] = (uint8_t)(plane_count == 1 ? w->levels[k] : plane == 0 ? w->levels[k] >> 4 : w->levels[k] & 15);
    tables[plane] = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)bytes));
  }
  const __m512 unit = _mm512_set1_ps(w->unit);
  __m512 sum[12];
  for (int c = 0; c < count; c++) sum[c] = _mm512_setzero_ps();
  for (size_t first = 0; first < blocks; first += length) {
    const nk_strip_head head = nk_strip_head_at(w, p);
    const __m512 scale = _mm512_mul_ps(_mm512_load_ps(head.scales), unit);
    const __m512i zero = head.zeros ? _mm512_load_si512(head.zeros) : _mm512_set1_epi16((short)w->zero);
    p += nk_strip_head_bytes(w);
    const size_t end = blocks - first < length ? blocks : first + length;
    for (size_t b = first; b < end; b++, p += nk_strip_block_bytes(codes), activations += 32) {
      nk_strip_prefetch(codes, count, p);
      __m512i total[12];
      for (int c = 0; c < count; c++) total[c] = _mm512_setzero_si512();
      for (int plane = 0; plane < plane_count; plane++) {
        if (plane == 1)
          for (int c = 0; c < count; c++) total[c] = _mm512_slli_epi32(total[c], 4);
#pragma clang loop unroll(full)
        for (int s = 0; s < (has_bytes ? 8 : 4); s++) {
          const __m512i packed = _mm512_load_si512(p + 64 * s);
#pragma clang loop unroll(full)
          for (int half = 0; half < (has_bytes ? 1 : 2); half++) {
            const __m512i numbers = nk_plane(codes, packed, half, tables[plane]);
            for (int c = 0; c < count; c++) {
              int32_t four;
              memcpy(&four, activations + (size_t)c * stride + 4 * (s + 4 * half), 4);
              total[c] = _mm512_dpbusd_epi32(total[c], numbers, _mm512_set1_epi32(four));
            }
          }
        }
      }
      for (int c = 0; c < count; c++) {
        const size_t block = (i + (size_t)c) * blocks + b;
        int32_t half_sums;
        memcpy(&half_sums, x->half_sums + 2 * block, 4);
        const __m512i whole = _mm512_sub_epi32(total[c], _mm512_madd_epi16(zero, _mm512_set1_epi32(half_sums)));
        const __m512 factor = _mm512_mul_ps(scale, _mm512_set1_ps(x->scales[block]));
        sum[c] = _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(whole), sum[c]);
        if (head.minima)
          sum[c] = _mm512_fmadd_ps(_mm512_load_ps(head.minima), _mm512_set1_ps(x->sums[block]), sum[c]);
      }
    }
  }
  for (int c = 0; c < count; c++) _mm512_storeu_ps(sums + nk_strip_rows * c, sum[c]);
}

#define NK_STRIP_WIDEST(codes) 12
NK_STRIP_MULTIPLY(multiply, 0)

const nk_strip_table nk_strips_avx512 = {multiply, nk_strips_take_no_words};

NK_TARGET_END
#endif
