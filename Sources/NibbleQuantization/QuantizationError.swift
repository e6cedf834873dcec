/// Why a weight could not be quantized, packed or unpacked. Its description is one line.
public struct QuantizationError: Error, CustomStringConvertible, Sendable {
  /// What kind of thing went wrong; new codes may be added.
  public struct Code: Hashable, Sendable {
    private enum Value { case unsupported, shape, malformed, invalidValue }
    private let value: Value
    /// A scheme that the method or layout cannot represent.
    public static let unsupported = Code(value: .unsupported)
    /// Rows, columns or counts that do not fit the scheme.
    public static let shape = Code(value: .shape)
    /// Bytes that contradict the layout.
    public static let malformed = Code(value: .malformed)
    /// A value that is NaN or infinite, or too large for the scheme.
    public static let invalidValue = Code(value: .invalidValue)
  }

  public let code: Code
  /// The reason in words.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
