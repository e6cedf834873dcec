// The rotary embedding of one row. Part of rows.h.
#ifndef NK_FLOAT_ROTATE_H
#define NK_FLOAT_ROTATE_H

static void nk_rotate(const float *restrict cosines, const float *restrict sines, size_t pair_count, int interleaved,
                      size_t head_count, size_t head_stride, float *x) {
  for (size_t head = 0; head < head_count; head++) {
    if (interleaved) {
      float *restrict pairs = x + head * head_stride;
      for (size_t i = 0; i < pair_count; i++) {
        float a = pairs[2 * i], b = pairs[2 * i + 1];
        pairs[2 * i] = a * cosines[i] - b * sines[i];
        pairs[2 * i + 1] = a * sines[i] + b * cosines[i];
      }
    } else {
      float *restrict low = x + head * head_stride, *restrict high = low + pair_count;
      for (size_t i = 0; i < pair_count; i++) {
        float a = low[i], b = high[i];
        low[i] = a * cosines[i] - b * sines[i];
        high[i] = a * sines[i] + b * cosines[i];
      }
    }
  }
}

#endif
