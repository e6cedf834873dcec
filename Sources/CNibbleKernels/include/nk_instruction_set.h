// The instruction sets that a kernel table may be built for, and whether this machine has them.
#ifndef NIBBLE_INSTRUCTION_SET_H
#define NIBBLE_INSTRUCTION_SET_H

/// NK_SCALAR is plain C, which defines what is correct and runs everywhere. NK_AVX2 includes FMA, F16C, BMI and BMI2.
/// NK_AVX512 includes NK_AVX2 and F, BW, CD, DQ, VL, VNNI and BF16. NK_NEON is AArch64's baseline.
enum nk_instruction_set { NK_SCALAR, NK_AVX2, NK_AVX512, NK_NEON };

/// 1 when this machine can run kernels of `instruction_set`, otherwise 0.
int nk_supports(enum nk_instruction_set instruction_set);

/// Lets the choice of the best table go no further than `instruction_set`, in this process from now on. Tables that were chosen
/// before stay, so this belongs to the beginning of a program. Returns 0, and changes nothing, where this machine lacks it.
int nk_limit_instruction_set(enum nk_instruction_set instruction_set);

/// Whether the best table may be one of `instruction_set`: this machine has it, and no limit excludes it.
int nk_may_choose(enum nk_instruction_set instruction_set);

#endif
