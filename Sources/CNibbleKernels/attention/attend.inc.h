// The attention tile, over fixed lanes that the compiler turns into vectors. Included once for each instruction set, which
// defines NK_ATTEND (the function's name) and NK_HALF (float of a half).
//
// Keys are taken 64 at a time with a running maximum and sum (Milakov and Gimelshein 2018, arXiv:1805.02867), so that no
// row of scores is ever longer than that.

#include <math.h>
#include <string.h>

#pragma clang fp contract(fast)

enum { KEYS = NK_ATTENTION_KEYS, PART = 32 };

/// exp(x) for x <= 0, relative error below 3e-7; 0 below -87.
static inline float nk_exp_negative(float x) {
  float clamped = x < -87.0f ? -87.0f : x;
  float power = clamped * 1.44269504f + 12582912.0f;
  uint32_t bits;
  memcpy(&bits, &power, sizeof bits);
  power -= 12582912.0f;
  float rest = clamped - power * 0.693359375f + power * 2.12194440e-4f;
  float value = 1.9875691500e-4f;
  value = value * rest + 1.3981999507e-3f;
  value = value * rest + 8.3334519073e-3f;
  value = value * rest + 4.1665795894e-2f;
  value = value * rest + 1.6666665459e-1f;
  value = value * rest + 5.0000001201e-1f;
  value = value * rest * rest + rest + 1.0f;
  uint32_t result;
  memcpy(&result, &value, sizeof result);
  result += bits << 23;
  memcpy(&value, &result, sizeof value);
  return x < -87.0f ? 0.0f : value;
}

/// scores[k] = scale * query . keys[k], keys transposed to [head_size][KEYS].
static inline void nk_scores_transposed(const float *query, const float *keys, size_t size,
                                        float scale, float *scores) {
  for (size_t part = 0; part < KEYS; part += PART) {
    float sums[PART] = {0};
    for (size_t i = 0; i < size; i++) {
      const float *row = keys + i * KEYS + part;
      float x = query[i];
      for (size_t k = 0; k < PART; k++) sums[k] += x * row[k];
    }
    for (size_t k = 0; k < PART; k++) scores[part + k] = scale * sums[k];
  }
}

/// scale * query . key for one key in half precision.
static inline float nk_score(const float *query, const uint16_t *key, size_t size, float scale) {
  float sums[16] = {0};
  size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    for (size_t l = 0; l < 16; l++) sums[l] += query[i + l] * NK_HALF(key[i + l]);
  }
  for (; i < size; i++) sums[i % 16] += query[i] * NK_HALF(key[i]);
  for (size_t step = 8; step > 0; step /= 2) {
    for (size_t l = 0; l < step; l++) sums[l] += sums[l + step];
  }
  return scale * sums[0];
}

/// Turns scores into weights relative to a new maximum; scales what was summed before.
static inline void nk_softmax_step(float *scores, size_t count, float *maximum, float *total,
                                   float *sum, size_t size) {
  float top = *maximum;
  for (size_t k = 0; k < count; k++) top = scores[k] > top ? scores[k] : top;
  if (top > *maximum) {
    float shrink = *maximum == -INFINITY ? 0.0f : nk_exp_negative(*maximum - top);
    *total *= shrink;
    for (size_t i = 0; i < size; i++) sum[i] *= shrink;
    *maximum = top;
  }
  for (size_t k = 0; k < count; k++) scores[k] = nk_exp_negative(scores[k] - top);
  float part = 0;
  for (size_t k = 0; k < count; k++) part += scores[k];
  *total += part;
}

/// sum[i] += sum_k weights[k] * values[k][i].
static inline void nk_add_values(const float *weights, const float *values, size_t count,
                                 size_t size, float *sum) {
  size_t i = 0;
  for (; i + PART <= size; i += PART) {
    float sums[PART];
    for (size_t l = 0; l < PART; l++) sums[l] = sum[i + l];
    for (size_t k = 0; k < count; k++) {
      const float *row = values + k * size + i;
      float weight = weights[k];
      for (size_t l = 0; l < PART; l++) sums[l] += weight * row[l];
    }
    for (size_t l = 0; l < PART; l++) sum[i + l] = sums[l];
  }
  for (; i < size; i++) {
    for (size_t k = 0; k < count; k++) sum[i] += weights[k] * values[k * size + i];
  }
}

