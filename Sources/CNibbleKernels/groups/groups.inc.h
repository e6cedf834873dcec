// The group kernels over eight lanes; included once for each instruction set, with NK_GROUP_TABLE named.
#include "../blocks/lanes.h"
#include "../include/nk_groups.h"

typedef uint8_t nk_v8b __attribute__((ext_vector_type(8)));
typedef double nk_v8d __attribute__((ext_vector_type(8)));

enum { NK_SUM_RUN = 256 };

/// The first `count` < 8 values, the rest filled with `rest`.
NK_INLINE nk_v8 nk_load_some(const float *x, size_t count, float rest) {
  float values[8];
  for (size_t i = 0; i < 8; i++) values[i] = i < count ? x[i] : rest;
  return nk_load(values);
}

static void range(const float *x, size_t count, float *low, float *high) {
  nk_v8 a = nk_splat(x[0]), b = a, c = a, d = a;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    nk_v8 u = nk_load(x + i), v = nk_load(x + i + 8);
    a = nk_min(u, a);
    b = nk_max(u, b);
    c = nk_min(v, c);
    d = nk_max(v, d);
  }
  a = nk_min(a, c);
  b = nk_max(b, d);
  for (; i < count; i += 8) {
    nk_v8 u = count - i >= 8 ? nk_load(x + i) : nk_load_some(x + i, count - i, x[0]);
    a = nk_min(u, a);
    b = nk_max(u, b);
  }
  for (int j = 1; j < 8; j++) {
    a[0] = a[j] < a[0] ? a[j] : a[0];
    b[0] = b[j] > b[0] ? b[j] : b[0];
  }
  *low = a[0];
  *high = b[0];
}

/// Levels: whole numbers between -zero and top - zero.
NK_INLINE nk_v8 nk_levels_of(nk_v8 x, nk_affine_grid grid) {
  nk_v8 scaled = (x - nk_splat(grid.shift)) * nk_splat(grid.inverse);
  return nk_round(nk_clamp(scaled, -grid.zero, grid.top - grid.zero));
}

static void encode(const float *x, size_t count, nk_affine_grid grid, uint8_t *codes) {
  size_t i = 0;
  nk_v8 zero = nk_splat(grid.zero);
  for (; i + 8 <= count; i += 8) {
    nk_v8i code = __builtin_convertvector(nk_levels_of(nk_load(x + i), grid) + zero, nk_v8i);
    nk_v8b bytes = __builtin_convertvector(code, nk_v8b);
    memcpy(codes + i, &bytes, 8);
  }
  if (i < count) {
    nk_v8 levels = nk_levels_of(nk_load_some(x + i, count - i, 0), grid) + zero;
    for (size_t j = 0; i + j < count; j++) codes[i + j] = (uint8_t)levels[j];
  }
}

NK_INLINE void nk_expand(const uint8_t *codes, size_t count, float scale, float zero, const float *shift, float *x) {
  size_t i = 0;
  nk_v8 s = nk_splat(scale), z = nk_splat(zero);
  for (; i + 8 <= count; i += 8) {
    nk_v8b bytes;
    memcpy(&bytes, codes + i, 8);
    nk_v8 value = (__builtin_convertvector(__builtin_convertvector(bytes, nk_v8i), nk_v8) - z) * s;
    nk_store(x + i, shift ? value + nk_splat(*shift) : value);
  }
  for (; i < count; i++) {
    float value = ((float)codes[i] - zero) * scale;
    x[i] = shift ? value + *shift : value;
  }
}

static void expand(const uint8_t *codes, size_t count, float scale, float zero, const float *shift, float *x) {
  if (shift) nk_expand(codes, count, scale, zero, shift, x);
  else nk_expand(codes, count, scale, zero, 0, x);
}

typedef struct {
  nk_v8 error, wlx, wl, wll, wx, w;
} nk_lane_sums;

NK_INLINE double nk_added(nk_v8 lanes) {
  double sum = 0;
  for (int j = 0; j < 8; j++) sum += (double)lanes[j];
  return sum;
}

NK_INLINE void nk_flush(nk_lane_sums *run, nk_group_sums *sums) {
  sums->error += nk_added(run->error);
  sums->wlx += nk_added(run->wlx);
  sums->wl += nk_added(run->wl);
  sums->wll += nk_added(run->wll);
  sums->wx += nk_added(run->wx);
  sums->w += nk_added(run->w);
  *run = (nk_lane_sums){0};
}

