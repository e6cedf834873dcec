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

  /// `output = (x - mean(x)) / √(variance(x) + epsilon) · weight + bias`, over one row (Ba et al. 2016,
  /// arXiv:1607.06450). The variance is the mean of `(x - mean)²`.
  ///
  /// - Parameters:
  ///   - x: `[count]`.
  ///   - weight: `[count]`.
  ///   - bias: `[count]`; nil adds nothing.
  ///   - count: the features of the row.
  ///   - epsilon: what keeps the division finite.
  ///   - output: `[count]`.
  public static func layerNorm(
    _ x: UnsafePointer<Float>, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    count: Int, epsilon: Float, into output: UnsafeMutablePointer<Float>
  ) { kernels.layer_norm(x, weight, bias, count, epsilon, output) }

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

  /// `output = gelu(x)`, GELU with the tanh approximation (Hendrycks and Gimpel 2016, arXiv:1606.08415).
  public static func gelu(
    _ x: UnsafePointer<Float>, count: Int, into output: UnsafeMutablePointer<Float>
  ) { kernels.gelu(x, count, output) }

  /// `output = cap · tanh(x / cap)`: bounds scores and logits softly (Gemma 2, arXiv:2408.00118, section 2).
  ///
  /// - Precondition: `cap` is positive.
  public static func softcap(
    _ x: UnsafePointer<Float>, cap: Float, count: Int, into output: UnsafeMutablePointer<Float>
  ) {
    precondition(cap > 0)
    kernels.softcap(x, cap, count, output)
  }

  /// Turns the pairs of features of every head of one row in place: the rotary embedding (Su et al. 2021,
  /// arXiv:2104.09864). A pair `(a, b)` becomes `(a · cos - b · sin, a · sin + b · cos)`.
  ///
  /// - Parameters:
  ///   - row: head `h` starts at `h · headStride`.
  ///   - cosines: `[pairCount]`.
  ///   - sines: `[pairCount]`.
  ///   - pairCount: the pairs of a head that turn; features beyond them stay.
  ///   - isInterleaved: whether pair `i` is the features `2i` and `2i + 1`, and not `i` and `i + pairCount`.
  ///   - headCount: the heads of the row.
  ///   - headStride: features from one head to the next, at least `2 · pairCount`.
  public static func rotate(
    _ row: UnsafeMutablePointer<Float>, cosines: UnsafePointer<Float>, sines: UnsafePointer<Float>,
    pairCount: Int, isInterleaved: Bool, headCount: Int, headStride: Int
  ) {
    precondition(headStride >= 2 * pairCount)
    kernels.rotate(cosines, sines, pairCount, isInterleaved ? 1 : 0, headCount, headStride, row)
  }
}
