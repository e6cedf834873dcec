// Conversions of rows between floats and the 8-bit and 4-bit floats, one number a byte, NK_LANES at once.
//
// Included by rows.h, which defines the vectors. In a format with M bits of fraction and bias B, magnitudes are
//   normal:    the float's bits, rounded to M bits of fraction, with B in place of the bias 127;
//   subnormal: a whole number of 2^(1-B-M), which is the last place of sums with 2^(23+1-B-M).
#ifndef NK_FLOAT_SMALL_FLOATS_H
#define NK_FLOAT_SMALL_FLOATS_H

typedef uint8_t nk_bytes __attribute__((vector_size(NK_LANES), aligned(1)));

#define NK_LOAD_BYTES(p) __builtin_convertvector(*(const nk_bytes *)(const void *)(p), nk_words)
#define NK_STORE_BYTES(p, words) (*(nk_bytes *)(void *)(p) = __builtin_convertvector(words, nk_bytes))
/// Lane by lane: where `mask` is all ones a, elsewhere b.
#define NK_SELECT_WORDS(mask, a, b) (((nk_words)(mask) & (a)) | (~(nk_words)(mask) & (b)))
/// 2^exponent
#define NK_POWER(exponent) nk_float_from_bits((uint32_t)((exponent) + 127) << 23)

/// Codes of floats. `largest` is the largest number's code, `beyond` that of what follows, `nan` that of NaN.
#define NK_ENCODE_SMALL(x, bits, sign, bias, largest, beyond, nan, codes)                                         \
  do {                                                                                                            \
    enum { shift_ = 23 - (bits), rebias_ = (127 - (bias)) << (bits) };                                            \
    nk_words word_ = (nk_words)(x), magnitude_ = word_ & 0x7FFFFFFFu, normal_, tiny_, code_;                      \
    float step_ = NK_POWER(24 - (bias) - (bits));                                                                 \
    normal_ = ((magnitude_ + ((1u << (shift_ - 1)) - 1) + ((magnitude_ >> shift_) & 1u)) >> shift_) - rebias_;    \
    tiny_ = (nk_words)((nk_lanes)magnitude_ + step_) - nk_bits_from_float(step_);                                 \
    code_ = NK_SELECT_WORDS((nk_signs)magnitude_ < (128 - (bias)) << 23, tiny_, normal_);                         \
    code_ = NK_SELECT_WORDS((nk_signs)code_ > (largest), (nk_words){0} + (uint32_t)(beyond), code_);              \
    code_ = NK_SELECT_WORDS((nk_signs)magnitude_ > 0x7F800000, (nk_words){0} + (uint32_t)(nan), code_);           \
    (codes) = code_ | (((word_ >> 31) * (uint32_t)(sign)) & ~NK_UNSIGNED_NAN(magnitude_, nan));                   \
  } while (0)

/// All ones where a NaN has become zero, which then has no sign.
#define NK_UNSIGNED_NAN(magnitude, nan) \
  ((nan) ? (nk_words){0} : (nk_words)((nk_signs)(magnitude) > 0x7F800000))

/// Floats of codes; magnitudes from `infinity` on are that and NaN, or NaN only if `infinity` is odd.
#define NK_DECODE_SMALL(codes, bits, sign, bias, infinity, x)                                                       \
  do {                                                                                                              \
    nk_words code_ = (codes), magnitude_ = code_ & ((sign) - 1u), word_, special_;                                  \
    word_ = (magnitude_ << (23 - (bits))) + ((127u - (bias)) << 23);                                                \
    nk_lanes tiny_ = __builtin_convertvector((nk_signs)magnitude_, nk_lanes) * NK_POWER(1 - (bias) - (bits));       \
    word_ = NK_SELECT_WORDS((nk_signs)magnitude_ < 1 << (bits), (nk_words)tiny_, word_);                            \
    special_ = 0x7F800000u | ((nk_words)((nk_signs)magnitude_ >= ((infinity) | 1)) & 0x400000u);                    \
    word_ = NK_SELECT_WORDS((nk_signs)magnitude_ >= (infinity), special_, word_);                                   \
    (x) = (nk_lanes)(word_ | ((code_ & (uint32_t)(sign)) * (0x80000000u / (sign))));                                \
  } while (0)

#define NK_ROWS_TO_FLOAT(name, bits, sign, bias, infinity)                \
  static void name(const uint8_t *x, size_t count, float *out) {          \
    size_t i = 0;                                                         \
    nk_lanes numbers;                                                     \
    for (; i + NK_LANES <= count; i += NK_LANES) {                        \
      NK_DECODE_SMALL(NK_LOAD_BYTES(x + i), bits, sign, bias, infinity, numbers); \
      NK_STORE(out + i, numbers);                                         \
    }                                                                     \
    if (i < count) {                                                      \
      uint8_t last[NK_LANES] = {0};                                       \
      memcpy(last, x + i, count - i);                                     \
      NK_DECODE_SMALL(NK_LOAD_BYTES(last), bits, sign, bias, infinity, numbers); \
      memcpy(out + i, &numbers, (count - i) * sizeof(float));             \
    }                                                                     \
  }

/// The body of a function that writes the codes of `count` floats.
#define NK_ROWS_FROM_FLOAT(bits, sign, bias, largest, beyond, nan)                             \
  do {                                                                                         \
    size_t i = 0;                                                                              \
    nk_words codes;                                                                            \
    for (; i + NK_LANES <= count; i += NK_LANES) {                                             \
      NK_ENCODE_SMALL(NK_LOAD(x + i), bits, sign, bias, largest, beyond, nan, codes);          \
      NK_STORE_BYTES(out + i, codes);                                                          \
    }                                                                                          \
    if (i < count) {                                                                           \
      float last[NK_LANES] = {0};                                                              \
      uint8_t bytes[NK_LANES];                                                                 \
      memcpy(last, x + i, (count - i) * sizeof(float));                                        \
      NK_ENCODE_SMALL(NK_LOAD(last), bits, sign, bias, largest, beyond, nan, codes);           \
      NK_STORE_BYTES(bytes, codes);                                                            \
      memcpy(out + i, bytes, count - i);                                                       \
    }                                                                                          \
  } while (0)

NK_ROWS_TO_FLOAT(nk_e4m3_to_float, 3, 0x80u, 7, 0x7F)
NK_ROWS_TO_FLOAT(nk_e5m2_to_float, 2, 0x80u, 15, 0x7C)
NK_ROWS_TO_FLOAT(nk_e2m1_to_float, 1, 8u, 1, 8)

static void nk_float_to_e4m3(const float *x, size_t count, int saturates, uint8_t *out) {
  uint32_t beyond = saturates ? 0x7E : 0x7F;
  NK_ROWS_FROM_FLOAT(3, 0x80u, 7, 0x7E, beyond, 0x7Fu);
}

static void nk_float_to_e5m2(const float *x, size_t count, int saturates, uint8_t *out) {
  uint32_t beyond = saturates ? 0x7B : 0x7C;
  NK_ROWS_FROM_FLOAT(2, 0x80u, 15, 0x7B, beyond, 0x7Eu);
}

static void nk_float_to_e2m1(const float *x, size_t count, uint8_t *out) {
  NK_ROWS_FROM_FLOAT(1, 8u, 1, 7, 7u, 0u);
}

#endif
