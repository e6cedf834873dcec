// The two matrix products of attention, for many query rows and for up to three. Included by attend.inc.h after shared/float_panel.h.

#define NK_ATTENTION_TILE(name, count)                                                                               \
  static __attribute__((noinline)) void name(const float *panel, size_t panel_stride, const float *x, size_t x_stride, \
                                             size_t length, float *sums, size_t sums_stride) {                       \
    nk_float_tile(count, panel, panel_stride, x, x_stride, length, 0, sums, sums_stride);                              \
  }
NK_ATTENTION_TILE(nk_attention_tile6, 6)
NK_ATTENTION_TILE(nk_attention_tile4, 4)
NK_ATTENTION_TILE(nk_attention_tile2, 2)
NK_ATTENTION_TILE(nk_attention_tile1, 1)

/// sums[j][i] += sum_c x[j][c] * panel[c][i] for `count` rows j and 16 columns i.
static inline void nk_attention_multiply(size_t count, const float *panel, size_t panel_stride, const float *x,
                                         size_t x_stride, size_t length, float *sums, size_t sums_stride) {
  switch (count) {
    case 6: nk_attention_tile6(panel, panel_stride, x, x_stride, length, sums, sums_stride); break;
    case 4: nk_attention_tile4(panel, panel_stride, x, x_stride, length, sums, sums_stride); break;
    case 2: nk_attention_tile2(panel, panel_stride, x, x_stride, length, sums, sums_stride); break;
    default: nk_attention_tile1(panel, panel_stride, x, x_stride, length, sums, sums_stride); break;
  }
}

/// keys[p][i][k]: element i of key 16 p + k of `count` rows, a multiple of 16.
static inline void nk_attention_transpose(const float *rows, size_t count, size_t padded, float *keys) {
  for (size_t first = 0; first < count; first += 8) {
    const uint8_t *places[8];
    for (size_t k = 0; k < 8; k++) places[k] = (const uint8_t *)(rows + (first + k) * padded);
    float *panel = keys + first / 16 * 16 * padded + first % 16;
    for (size_t i = 0; i < padded; i += 8) {
      nk_float8 v[16];
      nk_columns(NK_FORMAT_F32, places, i, 8, v);
      for (size_t j = 0; j < 8; j++) memcpy(panel + (i + j) * 16, &v[j], 32);
    }
  }
}

/// Rows of the cache as they are multiplied where few queries want them: stored numbers, or widened ones.
typedef struct {
  const uint8_t *bytes;
  size_t stride;  // bytes of a row
  enum nk_attention_element element;
} nk_attention_rows;

/// Eight elements of a row in single precision.
NK_INLINE nk_float8 nk_attention_load8(enum nk_attention_element element, const uint8_t *p) {
  if (element == NK_ATTENTION_BFLOAT) {
    typedef uint16_t nk_short8 __attribute__((vector_size(16), aligned(2)));
    nk_short8 bits;
    memcpy(&bits, p, 16);
    return (nk_float8)(__builtin_convertvector(bits, nk_word8) << 16);
  }
  return nk_load8(element == NK_ATTENTION_HALF ? NK_FORMAT_F16 : NK_FORMAT_F32, p);
}

typedef float nk_float4 __attribute__((vector_size(16), aligned(4)));

