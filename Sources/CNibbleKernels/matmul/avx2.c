// Products with AVX2 and FMA. 8-bit products come from vpmaddubsw, whose 16-bit sums hold 8, 4 or 2 steps of 4-, 5- or
// 6-bit codes before they must widen, and a single one of 8-bit codes.
#if defined(__x86_64__)
#include "../shared/x86_intrinsics.h"
#include "tables.h"

NK_TARGET_BEGIN("avx2,fma,f16c")

#define NK_LANES 8
#define NK_HARDWARE_HALF
#include "x86_codes.h"

NK_X86 __m256i nk_dot32(const enum nk_weight_type type, __m256i w, __m256i x, __m256i factor) {
  if (nk_code_offset(type) == 128) {
    x = _mm256_sign_epi8(x, w);
    w = _mm256_abs_epi8(w);
  }
  return _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), factor);
}

#include "x86_direct.h"

#define NK_SIGNED_CODES 1
#define NK_TILE_COLUMNS 6
#include "x86_panel.h"

/// Four codes of activation row `c` of a tile, in all lanes. Multiples of the stride that no addressing mode has are made once.
NK_X86 __m256i nk_four_codes(const int8_t *codes, const int c, size_t stride, size_t stride3, size_t stride5) {
  const int8_t *const rows[6] = {codes,           codes + stride,     codes + 2 * stride,
                                 codes + stride3, codes + 4 * stride, codes + stride5};
  int32_t four;
  memcpy(&four, rows[c], 4);
  return _mm256_set1_epi32(four);
}

/// Keeps a tile's sums in registers from one step to the next, and the steps in their order.
NK_X86 void nk_keep(const int count, __m256i sums[6][2]) {
  for (int c = 0; c < count; c++) __asm__ volatile("" : "+x"(sums[c][0]), "+x"(sums[c][1]));
}

/// total = the sums of integers of 32 columns of unsigned codes.
NK_X86 void nk_unsigned_block(const nk_shape shape, const int count, const uint8_t *panel, const int8_t *codes, size_t stride,
                              size_t stride3, size_t stride5, __m256i total[6][2]) {
#pragma clang loop unroll(full)
  for (int stage = 0; stage < 8 / shape.depth; stage++) {
    __m256i partial[6][2];
#pragma clang loop unroll(full)
    for (int step = 0; step < shape.depth; step++) {
      const int at = stage * shape.depth + step;
      const __m256i w0 = _mm256_load_si256((const __m256i *)(panel + 64 * at));
      const __m256i w1 = _mm256_load_si256((const __m256i *)(panel + 64 * at + 32));
#pragma clang loop unroll(full)
      for (int c = 0; c < count; c++) {
        const __m256i factor = nk_four_codes(codes + 4 * at, c, stride, stride3, stride5);
        const __m256i p0 = _mm256_maddubs_epi16(w0, factor), p1 = _mm256_maddubs_epi16(w1, factor);
        partial[c][0] = step ? _mm256_add_epi16(partial[c][0], p0) : p0;
        partial[c][1] = step ? _mm256_add_epi16(partial[c][1], p1) : p1;
      }
      nk_keep(count, partial);
    }
    __m256i m0 = _mm256_set1_epi16(1), m1 = m0;
    if (shape.has_sub_scales) {
      const __m256i *scales = (const __m256i *)(panel + nk_sub_scale_at(shape)) + 2 * (stage * shape.depth / 4);
      m0 = _mm256_load_si256(scales);
      m1 = _mm256_load_si256(scales + 1);
    }
    for (int c = 0; c < count; c++) {
      const __m256i p0 = _mm256_madd_epi16(partial[c][0], m0), p1 = _mm256_madd_epi16(partial[c][1], m1);
      total[c][0] = stage ? _mm256_add_epi32(total[c][0], p0) : p0;
      total[c][1] = stage ? _mm256_add_epi32(total[c][1], p1) : p1;
    }
  }
}

