// Products with AVX2 and FMA. Products of 4-, 5- and 6-bit codes come from vpmaddubsw, whose 16-bit sums hold 8, 4 or 2
// steps of them before they must widen. 8-bit codes are multiplied as int16, whose products widen at once.
#if defined(__x86_64__)
#include "../shared/x86_intrinsics.h"
#include "tables.h"

NK_TARGET_BEGIN("avx2,fma,f16c")

#define NK_LANES 8
#define NK_HARDWARE_HALF
#include "x86_codes.h"

NK_X86 __m256i nk_dot32(const enum nk_weight_type type, __m256i w, __m256i x) {
  if (nk_code_offset(type) == 128) {
    x = _mm256_sign_epi8(x, w);
    w = _mm256_abs_epi8(w);
  }
  return _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1));
}

#define NK_NARROW 1
#include "x86_direct.h"

#define NK_WORDS 1
#define NK_TILE_COLUMNS 6
#include "../shared/avx2_panel.h"
#include "x86_panel.h"
#include "x86_multiply.h"

const nk_matmul_table nk_matmul_avx2 = {nk_quantize_x86, nk_multiply_x86, nk_takes_words};

NK_TARGET_END
#endif
