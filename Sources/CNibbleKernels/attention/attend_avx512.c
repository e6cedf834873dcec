#if defined(__x86_64__)
#include <math.h>
#include <string.h>

#include "nk_attention.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c"))), apply_to = function)
#include "attend_x86.h"
#define NK_HARDWARE_HALF
#define NK_LANES 16
#define NK_ATTEND nk_attend_avx512
#include "attend.inc.h"
#pragma clang attribute pop
#endif