/// scores[j][k] = query[j] . keys[k] for `count` queries of `padded` numbers and 4 keys.
NK_INLINE void nk_attention_dots(enum nk_attention_element element, int count, const float *query, nk_attention_rows keys,
                                 size_t first, size_t padded, float *scores) {
  const size_t width = element == NK_ATTENTION_FLOAT ? 4 : 2;
  const uint8_t *key = keys.bytes + first * keys.stride;
  nk_float8 sums[3][4] = {{{0}}};
  for (size_t i = 0; i < padded; i += 8) {
    nk_float8 numbers[4];
    for (size_t k = 0; k < 4; k++) numbers[k] = nk_attention_load8(element, key + k * keys.stride + i * width);
    for (int j = 0; j < count; j++) {
      nk_float8 x;
      memcpy(&x, query + (size_t)j * padded + i, 32);
      for (int k = 0; k < 4; k++) sums[j][k] = __builtin_elementwise_fma(numbers[k], x, sums[j][k]);
    }
  }
  for (int j = 0; j < count; j++) {
    nk_float4 part[4], pairs[2];
    for (int k = 0; k < 4; k++) {
      part[k] = __builtin_shufflevector(sums[j][k], sums[j][k], 0, 1, 2, 3)
                + __builtin_shufflevector(sums[j][k], sums[j][k], 4, 5, 6, 7);
    }
    for (int k = 0; k < 2; k++) {
      pairs[k] = __builtin_shufflevector(part[2 * k], part[2 * k + 1], 0, 4, 2, 6)
                 + __builtin_shufflevector(part[2 * k], part[2 * k + 1], 1, 5, 3, 7);
    }
    const nk_float4 result = __builtin_shufflevector(pairs[0], pairs[1], 0, 1, 4, 5)
                             + __builtin_shufflevector(pairs[0], pairs[1], 2, 3, 6, 7);
    memcpy(scores + (size_t)j * NK_ATTENTION_KEYS + first, &result, sizeof result);
  }
}

/// sums[j][i] += sum_k weights[j][k] * values[k][i] for `count` rows of weights, keys from ..< end and 16 columns from `column` on.
NK_INLINE void nk_attention_mix(enum nk_attention_element element, int count, nk_attention_rows values, const float *weights,
                                size_t from, size_t end, size_t column, float *sums, size_t padded) {
  const size_t width = element == NK_ATTENTION_FLOAT ? 4 : 2;
  const uint8_t *value = values.bytes + from * values.stride + column * width;
  nk_float8 total[3][2];
  for (int j = 0; j < count; j++)
    for (size_t v = 0; v < 2; v++) memcpy(&total[j][v], sums + (size_t)j * padded + column + 8 * v, 32);
  for (size_t k = from; k < end; k++, value += values.stride) {
    nk_float8 numbers[2];
    for (size_t v = 0; v < 2; v++) numbers[v] = nk_attention_load8(element, value + 8 * v * width);
    for (int j = 0; j < count; j++) {
      const nk_float8 weight = weights[(size_t)j * NK_ATTENTION_KEYS + k] - (nk_float8){0};
      for (int v = 0; v < 2; v++) total[j][v] = __builtin_elementwise_fma(numbers[v], weight, total[j][v]);
    }
  }
  for (int j = 0; j < count; j++)
    for (size_t v = 0; v < 2; v++) memcpy(sums + (size_t)j * padded + column + 8 * v, &total[j][v], 32);
}

#define NK_FOR_COUNT(element, count, call) \
  switch (count) {                         \
    case 3: call(element, 3); break;       \
    case 2: call(element, 2); break;       \
    default: call(element, 1); break;      \
  }
#define NK_FOR_ROWS(element, count, call)                                             \
  switch (element) {                                                                  \
    case NK_ATTENTION_HALF: NK_FOR_COUNT(NK_ATTENTION_HALF, count, call) break;       \
    case NK_ATTENTION_BFLOAT: NK_FOR_COUNT(NK_ATTENTION_BFLOAT, count, call) break;   \
    default: NK_FOR_COUNT(NK_ATTENTION_FLOAT, count, call) break;                     \
  }

/// scores[j][k] = query[j] . keys[k] for up to three queries and keys from ..< to, multiples of 4.
static void nk_attention_scores(size_t count, const float *query, nk_attention_rows keys, size_t padded, size_t from, size_t to,
                                float *scores) {
#define NK_DOTS(element, count) \
  for (size_t k = from; k < to; k += 4) nk_attention_dots(element, count, query, keys, k, padded, scores)
  NK_FOR_ROWS(keys.element, count, NK_DOTS)
#undef NK_DOTS
}

/// sums[j][i] += sum_k weights[j][k] * values[k][i] for up to three rows of weights and keys from ..< end.
static void nk_attention_sums(size_t count, nk_attention_rows values, const float *weights, size_t from, size_t end,
                              float *sums, size_t padded) {
#define NK_MIX(element, count) \
  for (size_t i = 0; i < padded; i += 16) nk_attention_mix(element, count, values, weights, from, end, i, sums, padded)
  NK_FOR_ROWS(values.element, count, NK_MIX)
#undef NK_MIX
}
