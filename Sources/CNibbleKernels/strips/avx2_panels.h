// Strips as panels for many activation rows: codes are unpacked once for all of them. Numbers of more than 5 bits become int16, less
// their zero points. Included by avx2.c.
#ifndef NK_STRIPS_AVX2_PANELS_H
#define NK_STRIPS_AVX2_PANELS_H

/// Activation rows from which a panel is worth its making.
enum { nk_strip_panel_least = 24 };

static int nk_strips_take_words(const enum nk_strip_codes codes) {
  return codes == NK_STRIP_8_BITS || codes == NK_STRIP_8_BIT_LEVELS || codes == NK_STRIP_12_BIT_LEVELS;
}

NK_STRIP_INLINE nk_shape nk_strip_shape(const enum nk_strip_codes codes, const enum nk_strip_offset offset) {
  const int is_wide = nk_strips_take_words(codes);
  return (nk_shape){.depth = codes == NK_STRIP_5_BIT_LEVELS ? 4 : 8,
                    .has_minimum = offset == NK_STRIP_MINIMA,
                    .is_wide = is_wide,
                    .has_offsets = !is_wide};
}

/// Two of the four columns of `low` and `high` bytes, the first or the last, as int16.
NK_STRIP_INLINE __m256i nk_pairs_of(const enum nk_strip_codes codes, const __m256i low, const __m256i high, const int last) {
  const __m128i first_two = _mm_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1);
  const __m128i last_two = _mm_setr_epi8(2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15, -1);
  const __m256i places = _mm256_broadcastsi128_si256(last ? last_two : first_two);
  const __m256i words = _mm256_shuffle_epi8(low, places);
  if (codes != NK_STRIP_12_BIT_LEVELS) return words;
  return _mm256_or_si256(words, _mm256_slli_epi16(_mm256_shuffle_epi8(high, places), 8));
}

/// Fills a panel with a strip.
NK_STRIP_INLINE void nk_fill_strip_panel(const enum nk_strip_codes codes, const enum nk_strip_offset offset, const nk_strips *w,
                                         const uint8_t *p, uint8_t *out) {
  const nk_shape shape = nk_strip_shape(codes, offset);
  const size_t blocks = w->columns / 32, length = w->group_columns / 32;
  __m256i tables[2];
  for (int half = 0; half < 2; half++) {
    uint8_t bytes[16];
    for (int k = 0; k < 16; k++) bytes[k] = (uint8_t)(w->levels[k] >> 8 * half);
    tables[half] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes));
  }
  const __m256 unit = _mm256_set1_ps(w->unit);
  for (size_t first = 0; first < blocks; first += length) {
    const nk_strip_head head = nk_strip_head_at(w, p);
    p += nk_strip_head_bytes(w);
    const size_t end = blocks - first < length ? blocks : first + length;
    for (size_t b = first; b < end; b++, p += nk_strip_block_bytes(codes), out += nk_panel_stride(shape)) {
#pragma clang loop unroll(full)
      for (int h = 0; h < 2; h++) {
        const __m256i zero = head.zeros ? _mm256_load_si256((const __m256i *)head.zeros + h)
                                        : _mm256_set1_epi16((short)w->zero);
#pragma clang loop unroll(full)
        for (int s = 0; s < 8; s++) {
          const __m256i low = nk_step_bytes(codes, p, s, h, tables[0]);
          if (shape.is_wide) {
            const __m256i high = nk_step_bytes(codes, p, s, h, tables[1]);
            __m256i *words = (__m256i *)(out + 128 * s) + h;
            _mm256_store_si256(words, _mm256_sub_epi16(nk_pairs_of(codes, low, high, 0), zero));
            _mm256_store_si256(words + 2, _mm256_sub_epi16(nk_pairs_of(codes, low, high, 1), zero));
          } else {
            _mm256_store_si256((__m256i *)(out + 64 * s) + h, low);
          }
        }
        _mm256_store_ps((float *)(out + nk_scale_at(shape)) + 8 * h, _mm256_mul_ps(_mm256_load_ps(head.scales + 8 * h), unit));
        if (shape.has_minimum)
          _mm256_store_ps((float *)(out + nk_minimum_at(shape)) + 8 * h, _mm256_load_ps(head.minima + 8 * h));
        if (shape.has_offsets) _mm256_store_si256((__m256i *)(out + nk_sub_offset_at(shape)) + h, zero);
      }
    }
  }
}

#define NK_STRIP_PANEL(name, codes, offset)                                                                        \
  static __attribute__((noinline)) void name##_fill(const nk_strips *w, const uint8_t *strip, uint8_t *panel) {    \
    nk_fill_strip_panel(codes, offset, w, strip, panel);                                                           \
  }                                                                                                                \
  static __attribute__((noinline)) void name(const nk_strips *w, const uint8_t *panel, const nk_activations *x,    \
                                             size_t i, float *sums) {                                              \
    (void)w;                                                                                                       \
    nk_tile(nk_strip_shape(codes, offset), 6, panel, x, i, sums);                                                  \
  }
#define NK_STRIP_PANELS(name, codes)                  \
  NK_STRIP_PANEL(name##_plain, codes, NK_STRIP_ONE_ZERO) \
  NK_STRIP_PANEL(name##_minima, codes, NK_STRIP_MINIMA)
NK_STRIP_PANELS(nk_panel_4_bits, NK_STRIP_4_BITS)
NK_STRIP_PANELS(nk_panel_8_bits, NK_STRIP_8_BITS)
NK_STRIP_PANELS(nk_panel_5_bit_levels, NK_STRIP_5_BIT_LEVELS)
NK_STRIP_PANELS(nk_panel_8_bit_levels, NK_STRIP_8_BIT_LEVELS)
NK_STRIP_PANELS(nk_panel_12_bit_levels, NK_STRIP_12_BIT_LEVELS)

static nk_strip_tile_function *nk_strip_panel(const nk_strips *w, const uint8_t *strip, size_t count, uint8_t *scratch) {
  if (count < nk_strip_panel_least) return 0;
#define NK_CASE(codes, name)                        \
  case NK_STRIP_##codes:                            \
    if (w->offset == NK_STRIP_MINIMA) {             \
      name##_minima_fill(w, strip, scratch);        \
      return name##_minima;                         \
    }                                               \
    name##_plain_fill(w, strip, scratch);           \
    return name##_plain
  switch (w->codes) {
    NK_CASE(4_BITS, nk_panel_4_bits);
    NK_CASE(8_BITS, nk_panel_8_bits);
    NK_CASE(5_BIT_LEVELS, nk_panel_5_bit_levels);
    NK_CASE(8_BIT_LEVELS, nk_panel_8_bit_levels);
    NK_CASE(12_BIT_LEVELS, nk_panel_12_bit_levels);
  }
#undef NK_CASE
  return 0;
}

#endif
