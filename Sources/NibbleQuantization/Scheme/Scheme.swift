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
  /// Whether groups are runs of columns in an order that each tensor stores, rather than as they stand (`desc_act` of GPTQ).
  public var hasColumnOrder = false

  public init(
    element: ElementFormat, granularity: Granularity, scale: ScaleFormat, offset: Offset = .none,
    hasColumnOrder: Bool = false
  ) {
    self.element = element
    self.granularity = granularity
    self.scale = scale
    self.offset = offset
    self.hasColumnOrder = hasColumnOrder
  }

  /// The scheme whose groups are runs of columns as they stand.
  public var inNaturalOrder: Scheme {
    var scheme = self
    scheme.hasColumnOrder = false
    return scheme
  }
}
