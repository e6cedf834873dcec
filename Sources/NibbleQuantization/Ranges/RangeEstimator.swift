internal import CNibbleKernels

/// Finds the scale and offset of a group of values.
///
/// Estimators know nothing of granularity or bytes: the same one serves a block of 32 weights and a whole tensor.
public protocol RangeEstimator: Sendable {
  /// The name that users write: "mse", "percentile=99.9".
  var name: String { get }

  /// Chooses a fit as the grid stores it.
  ///
  /// - Parameters:
  ///   - values: the group's values, finite, at least one.
  ///   - importance: a factor >= 0 for each value's error, or nil; estimators that know only extremes ignore it.
  ///   - grid: the codes' levels and the format of scale and offset.
  /// - Returns: the fit; its scale is infinite when the format cannot hold it.
  func fit(
    _ values: UnsafeBufferPointer<Float>, importance: UnsafeBufferPointer<Float>?, on grid: Grid
  ) -> GroupFit
}

/// The smallest and largest of at least one finite value.
func extremes(_ values: UnsafeBufferPointer<Float>) -> (low: Float, high: Float) {
  var (low, high): (Float, Float) = (0, 0)
  if let source = values.baseAddress, !values.isEmpty {
    groupKernels.range(source, values.count, &low, &high)
  }
  return (low, high)
}
