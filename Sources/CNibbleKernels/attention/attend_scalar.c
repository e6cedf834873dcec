// The attention tile for any machine, and for NEON as the compiler makes it.
#pragma clang diagnostic ignored "-Wpsabi"
#include "nk_attention.h"
#include "shared/half.h"

#define NK_HALF(half) nk_float_from_half(half)
#define NK_LANES 4
#define NK_ATTEND nk_attend_scalar
#include "attend.inc.h"
