/// What values a quantized tensor can represent: `level(code) * scale + offset`.
///
/// A scheme says nothing about how codes are chosen (a method) or how bytes are arranged (a layout).
public struct Scheme: Hashable, Codable, Sendable {
  /// The levels of a code.
  public var element: ElementFormat
  /// Which elements share a scale.
  public var granularity: Granularity
  /// How the scales are stored.
  public var scale: ScaleFormat
  /// What is added.
  public var offset: Offset

  public init(
    element: ElementFormat, granularity: Granularity, scale: ScaleFormat, offset: Offset = .none
  ) {
    self.element = element
    self.granularity = granularity
    self.scale = scale
    self.offset = offset
  }
}
