// The row kernels with AVX-512.
#if defined(__x86_64__)
#include "../shared/x86_intrinsics.h"
#include <math.h>

#include "tables.h"

NK_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq")

#define NK_LANES 16
#define NK_HARDWARE_HALF
#include "rows.h"
#include "x86_half.h"

const nk_float_table nk_float_avx512 = NK_FLOAT_TABLE(nk_half_to_float, nk_float_to_half);

NK_TARGET_END
#endif
