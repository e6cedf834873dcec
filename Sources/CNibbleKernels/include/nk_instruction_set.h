// The instruction sets that a kernel table may be built for, and whether this machine has them.
#ifndef NIBBLE_INSTRUCTION_SET_H
#define NIBBLE_INSTRUCTION_SET_H

/// NK_SCALAR is plain C, which defines what is correct and runs everywhere. NK_AVX2 includes FMA, F16C, BMI and BMI2.
/// NK_AVX512 includes NK_AVX2 and F, BW, CD, DQ, VL, VNNI and BF16. NK_NEON is AArch64's baseline.
enum nk_instruction_set { NK_SCALAR, NK_AVX2, NK_AVX512, NK_NEON };

/// 1 when this machine can run kernels of `instruction_set`, otherwise 0.
int nk_supports(enum nk_instruction_set instruction_set);

#endif
