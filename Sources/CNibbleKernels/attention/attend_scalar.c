#include "nk_attention.h"
#include "shared/half.h"

#define NK_HALF(half) nk_float_from_half(half)
#define NK_ATTEND nk_attend_scalar
#include "attend.inc.h"