static inline void nk_add_half_values(const float *weights, const uint16_t *values, size_t count,
                                      size_t size, float *sum) {
  size_t i = 0;
  for (; i + PART <= size; i += PART) {
    float sums[PART];
    for (size_t l = 0; l < PART; l++) sums[l] = sum[i + l];
    for (size_t k = 0; k < count; k++) {
      const uint16_t *row = values + k * size + i;
      float weight = weights[k];
      for (size_t l = 0; l < PART; l++) sums[l] += weight * NK_HALF(row[l]);
    }
    for (size_t l = 0; l < PART; l++) sum[i + l] = sums[l];
  }
  for (; i < size; i++) {
    for (size_t k = 0; k < count; k++) sum[i] += weights[k] * NK_HALF(values[k * size + i]);
  }
}

void NK_ATTEND(const nk_attention_tile *tile) {
  const size_t size = tile->head_size, rows = tile->row_count, group = tile->group_count;
  const size_t last = tile->first_position + (rows - 1) / group;
  // Few rows do not repay converting the keys and values for all of them.
  const int shares = rows >= 4;
  float *scores = tile->scratch;            // [KEYS]
  float *sums = scores + KEYS;              // [rows, size]
  float *maxima = sums + rows * size;       // [rows]
  float *totals = maxima + rows;            // [rows]
  float *keys = totals + rows;              // [size, KEYS]
  float *values = keys + size * KEYS;       // [KEYS, size]
  memset(sums, 0, rows * size * sizeof(float));
  for (size_t r = 0; r < rows; r++) {
    maxima[r] = -INFINITY;
    totals[r] = 0;
  }
  const size_t window = tile->window;
  size_t start = window && tile->first_position + 1 > window ? tile->first_position + 1 - window : 0;
  for (size_t first = start; first <= last; first += KEYS) {
    const size_t count = last + 1 - first < KEYS ? last + 1 - first : KEYS;
    const uint16_t *half_keys = tile->keys + first * size;
    const uint16_t *half_values = tile->values + first * size;
    if (shares) {
      for (size_t k = 0; k < count; k++) {
        for (size_t i = 0; i < size; i++) keys[i * KEYS + k] = NK_HALF(half_keys[k * size + i]);
      }
      for (size_t k = count; k < KEYS; k++) {
        for (size_t i = 0; i < size; i++) keys[i * KEYS + k] = 0;
      }
      for (size_t i = 0; i < count * size; i++) values[i] = NK_HALF(half_values[i]);
    }
    for (size_t r = 0; r < rows; r++) {
      const size_t position = tile->first_position + r / group;
      if (position < first) continue;
      size_t seen = position - first + 1 < count ? position - first + 1 : count;
      size_t skipped = window && position + 1 > window + first ? position + 1 - window - first : 0;
      if (skipped >= seen) continue;
      const float *query = tile->query + r / group * tile->token_stride + r % group * size;
      if (shares) {
        nk_scores_transposed(query, keys, size, tile->scale, scores);
      } else {
        for (size_t k = skipped; k < seen; k++) {
          scores[k] = nk_score(query, half_keys + k * size, size, tile->scale);
        }
      }
      float *weights = scores + skipped, *sum = sums + r * size;
      const size_t used = seen - skipped;
      nk_softmax_step(weights, used, maxima + r, totals + r, sum, size);
      if (shares) {
        nk_add_values(weights, values + skipped * size, used, size, sum);
      } else {
        nk_add_half_values(weights, half_values + skipped * size, used, size, sum);
      }
    }
  }
  for (size_t r = 0; r < rows; r++) {
    float *result = tile->result + r / group * tile->token_stride + r % group * size;
    const float factor = 1.0f / totals[r];
    for (size_t i = 0; i < size; i++) result[i] = sums[r * size + i] * factor;
  }
}
