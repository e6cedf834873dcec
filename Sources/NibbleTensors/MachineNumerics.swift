internal import CNibbleKernels

#if canImport(COpenBLAS)
  internal import COpenBLAS
#endif

/// What the bits of floating-point results depend on beside the program.
package enum MachineNumerics {
  /// The instruction sets that kernels choose from, and the kernels of the system's library: "scalar avx2 openblas-Haswell".
  package static var description: String {
    let sets = [
      (NK_SCALAR, "scalar"), (NK_AVX2, "avx2"), (NK_AVX512, "avx512"), (NK_NEON, "neon"),
    ]
    var names = sets.filter { nk_supports($0.0) != 0 }.map(\.1)
    #if canImport(COpenBLAS)
      if let core = openblas_get_corename() { names.append("openblas-" + String(cString: core)) }
    #elseif canImport(Accelerate)
      names.append("accelerate")
    #endif
    return names.joined(separator: " ")
  }
}
