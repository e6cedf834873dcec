// The attention tile over keys and values of one stored type. Included by attend_element.inc.h and attend_blocks.inc.h, single
// precision first, with NK_ELEMENT and NK_NAME as there, and these functions for the type: nk_row, nk_score, nk_add_values,
// nk_transpose, nk_widened.

static void NK_NAME(nk_attend_over)(const nk_attention_tile *tile) {
  const size_t size = tile->head_size, rows = tile->row_count, group = tile->group_count;
  const size_t last = tile->first_position + (rows - 1) / group;
  // Few rows do not repay converting the keys and values for all of them.
  const int shares = rows >= 4;
  float *scores = tile->scratch;            // [KEYS]
  float *sums = scores + KEYS;              // [rows, size]
  float *maxima = sums + rows * size;       // [rows]
  float *totals = maxima + rows;            // [rows]
  float *keys = totals + rows;              // [size, KEYS]
  float *room = keys + size * KEYS;         // [KEYS, size]
  memset(sums, 0, rows * size * sizeof(float));
  for (size_t r = 0; r < rows; r++) {
    maxima[r] = -INFINITY;
    totals[r] = 0;
  }
  const size_t window = tile->window;
  size_t start = window && tile->first_position + 1 > window ? tile->first_position + 1 - window : 0;
  for (size_t first = start; first <= last; first += KEYS) {
    const size_t count = last + 1 - first < KEYS ? last + 1 - first : KEYS;
    const NK_ELEMENT *tile_keys = NK_NAME(nk_row)(tile->keys, first, size);
    const NK_ELEMENT *tile_values = NK_NAME(nk_row)(tile->values, first, size);
    const float *values = room;
    if (shares) {
      NK_NAME(nk_transpose)(tile_keys, count, size, keys);
      for (size_t k = count; k < KEYS; k++) {
        for (size_t i = 0; i < size; i++) keys[i * KEYS + k] = 0;
      }
      values = NK_NAME(nk_widened)(tile_values, count, size, room);
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
          scores[k] = NK_NAME(nk_score)(query, NK_NAME(nk_row)(tile_keys, k, size), size, tile->scale);
        }
      }
      float *weights = scores + skipped, *sum = sums + r * size;
      const size_t used = seen - skipped;
      if (tile->softcap > 0) {
        for (size_t k = 0; k < used; k++) weights[k] = nk_capped(weights[k], tile->softcap);
      }
      nk_softmax_step(weights, used, maxima + r, totals + r, sum, size);
      if (shares) {
        nk_add_values_float(weights, values + skipped * size, used, size, sum);
      } else {
        NK_NAME(nk_add_values)(weights, NK_NAME(nk_row)(tile_values, skipped, size), used, size, sum);
      }
    }
  }
  for (size_t r = 0; r < rows; r++) {
    float *result = tile->result + r / group * tile->token_stride + r % group * size;
    const float factor = 1.0f / totals[r];
    for (size_t i = 0; i < size; i++) result[i] = sums[r * size + i] * factor;
  }
}

#undef NK_ELEMENT
#undef NK_NAME
