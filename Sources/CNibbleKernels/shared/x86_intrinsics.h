// The x86 intrinsics, or (with NK_EMULATED, in checks only) portable stand-ins for them on a machine without the
// instruction set.
#ifndef NIBBLE_SHARED_X86_INTRINSICS_H
#define NIBBLE_SHARED_X86_INTRINSICS_H

#define NK_PRAGMA(text) _Pragma(#text)

#if defined(NK_EMULATED)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx2.h>
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
// SIMDe 0.7.4 gives this name to another function.
#undef _mm512_madd_epi16
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)
// SIMDe 0.7.4 lacks this one.
static inline simde__m512 nk_emulated_cvtepi32_ps(simde__m512i a) {
  int32_t integers[16];
  float floats[16];
  simde_mm512_storeu_si512(integers, a);
  for (int i = 0; i < 16; i++) floats[i] = (float)integers[i];
  return simde_mm512_loadu_ps(floats);
}
#undef _mm512_cvtepi32_ps
#define _mm512_cvtepi32_ps(a) nk_emulated_cvtepi32_ps(a)
#define NK_TARGET_BEGIN(features)
#define NK_TARGET_END
#else
#include <immintrin.h>
/// Compiles what follows for the named features; the product itself is built for the baseline.
#define NK_TARGET_BEGIN(features) \
  NK_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define NK_TARGET_END NK_PRAGMA(clang attribute pop)
#endif

#endif