/// The same of signed codes: |w| times x with w's sign, of which a 16-bit sum holds no more than two.
NK_X86 void nk_signed_block(const int count, const uint8_t *panel, const int8_t *codes, size_t stride, size_t stride3,
                            size_t stride5, __m256i total[6][2]) {
  const __m256i one = _mm256_set1_epi16(1);
  for (int c = 0; c < count; c++) total[c][0] = total[c][1] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
  for (int at = 0; at < 8; at++) {
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++) {
      const __m256i w = _mm256_load_si256((const __m256i *)(panel + 64 * at + 32 * h)), size = _mm256_abs_epi8(w);
#pragma clang loop unroll(full)
      for (int c = 0; c < count; c++) {
        const __m256i factor = _mm256_sign_epi8(nk_four_codes(codes + 4 * at, c, stride, stride3, stride5), w);
        total[c][h] = _mm256_add_epi32(total[c][h], _mm256_madd_epi16(_mm256_maddubs_epi16(size, factor), one));
      }
    }
    nk_keep(count, total);
  }
}

/// Sums of one panel with `count` activation rows from row `i`: sums[count][16].
NK_X86 void nk_tile(const nk_shape shape, const int count, const uint8_t *panel, const nk_activations *x, size_t i,
                    float *sums) {
  const size_t blocks = x->columns / 32, stride = x->columns;
  size_t stride3 = 3 * stride, stride5 = 5 * stride;
  __asm__("" : "+r"(stride3), "+r"(stride5));
  const int8_t *codes = x->codes + i * stride;
  for (int c = 0; c < 2 * count; c++) _mm256_storeu_ps(sums + 8 * c, _mm256_setzero_ps());
  for (size_t b = 0; b < blocks; b++, panel += nk_panel_stride(shape), codes += 32) {
    __m256i total[6][2];
    if (shape.is_signed) {
      nk_signed_block(count, panel, codes, stride, stride3, stride5, total);
    } else {
      nk_unsigned_block(shape, count, panel, codes, stride, stride3, stride5, total);
    }
    const uint8_t *scales = panel + 512;
    for (int c = 0; c < count; c++) {
      const size_t block = (i + (size_t)c) * blocks + b;
      const __m256 scale = _mm256_set1_ps(x->scales[block]);
      const __m256i pair = _mm256_set1_epi32(nk_pair_at(x->half_sums, block));
      for (int h = 0; h < 2; h++) {
        __m256i integer = total[c][h];
        if (shape.offset) {
          const __m256i *stored = (const __m256i *)(panel + nk_sub_offset_at(shape)) + h;
          const __m256i offsets =
              shape.has_sub_scales ? _mm256_load_si256(stored) : _mm256_set1_epi16((short)shape.offset);
          integer = _mm256_sub_epi32(integer, _mm256_madd_epi16(offsets, pair));
        }
        __m256 sum = _mm256_loadu_ps(sums + 16 * c + 8 * h);
        const __m256 factor = _mm256_mul_ps(_mm256_load_ps((const float *)scales + 8 * h), scale);
        sum = _mm256_fmadd_ps(factor, _mm256_cvtepi32_ps(integer), sum);
        if (shape.has_minimum) {
          const __m256 minimum = _mm256_load_ps((const float *)(panel + nk_minimum_at) + 8 * h);
          if (shape.has_sub_minimum) {
            const __m256i stored = _mm256_load_si256((const __m256i *)(panel + nk_sub_offset_at(shape)) + h);
            const __m256 minima = _mm256_cvtepi32_ps(_mm256_madd_epi16(stored, pair));
            sum = _mm256_fmadd_ps(_mm256_mul_ps(minimum, scale), minima, sum);
          } else {
            sum = _mm256_fmadd_ps(minimum, _mm256_set1_ps(x->sums[block]), sum);
          }
        }
        _mm256_storeu_ps(sums + 16 * c + 8 * h, sum);
      }
    }
  }
}

#include "x86_multiply.h"

const nk_matmul_table nk_matmul_avx2 = {nk_quantize_x86, nk_multiply_x86};

NK_TARGET_END
#endif
