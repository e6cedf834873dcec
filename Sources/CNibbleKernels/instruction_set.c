#include "nk_instruction_set.h"

#if defined(__x86_64__)

static int has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static int has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512bf16");
}

#endif

int nk_supports(enum nk_instruction_set instruction_set) {
  switch (instruction_set) {
    case NK_SCALAR: return 1;
#if defined(__x86_64__)
    case NK_AVX2: return has_avx2();
    case NK_AVX512: return has_avx512();
#endif
#if defined(__aarch64__)
    case NK_NEON: return 1;
#endif
    default: return 0;
  }
}

/// The furthest instruction set to choose; -1 for no limit.
static int limit = -1;

int nk_limit_instruction_set(enum nk_instruction_set instruction_set) {
  if (!nk_supports(instruction_set)) return 0;
  __atomic_store_n(&limit, (int)instruction_set, __ATOMIC_RELAXED);
  return 1;
}

int nk_may_choose(enum nk_instruction_set instruction_set) {
  if (!nk_supports(instruction_set)) return 0;
  switch (__atomic_load_n(&limit, __ATOMIC_RELAXED)) {
    case NK_SCALAR: return instruction_set == NK_SCALAR;
    case NK_AVX2: return instruction_set != NK_AVX512;
    default: return 1;
  }
}
