// Vectors of floats in the compiler's own terms. The including file defines NK_LANES, the floats of a vector: 4, 8 or 16.
#ifndef NIBBLE_SHARED_FLOAT_LANES_H
#define NIBBLE_SHARED_FLOAT_LANES_H

#include <stdint.h>

#ifndef NK_INLINE
#define NK_INLINE static inline __attribute__((always_inline))
#endif

typedef float nk_lanes __attribute__((vector_size(4 * NK_LANES), aligned(4)));
typedef uint32_t nk_words __attribute__((vector_size(4 * NK_LANES), aligned(4)));
typedef int32_t nk_signs __attribute__((vector_size(4 * NK_LANES), aligned(4)));

#define NK_SPLAT(value) ((value) - (nk_lanes){0})
#define NK_LOAD(p) (*(const nk_lanes *)(const void *)(p))
#define NK_STORE(p, value) (*(nk_lanes *)(void *)(p) = (value))
/// Lane by lane: where `mask` is all ones a, elsewhere b.
#define NK_SELECT(mask, a, b) ((nk_lanes)(((nk_words)(mask) & (nk_words)(a)) | (~(nk_words)(mask) & (nk_words)(b))))
/// The larger number; b when one is NaN.
#define NK_MAX(a, b) NK_SELECT((a) > (b), a, b)

#endif
