/// The range estimators by the names that users write.
public enum RangeRegistry {
  /// What a user may write, one form each.
  public static let names = ["absmax", "minmax", "percentile=99.9", "mse", "kl", "hqq"]

  /// Finds an estimator: "mse", "percentile" (99.9 per cent) or "percentile=99.5".
  ///
  /// - Returns: nil for other names, and for percentages that are not above 0 and at most 100.
  public static func find(_ name: String) -> (any RangeEstimator)? {
    let parts = name.lowercased().split(
      separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 {
      guard parts[0] == "percentile", let percentage = Double(parts[1]),
        percentage > 0, percentage <= 100
      else { return nil }
      return Percentile(percentage)
    }
    switch parts[0] {
    case "absmax": return AbsMax()
    case "minmax": return MinMax()
    case "percentile": return Percentile()
    case "mse": return MeanSquaredError()
    case "kl": return KLDivergence()
    case "hqq": return HalfQuadratic()
    default: return nil
    }
  }
}
