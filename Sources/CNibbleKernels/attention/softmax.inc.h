// The softmax of attention: a running maximum and sum (Milakov and Gimelshein 2018, arXiv:1805.02867), so that no row of scores is
// longer than NK_ATTENTION_KEYS. Sums are of 16 chains on every instruction set. Included by attend.inc.h.

/// What the keys so far have added to a row.
typedef struct {
  float maximum;  // of the scores
  float total;    // of exp(score - maximum)
} nk_softmax_state;

typedef union {
  nk_lanes vectors[nk_panel_vectors];
  float chains[16];
} nk_softmax_chains;

/// Caps scores, a multiple of 16 of them.
static inline void nk_cap_scores(float *scores, size_t count, float softcap) {
  for (size_t k = 0; k < count; k += NK_LANES) {
    nk_lanes capped, score = NK_LOAD(scores + k);
    NK_SOFTCAP(softcap, score, capped);
    NK_STORE(scores + k, capped);
  }
}

/// Turns `count` scores, a multiple of 16, into weights relative to a new maximum, and scales the `size` sums of what came before,
/// also a multiple of 16. A score of -infinity gets no weight; one at least is larger.
static inline void nk_softmax_step(float *scores, size_t count, nk_softmax_state *state, float *sums, size_t size) {
  nk_softmax_chains most;
  for (int v = 0; v < nk_panel_vectors; v++) most.vectors[v] = NK_SPLAT(state->maximum);
  for (size_t k = 0; k < count; k += 16) {
    for (int v = 0; v < nk_panel_vectors; v++) {
      const nk_lanes score = NK_LOAD(scores + k + NK_LANES * v);
      most.vectors[v] = NK_MAX(score, most.vectors[v]);
    }
  }
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) {
      most.chains[i] = most.chains[i] > most.chains[i + width] ? most.chains[i] : most.chains[i + width];
    }
  }
  const float top = most.chains[0];
  if (top > state->maximum) {
    nk_lanes shrink = NK_SPLAT(0.0f);
    if (state->maximum != -INFINITY) NK_EXP_NEGATIVE(NK_SPLAT(state->maximum - top), shrink);
    state->total *= shrink[0];
    for (size_t i = 0; i < size; i += NK_LANES) NK_STORE(sums + i, NK_LOAD(sums + i) * shrink);
    state->maximum = top;
  }
  nk_softmax_chains sum = {{{0}}};
  for (size_t k = 0; k < count; k += 16) {
    for (int v = 0; v < nk_panel_vectors; v++) {
      nk_lanes weight;
      NK_EXP_NEGATIVE(NK_LOAD(scores + k + NK_LANES * v) - top, weight);
      NK_STORE(scores + k + NK_LANES * v, weight);
      sum.vectors[v] += weight;
    }
  }
  for (int width = 8; width > 0; width /= 2) {
    for (int i = 0; i < width; i++) sum.chains[i] += sum.chains[i + width];
  }
  state->total += sum.chains[0];
}
