// What the attention tile does with keys and values that are stored as plain numbers. Included by attend.inc.h with NK_ELEMENT
// (the stored type), NK_NUMBER (float of an element) and NK_NAME (a function's name for this type).

/// scale * query . key for one key.
static inline float NK_NAME(nk_score)(const float *query, const NK_ELEMENT *key, size_t size, float scale) {
  float sums[16] = {0};
  size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    for (size_t l = 0; l < 16; l++) sums[l] += query[i + l] * NK_NUMBER(key[i + l]);
  }
  for (; i < size; i++) sums[i % 16] += query[i] * NK_NUMBER(key[i]);
  for (size_t step = 8; step > 0; step /= 2) {
    for (size_t l = 0; l < step; l++) sums[l] += sums[l + step];
  }
  return scale * sums[0];
}

/// sum[i] += sum_k weights[k] * values[k][i].
static inline void NK_NAME(nk_add_values)(const float *weights, const NK_ELEMENT *values, size_t count,
                                      size_t size, float *sum) {
  size_t i = 0;
  for (; i + PART <= size; i += PART) {
    float sums[PART];
    for (size_t l = 0; l < PART; l++) sums[l] = sum[i + l];
    for (size_t k = 0; k < count; k++) {
      const NK_ELEMENT *row = values + k * size + i;
      float weight = weights[k];
      for (size_t l = 0; l < PART; l++) sums[l] += weight * NK_NUMBER(row[l]);
    }
    for (size_t l = 0; l < PART; l++) sum[i + l] = sums[l];
  }
  for (; i < size; i++) {
    for (size_t k = 0; k < count; k++) sum[i] += weights[k] * NK_NUMBER(values[k * size + i]);
  }
}

/// Row `position` of keys or values.
static inline const NK_ELEMENT *NK_NAME(nk_row)(const void *rows, size_t position, size_t size) {
  return (const NK_ELEMENT *)rows + position * size;
}

/// keys[i][k] of `count` rows.
static inline void NK_NAME(nk_transpose)(const NK_ELEMENT *rows, size_t count, size_t size, float *keys) {
  for (size_t k = 0; k < count; k++) {
    for (size_t i = 0; i < size; i++) keys[i * KEYS + k] = NK_NUMBER(rows[k * size + i]);
  }
}

#include "attend_tile.inc.h"
#undef NK_NUMBER
