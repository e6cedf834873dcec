#include "samples.h"

enum { most = 130 };

/// Compares two rows of results.
static size_t compare(const char *name, size_t count, const float *a, const float *b, char *message) {
  size_t differences = 0;
  for (size_t i = 0; i < count; i++)
    if (!same(a[i], b[i]))
      DIFFERS("%s of %zu, element %zu: %.9g, not %.9g", name, count, i, (double)a[i], (double)b[i]);
  return differences;
}

/// Some byte that depends on all bits of a number.
static uint32_t nk_byte_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits * 2654435761u >> 24;
}

static size_t check_rows(const nk_float_table *t, const nk_float_table *s, const float *x, const float *y, size_t n,
                         char *message) {
  size_t differences = 0;
  float a[most], b[most];
  uint16_t h[most], g[most];
#define CHECK(name) \
  if (!differences) differences += compare(name, n, a, b, message)
  a[0] = t->dot(x, y, n);
  b[0] = s->dot(x, y, n);
  differences += compare("dot", 1, a, b, message);
  a[0] = t->sum_of_squares(x, n);
  b[0] = s->sum_of_squares(x, n);
  if (!differences) differences += compare("sum of squares", 1, a, b, message);
  if (t->first_non_finite(x, n) != s->first_non_finite(x, n)) DIFFERS("first non-finite of %zu", n);
  t->add(x, y, n, a), s->add(x, y, n, b);
  CHECK("add");
  t->scale(x, 0.7f, n, a), s->scale(x, 0.7f, n, b);
  CHECK("scale");
  memcpy(a, y, n * sizeof(float)), memcpy(b, y, n * sizeof(float));
  t->axpy(0.7f, x, n, a), s->axpy(0.7f, x, n, b);
  CHECK("axpy");
  t->rms_norm(x, y, n, 1e-5f, a), s->rms_norm(x, y, n, 1e-5f, b);
  CHECK("rms norm");
  t->layer_norm(x, y, NULL, n, 1e-5f, a), s->layer_norm(x, y, NULL, n, 1e-5f, b);
  CHECK("layer norm");
  t->layer_norm(x, y, x, n, 1e-5f, a), s->layer_norm(x, y, x, n, 1e-5f, b);
  CHECK("layer norm with bias");
  memcpy(a, x, n * sizeof(float)), memcpy(b, x, n * sizeof(float));
  t->softmax(a, n), s->softmax(b, n);
  CHECK("softmax");
  t->silu_multiply(x, y, n, a), s->silu_multiply(x, y, n, b);
  CHECK("silu");
  t->gelu_multiply(x, y, n, a), s->gelu_multiply(x, y, n, b);
  CHECK("gelu gate");
  t->gelu(x, n, a), s->gelu(x, n, b);
  CHECK("gelu");
  t->softcap(x, 5, n, a), s->softcap(x, 5, n, b);
  CHECK("softcap");
  for (int interleaved = 0; interleaved < 2; interleaved++) {
    size_t stride = n / 3, pairs = stride / 2;
    memcpy(a, x, n * sizeof(float)), memcpy(b, x, n * sizeof(float));
    t->rotate(y, y + pairs, pairs, interleaved, 3, stride, a), s->rotate(y, y + pairs, pairs, interleaved, 3, stride, b);
    CHECK("rotate");
  }
  t->float_to_bfloat(x, n, h), s->float_to_bfloat(x, n, g);
  if (memcmp(h, g, 2 * n)) DIFFERS("float to bfloat of %zu", n);
  t->bfloat_to_float(h, n, a), s->bfloat_to_float(h, n, b);
  CHECK("bfloat to float");
  t->float_to_half(x, n, h), s->float_to_half(x, n, g);
  for (size_t i = 0; i < n; i++)
    if (h[i] != g[i] && !isnan(x[i])) DIFFERS("float to half of %g: %x, not %x", (double)x[i], h[i], g[i]);
  t->half_to_float(h, n, a), s->half_to_float(h, n, b);
  CHECK("half to float");
  uint8_t c[most] = {0}, e[most] = {0};
  for (int saturates = 0; saturates < 2; saturates++) {
    t->float_to_e4m3(x, n, saturates, c), s->float_to_e4m3(x, n, saturates, e);
    if (memcmp(c, e, n)) DIFFERS("float to E4M3 of %zu", n);
    t->float_to_e5m2(x, n, saturates, c), s->float_to_e5m2(x, n, saturates, e);
    if (memcmp(c, e, n)) DIFFERS("float to E5M2 of %zu", n);
  }
  t->float_to_e2m1(x, n, c), s->float_to_e2m1(x, n, e);
  if (memcmp(c, e, n)) DIFFERS("float to E2M1 of %zu", n);
  for (size_t i = 0; i < n; i++) c[i] = (uint8_t)nk_byte_of(x[i]);
  t->e4m3_to_float(c, n, a), s->e4m3_to_float(c, n, b);
  CHECK("E4M3 to float");
  t->e5m2_to_float(c, n, a), s->e5m2_to_float(c, n, b);
  CHECK("E5M2 to float");
  t->e2m1_to_float(c, n, a), s->e2m1_to_float(c, n, b);
  CHECK("E2M1 to float");
#undef CHECK
  return differences;
}

