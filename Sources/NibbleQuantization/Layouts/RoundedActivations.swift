internal import CNibbleKernels

/// Activations `[count, columnCount]` with their 8-bit codes, for products that need them.
///
/// Who makes the rows rounds each as soon as it is done, while it is in the cache; products then have no pass of their own over them.
/// The codes are those that a product would find by itself.
public struct RoundedActivations {
  let activations: nk_activations

  /// Bytes of memory for `count` rows; nil where rows are no whole blocks of 32.
  public static func byteCount(columnCount: Int, count: Int) -> Int? {
    columnCount % 32 == 0 ? nk_activation_bytes(columnCount, count) : nil
  }

  /// - Parameters:
  ///   - values: the rows, one after another; they outlive this.
  ///   - columnCount: a multiple of 32.
  ///   - count: how many rows there are.
  ///   - memory: ``byteCount(columnCount:count:)`` bytes aligned to 64, which outlive this too.
  public init(
    _ values: UnsafePointer<Float>, columnCount: Int, count: Int, memory: UnsafeMutableRawPointer
  ) {
    precondition(columnCount % 32 == 0)
    activations = nk_activations_in(memory, values, columnCount, count)
  }

  /// Rounds a row whose values stand. Rows may be rounded on several threads.
  public func round(row: Int) {
    var activations = activations
    ActivationScratch.kernels.quantize(&activations, row, 1)
  }
}
