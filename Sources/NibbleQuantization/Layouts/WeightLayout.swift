/// Bytes that a layout stores under a name of its own; a layout of one part leaves the name empty.
public struct NamedBytes: Hashable, Sendable {
  public let name: String
  public let bytes: [UInt8]

  public init(name: String = "", bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }
}

/// An arrangement of a quantized tensor's parts as bytes.
public protocol WeightLayout: Sendable {
  /// Whether tensors of `scheme` can be stored exactly.
  func canRepresent(_ scheme: Scheme) -> Bool

  /// The tensor's bytes.
  ///
  /// - Throws: ``QuantizationError`` when its scheme cannot be represented.
  func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes]

  /// The tensor that ``pack(_:)`` was given.
  ///
  /// - Throws: ``QuantizationError`` when the bytes do not fit the shape and scheme.
  func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor
}
