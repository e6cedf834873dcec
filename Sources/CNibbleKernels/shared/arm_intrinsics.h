// The Arm intrinsics, or (with NK_EMULATED, in checks only) portable stand-ins for them on another machine.
#ifndef NIBBLE_SHARED_ARM_INTRINSICS_H
#define NIBBLE_SHARED_ARM_INTRINSICS_H

#define NK_PRAGMA(text) _Pragma(#text)

#if defined(NK_EMULATED)
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/arm/neon.h>
#define NK_TARGET_BEGIN(features)
#define NK_TARGET_END
#else
#include <arm_neon.h>
/// Compiles what follows for the named features; the product itself is built for the baseline.
#define NK_TARGET_BEGIN(features) \
  NK_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define NK_TARGET_END NK_PRAGMA(clang attribute pop)
#endif

#endif