NK_INLINE void nk_add_sums(nk_lane_sums *run, nk_v8 x, nk_v8 w, nk_v8 level, nk_v8 scale, nk_v8 shift) {
  nk_v8 difference = x - (level * scale + shift), wl = w * level;
  run->error += w * difference * difference;
  run->wlx += wl * x;
  run->wl += wl;
  run->wll += wl * level;
  run->wx += w * x;
  run->w += w;
}

NK_INLINE void nk_affine_sums(
  const float *x, const float *weights, size_t count, nk_affine_grid grid, float scale, nk_group_sums *out) {
  nk_group_sums sums = {0};
  nk_lane_sums run = {0};
  nk_v8 s = nk_splat(scale), shift = nk_splat(grid.shift), one = nk_splat(1.0f);
  for (size_t start = 0; start < count; start += NK_SUM_RUN) {
    size_t end = count - start > NK_SUM_RUN ? start + NK_SUM_RUN : count, i = start;
    for (; i + 8 <= end; i += 8) {
      nk_v8 v = nk_load(x + i);
      nk_add_sums(&run, v, weights ? nk_load(weights + i) : one, nk_levels_of(v, grid), s, shift);
    }
    if (i < end) {
      nk_v8 v = nk_load_some(x + i, end - i, 0);
      nk_v8 w = weights ? nk_load_some(weights + i, end - i, 0) : nk_load_some((const float *)&one, end - i, 0);
      nk_add_sums(&run, v, w, nk_levels_of(v, grid), s, shift);
    }
    nk_flush(&run, &sums);
  }
  *out = sums;
}

static void sums(
  const float *x, const float *weights, size_t count, nk_affine_grid grid, float scale, nk_group_sums *out) {
  if (weights) nk_affine_sums(x, weights, count, grid, scale, out);
  else nk_affine_sums(x, 0, count, grid, scale, out);
}

/// The codes of eight scaled values, as whole numbers.
NK_INLINE nk_v8i nk_table_codes(nk_v8 scaled, const nk_level_table *table) {
  nk_v8i code = (nk_v8i)0;
  for (size_t t = 0; t + 1 < table->count; t++) code -= scaled > nk_splat(table->thresholds[t]);
  return code;
}

static void encode_table(const float *x, size_t count, float inverse, const nk_level_table *table, uint8_t *codes) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    nk_v8b bytes = __builtin_convertvector(nk_table_codes(nk_load(x + i) * inverse, table), nk_v8b);
    memcpy(codes + i, &bytes, 8);
  }
  if (i < count) {
    nk_v8i code = nk_table_codes(nk_load_some(x + i, count - i, 0) * inverse, table);
    for (size_t j = 0; i + j < count; j++) codes[i + j] = (uint8_t)code[j];
  }
}

static void sums_table(
  const float *x, const float *weights, size_t count, float inverse, float scale, const nk_level_table *table,
  nk_group_sums *out) {
  nk_group_sums sums = {0};
  nk_lane_sums run = {0};
  for (size_t start = 0; start < count; start += NK_SUM_RUN) {
    size_t end = count - start > NK_SUM_RUN ? start + NK_SUM_RUN : count;
    for (size_t i = start; i < end; i += 8) {
      size_t length = end - i < 8 ? end - i : 8;
      nk_v8 v = length == 8 ? nk_load(x + i) : nk_load_some(x + i, length, 0), level;
      nk_v8 w = nk_splat(1.0f);
      if (weights) w = length == 8 ? nk_load(weights + i) : nk_load_some(weights + i, length, 0);
      nk_v8i code = nk_table_codes(v * inverse, table);
      for (int j = 0; j < 8; j++) level[j] = table->levels[code[j]];
      if (!weights && length < 8) {
        for (size_t j = length; j < 8; j++) w[(int)j] = 0;
      }
      nk_v8 difference = v - level * scale, wl = w * level;
      run.error += w * difference * difference;
      run.wlx += wl * v;
      run.wll += wl * level;
    }
    nk_flush(&run, &sums);
  }
  *out = sums;
}

const nk_group_table NK_GROUP_TABLE = {range, encode, expand, sums, encode_table, sums_table};
