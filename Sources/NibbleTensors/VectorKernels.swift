internal import CNibbleKernels

/// Loops over rows of floats in the machine's best instruction set. `nk_float.h` gives the formulas and error bounds.
///
/// Sums are taken in a fixed tree, so that results are the same bits on every machine. Outputs may be inputs (in place);
/// other overlap is not allowed. Every pointer must hold the stated number of elements.
public enum VectorKernels {
  static let kernels: nk_float_table = nk_float().pointee

  /// `Σ x[i] · y[i]`
  public static func dot(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int
  ) -> Float { kernels.dot(x, y, count) }

  /// `Σ x[i]²`
  public static func sumOfSquares(_ x: UnsafePointer<Float>, count: Int) -> Float {
    kernels.sum_of_squares(x, count)
  }

  /// The index of the first NaN or infinity.
  public static func firstNonFinite(_ x: UnsafePointer<Float>, count: Int) -> Int? {
    let index = kernels.first_non_finite(x, count)
    return index < 0 ? nil : index
  }

  /// `output = x + y`
  public static func add(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) { kernels.add(x, y, count, output) }

  /// `output = x · factor`
  public static func scale(
    _ x: UnsafePointer<Float>, by factor: Float, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) { kernels.scale(x, factor, count, output) }

  /// `y += factor · x`
  public static func addProduct(
    _ factor: Float, _ x: UnsafePointer<Float>, count: Int, to y: UnsafeMutablePointer<Float>
  ) { kernels.axpy(factor, x, count, y) }

  /// `output = x / √(mean(x²) + epsilon) · weight`, over one row.
  public static func rmsNorm(
    _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>, count: Int, epsilon: Float,
    into output: UnsafeMutablePointer<Float>
  ) { kernels.rms_norm(x, weight, count, epsilon, output) }

  /// Replaces `x` by `exp(x - max x) / Σ exp(x - max x)`; entries of `-infinity` become zero.
  public static func softmax(_ x: UnsafeMutablePointer<Float>, count: Int) {
    kernels.softmax(x, count)
  }

  /// `output = silu(gate) · up`
  public static func siluMultiply(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) { kernels.silu_multiply(gate, up, count, output) }

  /// `output = gelu(gate) · up`, GELU with the tanh approximation.
  public static func geluMultiply(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, count: Int,
    into output: UnsafeMutablePointer<Float>
  ) { kernels.gelu_multiply(gate, up, count, output) }
}
