// Products with AVX-512 and VNNI: vpdpbusd adds four products of unsigned and signed bytes to an int32, so 8-bit codes
// need not widen one by one, and a whole tile of 12 activation rows stays in registers.
#if defined(__x86_64__)
#include "../shared/x86_intrinsics.h"
#include "tables.h"

NK_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")

#define NK_LANES 16
#define NK_HARDWARE_HALF
#include "x86_codes.h"

NK_X86 __m256i nk_dot32(const enum nk_weight_type type, __m256i w, __m256i x) {
  if (nk_code_offset(type) == 128) {
    x = _mm256_sign_epi8(x, w);
    w = _mm256_abs_epi8(w);
  }
  return _mm256_dpbusd_epi32(_mm256_setzero_si256(), w, x);
}

#define NK_NARROW 0
#define NK_WORDS 0
#define NK_TILE_COLUMNS 12
#include "x86_panel.h"

/// Sums of one panel with `count` activation rows from row `i`: sums[count][16].
NK_X86 void nk_tile(const nk_shape shape, const int count, const uint8_t *panel, const nk_activations *x, size_t i,
                    float *sums) {
  const size_t blocks = x->columns / 32, stride = x->columns;
  const int8_t *codes = x->codes + i * stride;
  const int half_count = shape.has_sub_scales ? 2 : 1, steps = 8 / half_count;
  __m512 sum[NK_TILE_COLUMNS];
  for (int c = 0; c < count; c++) sum[c] = _mm512_setzero_ps();
  for (size_t b = 0; b < blocks; b++, panel += nk_panel_stride(shape), codes += 32) {
    __m512i total[NK_TILE_COLUMNS];
    for (int half = 0; half < half_count; half++) {
      __m512i partial[NK_TILE_COLUMNS];
      for (int c = 0; c < count; c++) partial[c] = _mm512_setzero_si512();
      for (int step = half * steps; step < (half + 1) * steps; step++) {
        const __m512i w = _mm512_load_si512(panel + 64 * step);
        for (int c = 0; c < count; c++) {
          int32_t four;
          memcpy(&four, codes + (size_t)c * stride + 4 * step, 4);
          partial[c] = _mm512_dpbusd_epi32(partial[c], w, _mm512_set1_epi32(four));
        }
      }
      const __m512i scales = _mm512_load_si512(panel + (shape.has_sub_scales ? nk_sub_scale_at(shape) : 0) + 64 * half);
      for (int c = 0; c < count; c++) {
        if (shape.has_sub_scales) partial[c] = _mm512_mullo_epi32(partial[c], scales);
        total[c] = half ? _mm512_add_epi32(total[c], partial[c]) : partial[c];
      }
    }
    const __m512 scale = _mm512_load_ps(panel + nk_scale_at(shape));
    const __m512 minimum = _mm512_load_ps(panel + (shape.has_minimum ? nk_minimum_at(shape) : nk_scale_at(shape)));
    const __m512i offsets = shape.has_sub_scales ? _mm512_load_si512(panel + nk_sub_offset_at(shape))
                                                 : _mm512_set1_epi16((short)shape.offset);
    for (int c = 0; c < count; c++) {
      const size_t block = (i + (size_t)c) * blocks + b;
      const __m512 x_scale = _mm512_set1_ps(x->scales[block]);
      const __m512i correction = _mm512_madd_epi16(offsets, _mm512_set1_epi32(nk_pair_at(x->half_sums, block)));
      if (shape.offset) total[c] = _mm512_sub_epi32(total[c], correction);
      sum[c] = _mm512_fmadd_ps(_mm512_mul_ps(scale, x_scale), _mm512_cvtepi32_ps(total[c]), sum[c]);
      if (shape.has_sub_minimum)
        sum[c] = _mm512_fmadd_ps(_mm512_mul_ps(minimum, x_scale), _mm512_cvtepi32_ps(correction), sum[c]);
      else if (shape.has_minimum)
        sum[c] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(x->sums[block]), sum[c]);
    }
  }
  for (int c = 0; c < count; c++) _mm512_storeu_ps(sums + 16 * c, sum[c]);
}

#include "x86_multiply.h"

const nk_matmul_table nk_matmul_avx512 = {nk_quantize_x86, nk_multiply_x86, nk_takes_words};

NK_TARGET_END
#endif
