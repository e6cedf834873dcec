internal import CNibbleKernels

/// The instruction sets that kernels are built for.
public enum InstructionSet: String, CaseIterable, Sendable {
  /// What the compiler makes of plain C for any processor of the family.
  case scalar
  /// AVX2 with FMA, F16C, BMI and BMI2.
  case avx2
  /// AVX2, and AVX-512 F, BW, CD, DQ, VL, VNNI and BF16.
  case avx512
  /// Advanced SIMD of AArch64; products of integers also need its dot product.
  case neon

  /// Whether this machine can run its kernels.
  public var isAvailable: Bool { nk_supports(kernelSet) != 0 }

  /// Lets this process choose no kernels beyond those of this set.
  ///
  /// Kernels are chosen when they are first needed, and stay chosen: this belongs to the beginning of a program, before any
  /// model is opened. The results of products do not change; sums of floats in attention differ in their last bits.
  ///
  /// - Returns: whether this machine has the set; nothing changes where it has not.
  public func limitKernels() -> Bool { nk_limit_instruction_set(kernelSet) != 0 }

  private var kernelSet: nk_instruction_set {
    switch self {
    case .scalar: NK_SCALAR
    case .avx2: NK_AVX2
    case .avx512: NK_AVX512
    case .neon: NK_NEON
    }
  }
}
