// The AVX2 micro-kernel: a panel of 16 weight rows with up to six activation rows.
#ifndef NIBBLE_SHARED_AVX2_PANEL_H
#define NIBBLE_SHARED_AVX2_PANEL_H

#include "../include/nk_matmul.h"
#include "avx2_tile.h"
#include "panel_shape.h"

/// total = the sums of integers of 32 columns of unsigned codes.
NK_AVX2 void nk_unsigned_block(const nk_shape shape, const int count, const uint8_t *panel, const nk_tile_rows *x,
                              __m256i total[6][2]) {
#pragma clang loop unroll(full)
  for (int stage = 0; stage < 8 / shape.depth; stage++) {
    __m256i partial[6][2];
#pragma clang loop unroll(full)
    for (int step = 0; step < shape.depth; step++) {
      const int at = stage * shape.depth + step;
      const __m256i *w = (const __m256i *)(panel + 64 * at);
      nk_step(0, count, _mm256_load_si256(w), _mm256_load_si256(w + 1), x, 4 * at, step == 0, partial);
    }
    __m256i m0 = _mm256_set1_epi16(1), m1 = m0;
    if (shape.has_sub_scales) {
      const __m256i *scales = (const __m256i *)(panel + nk_sub_scale_at(shape)) + 2 * (stage * shape.depth / 4);
      m0 = _mm256_load_si256(scales);
      m1 = _mm256_load_si256(scales + 1);
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < count; c++) {
      const __m256i p0 = _mm256_madd_epi16(partial[c][0], m0), p1 = _mm256_madd_epi16(partial[c][1], m1);
      total[c][0] = stage ? _mm256_add_epi32(total[c][0], p0) : p0;
      total[c][1] = stage ? _mm256_add_epi32(total[c][1], p1) : p1;
    }
  }
}

/// The same of int16 codes and words.
NK_AVX2 void nk_wide_block(const int count, const uint8_t *panel, const nk_tile_rows *x, __m256i total[6][2]) {
#pragma clang loop unroll(full)
  for (int at = 0; at < 16; at++) {
    const __m256i *w = (const __m256i *)(panel + 64 * at);
    nk_step(1, count, _mm256_load_si256(w), _mm256_load_si256(w + 1), x, 4 * at, at == 0, total);
  }
}

/// Sums of one panel with `count` activation rows from row `i`: sums[count][16].
NK_AVX2 void nk_tile(const nk_shape shape, const int count, const uint8_t *panel, const nk_activations *x, size_t i,
                    float *sums) {
  const size_t blocks = x->columns / 32;
  const size_t code_bytes = shape.is_wide ? 2 : 1, row_bytes = code_bytes * x->columns;
  const int8_t *const codes = shape.is_wide ? (const int8_t *)x->words : x->codes;
  nk_tile_rows rows = nk_tile_rows_at(codes + i * row_bytes, row_bytes);
  const float *const x_scales = x->scales + i * blocks, *const x_sums = x->sums + i * blocks;
  const int16_t *const half_sums = x->half_sums + 2 * i * blocks;
  for (int c = 0; c < 2 * count; c++) _mm256_storeu_ps(sums + 8 * c, _mm256_setzero_ps());
  for (size_t b = 0; b < blocks; b++, panel += nk_panel_stride(shape), rows.codes += 32 * code_bytes) {
    __m256i total[6][2];
    if (shape.is_wide) {
      nk_wide_block(count, panel, &rows, total);
    } else {
      nk_unsigned_block(shape, count, panel, &rows, total);
    }
    // Unrolled, so that the totals stay in registers.
#pragma clang loop unroll(full)
    for (int c = 0; c < count; c++) {
      const size_t block = (size_t)c * blocks + b;
      const __m256 scale = _mm256_set1_ps(x_scales[block]);
      const __m256i pair = _mm256_set1_epi32(nk_pair_at(half_sums, block));
#pragma clang loop unroll(full)
      for (int h = 0; h < 2; h++) {
        __m256i integer = total[c][h];
        const __m256i *sub_offsets = (const __m256i *)(panel + nk_sub_offset_at(shape)) + h;
        if (shape.offset || shape.has_offsets) {
          const __m256i offsets =
              shape.has_offsets ? _mm256_load_si256(sub_offsets) : _mm256_set1_epi16((short)shape.offset);
          integer = _mm256_sub_epi32(integer, _mm256_madd_epi16(offsets, pair));
        }
        __m256 sum = _mm256_loadu_ps(sums + 16 * c + 8 * h);
        const __m256 factor = _mm256_mul_ps(_mm256_load_ps((const float *)(panel + nk_scale_at(shape)) + 8 * h), scale);
        sum = _mm256_fmadd_ps(factor, _mm256_cvtepi32_ps(integer), sum);
        if (shape.has_minimum) {
          const __m256 minimum = _mm256_load_ps((const float *)(panel + nk_minimum_at(shape)) + 8 * h);
          if (shape.has_sub_minimum) {
            const __m256 minima = _mm256_cvtepi32_ps(_mm256_madd_epi16(_mm256_load_si256(sub_offsets), pair));
            sum = _mm256_fmadd_ps(_mm256_mul_ps(minimum, scale), minima, sum);
          } else {
            sum = _mm256_fmadd_ps(minimum, _mm256_set1_ps(x_sums[block]), sum);
          }
        }
        _mm256_storeu_ps(sums + 16 * c + 8 * h, sum);
      }
    }
  }
}

#endif