/// Every half there is, there and back.
static size_t check_halves(const nk_float_table *t, const nk_float_table *s, char *message) {
  static uint16_t halves[65536], back[65536];
  static float a[65536], b[65536];
  for (size_t i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
  t->half_to_float(halves, 65536, a);
  s->half_to_float(halves, 65536, b);
  size_t differences = compare("every half", 65536, a, b, message);
  t->float_to_half(a, 65536, back);
  for (size_t i = 0; i < 65536; i++)
    if (back[i] != halves[i] && !isnan(a[i])) DIFFERS("half %zx there and back: %x", i, back[i]);
  // Half-way between neighbours, and just beside.
  uint64_t state = 3;
  for (size_t i = 0; i < 65536; i++) {
    uint32_t bits = next_bits(&state) % 0x20000000 + 0x30000000;
    if (i % 2) bits = (bits & 0xFFFFE000) + 0xFFF + (uint32_t)(i / 2 % 3);
    memcpy(&a[i], &bits, 4);
  }
  t->float_to_half(a, 65536, back);
  s->float_to_half(a, 65536, halves);
  for (size_t i = 0; i < 65536; i++)
    if (back[i] != halves[i]) DIFFERS("%.9g to half: %x, not %x", (double)a[i], back[i], halves[i]);
  return differences;
}

/// Every small float there is, there and back; and floats beside every half-way point.
static size_t check_small_floats(const nk_float_table *t, const nk_float_table *s, char *message) {
  static uint8_t codes[256], back[65536], expected[65536];
  static float a[65536], b[256];
  size_t differences = 0;
  for (size_t i = 0; i < 256; i++) codes[i] = (uint8_t)i;
  t->e4m3_to_float(codes, 256, a), s->e4m3_to_float(codes, 256, b);
  differences += compare("every E4M3", 256, a, b, message);
  t->float_to_e4m3(a, 256, 0, back);
  for (size_t i = 0; i < 256; i++)
    if (back[i] != i && !isnan(a[i])) DIFFERS("E4M3 %zx there and back: %x", i, back[i]);
  t->e5m2_to_float(codes, 256, a), s->e5m2_to_float(codes, 256, b);
  differences += compare("every E5M2", 256, a, b, message);
  t->float_to_e5m2(a, 256, 0, back);
  for (size_t i = 0; i < 256; i++)
    if (back[i] != i && !isnan(a[i])) DIFFERS("E5M2 %zx there and back: %x", i, back[i]);
  t->e2m1_to_float(codes, 256, a), s->e2m1_to_float(codes, 256, b);
  differences += compare("every E2M1", 256, a, b, message);
  t->float_to_e2m1(a, 256, back);
  for (size_t i = 0; i < 256; i++)
    if (back[i] != i % 16) DIFFERS("E2M1 %zx there and back: %x", i, back[i]);
  // The upper 16 bits of a float decide but for ties, which the lower 16 break.
  static const uint32_t lower[] = {0, 1, 0xFFFF};
  for (int k = 0; k < 3; k++) {
    for (size_t i = 0; i < 65536; i++) {
      uint32_t bits = (uint32_t)i << 16 | lower[k];
      memcpy(&a[i], &bits, 4);
    }
    t->float_to_e4m3(a, 65536, k % 2, back), s->float_to_e4m3(a, 65536, k % 2, expected);
    if (memcmp(back, expected, 65536)) DIFFERS("every upper half to E4M3");
    t->float_to_e5m2(a, 65536, k % 2, back), s->float_to_e5m2(a, 65536, k % 2, expected);
    if (memcmp(back, expected, 65536)) DIFFERS("every upper half to E5M2");
    t->float_to_e2m1(a, 65536, back), s->float_to_e2m1(a, 65536, expected);
    if (memcmp(back, expected, 65536)) DIFFERS("every upper half to E2M1");
  }
  return differences;
}

size_t nk_check_rows(const nk_float_table *table, const nk_float_table *scalar, char *message) {
  static const float specials[] = {NAN, INFINITY, -INFINITY, 88.5f, -87.4f, 3e38f};
  static float x[most + 1], y[most + 1];
  uint64_t state = 7;
  size_t differences = check_halves(table, scalar, message);
  if (!differences) differences += check_small_floats(table, scalar, message);
  for (size_t n = 0; n < most && !differences; n++)
    for (int kind = 0; kind < 3 * sample_kind_count && !differences; kind++) {
      fill_numbers(x, most + 1, (enum sample_kind)(kind % sample_kind_count), &state);
      fill_numbers(y, most + 1, ordinary, &state);
      for (size_t i = 0; i <= most && kind >= sample_kind_count; i++) x[i] *= 40;
      if (kind >= 2 * sample_kind_count) x[next_bits(&state) % (n + 1)] = specials[kind % 6];
      differences += check_rows(table, scalar, x + kind % 2, y + 1, n, message);
    }
  return differences;
}
