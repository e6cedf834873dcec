/// What is added to a level times its scale.
public enum Offset: Hashable, Codable, Sendable {
  /// Nothing.
  case none
  /// Minus an integer level times the scale.
  case zeroPoint(bits: Int)
  /// A number of its own, added as it is.
  case minimum(ScaleFormat)
}
