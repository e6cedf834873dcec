// Products of strips with AVX2 and FMA. A few activation rows read strips as they lie: numbers of up to 5 bits, and those of 12 in
// planes of 4, have 16-bit sums of vpmaddubsw hold 8 or 4 steps of 4 columns before they must widen; numbers of 8 bits are signed,
// and widen at once. For many rows a strip becomes a panel (avx2_panels.h).
#if defined(__x86_64__)
#include "../shared/x86_intrinsics.h"
#include "strips.h"

NK_TARGET_BEGIN("avx2,fma,f16c")

#include "../shared/avx2_panel.h"

/// Whether numbers are taken as signed bytes, less 128; otherwise as planes of 4 or 5 bits.
NK_STRIP_INLINE int nk_is_signed(const enum nk_strip_codes codes) {
  return codes == NK_STRIP_8_BITS || codes == NK_STRIP_8_BIT_LEVELS;
}

/// How many planes of bits a number has; the first counts most.
NK_STRIP_INLINE int nk_plane_count(const enum nk_strip_codes codes) { return codes == NK_STRIP_12_BIT_LEVELS ? 3 : 1; }

/// The bytes of a step's 8 rows and 4 columns, step `s` of a block's 8, at `p`: codes, or what `table` says for them.
NK_STRIP_INLINE __m256i nk_step_bytes(const enum nk_strip_codes codes, const uint8_t *p, const int s, const int h,
                                      const __m256i table) {
  if (codes == NK_STRIP_8_BITS) return _mm256_load_si256((const __m256i *)(p + 64 * s + 32 * h));
  __m256i packed = _mm256_load_si256((const __m256i *)(p + 64 * (s % 4) + 32 * h));
  if (s >= 4) packed = _mm256_srli_epi16(packed, 4);
  packed = _mm256_and_si256(packed, _mm256_set1_epi8(15));
  return codes == NK_STRIP_4_BITS ? packed : _mm256_shuffle_epi8(table, packed);
}

/// One plane of the numbers of a step.
NK_STRIP_INLINE __m256i nk_plane(const enum nk_strip_codes codes, const uint8_t *p, const int s, const int h,
                                 const __m256i table) {
  const __m256i bytes = nk_step_bytes(codes, p, s, h, table);
  return codes == NK_STRIP_8_BITS ? _mm256_xor_si256(bytes, _mm256_set1_epi8((char)128)) : bytes;
}

/// The tables of the planes of 4-bit codes' levels.
NK_STRIP_INLINE void nk_plane_tables(const enum nk_strip_codes codes, const nk_strips *w, __m256i tables[3]) {
  const int plane_count = nk_plane_count(codes);
  for (int plane = 0; plane < plane_count; plane++) {
    uint8_t bytes[16];
    for (int k = 0; k < 16; k++) {
      bytes[k] = codes == NK_STRIP_8_BIT_LEVELS    ? (uint8_t)(w->levels[k] - 128)
                 : codes == NK_STRIP_5_BIT_LEVELS ? w->levels[k] & 31
                                                  : w->levels[k] >> 4 * (plane_count - 1 - plane) & 15;
    }
    tables[plane] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes));
  }
}

/// total = the sums of integers of a block of 32 columns.
NK_STRIP_INLINE void nk_strip_block(const enum nk_strip_codes codes, const int count, const uint8_t *p, const nk_tile_rows *x,
                                    const __m256i tables[3], __m256i total[6][2]) {
  if (nk_is_signed(codes)) {
#pragma clang loop unroll(full)
    for (int c = 0; c < count; c++) total[c][0] = total[c][1] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
    for (int s = 0; s < 8; s++) {
      nk_signed_step(count, nk_plane(codes, p, s, 0, tables[0]), 0, x, 4 * s, total);
      nk_signed_step(count, nk_plane(codes, p, s, 1, tables[0]), 1, x, 4 * s, total);
    }
    return;
  }
  // 16 bits hold the products of 8 steps of 4-bit numbers, or 4 steps of 5-bit ones.
  const int plane_count = nk_plane_count(codes), depth = codes == NK_STRIP_5_BIT_LEVELS ? 4 : 8;
#pragma clang loop unroll(full)
  for (int stage = 0; stage < plane_count * 8 / depth; stage++) {
    const int plane = plane_count > 1 ? stage : 0, first = plane_count > 1 ? 0 : stage * depth;
    __m256i partial[6][2];
#pragma clang loop unroll(full)
    for (int s = first; s < first + depth; s++) {
      nk_step(0, count, nk_plane(codes, p, s, 0, tables[plane]), nk_plane(codes, p, s, 1, tables[plane]), x, 4 * s,
                       s == first, partial);
    }
    const __m256i worth = _mm256_set1_epi16((short)(1 << 4 * (plane_count - 1 - plane)));
#pragma clang loop unroll(full)
    for (int c = 0; c < count; c++)
#pragma clang loop unroll(full)
      for (int h = 0; h < 2; h++) {
        const __m256i wide = _mm256_madd_epi16(partial[c][h], worth);
        total[c][h] = stage ? _mm256_add_epi32(total[c][h], wide) : wide;
      }
  }
}

NK_STRIP_INLINE void nk_strip_tile(const enum nk_strip_codes codes, const int count, const nk_strips *w,
                                   const uint8_t *p, const nk_activations *x, size_t i, float *sums) {
  const size_t blocks = x->columns / 32, length = w->group_columns / 32;
  const short less = nk_is_signed(codes) ? 128 : 0;
  nk_tile_rows rows = nk_tile_rows_at(x->codes + i * x->columns, x->columns);
  __m256i tables[3];
  nk_plane_tables(codes, w, tables);
  const __m256 unit = _mm256_set1_ps(w->unit);
  __m256 sum[6][2];
#pragma clang loop unroll(full)
  for (int c = 0; c < count; c++) sum[c][0] = sum[c][1] = _mm256_setzero_ps();
  for (size_t first = 0; first < blocks; first += length) {
    const nk_strip_head head = nk_strip_head_at(w, p);
    const __m256 scale[2] = {_mm256_mul_ps(_mm256_load_ps(head.scales), unit),
                             _mm256_mul_ps(_mm256_load_ps(head.scales + 8), unit)};
    __m256i zero[2] = {_mm256_set1_epi16((short)(w->zero - less)), _mm256_set1_epi16((short)(w->zero - less))};
    if (head.zeros) {
      for (int h = 0; h < 2; h++)
        zero[h] = _mm256_sub_epi16(_mm256_load_si256((const __m256i *)head.zeros + h), _mm256_set1_epi16(less));
    }
    p += nk_strip_head_bytes(w);
    const size_t end = blocks - first < length ? blocks : first + length;
    for (size_t b = first; b < end; b++, p += nk_strip_block_bytes(codes), rows.codes += 32) {
      nk_strip_prefetch(codes, count, p);
      __m256i total[6][2];
      nk_strip_block(codes, count, p, &rows, tables, total);
#pragma clang loop unroll(full)
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
#pragma clang loop unroll(full)
  for (int c = 0; c < count; c++)
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++) _mm256_storeu_ps(sums + nk_strip_rows * c + 8 * h, sum[c][h]);
}

// Signed numbers need registers for their signs.
#define NK_STRIP_WIDEST(codes) ((codes) == NK_STRIP_8_BITS || (codes) == NK_STRIP_8_BIT_LEVELS ? 4 : 6)
#include "avx2_panels.h"
NK_STRIP_MULTIPLY(multiply, nk_strip_panel)

const nk_strip_table nk_strips_avx2 = {multiply, nk_strips_take_words};

NK_TARGET_END
#endif
