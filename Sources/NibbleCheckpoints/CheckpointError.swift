/// Why a checkpoint could not be read or written. Its description is one line that names file,
/// tensor and reason.
public struct CheckpointError: Error, CustomStringConvertible, Sendable {
  /// What kind of thing went wrong; new codes may be added.
  public struct Code: Hashable, Sendable {
    private enum Value { case io, malformed, unsupported, missing, invalidValue }
    private let value: Value
    /// The system refused: missing file, permission, full disk.
    public static let io = Code(value: .io)
    /// The bytes contradict the format.
    public static let malformed = Code(value: .malformed)
    /// A well-formed file that Nibble does not handle.
    public static let unsupported = Code(value: .unsupported)
    /// A file, tensor or key that should be there is not.
    public static let missing = Code(value: .missing)
    /// A tensor holds NaN or infinity.
    public static let invalidValue = Code(value: .invalidValue)
  }

  public let code: Code
  /// The reason in words, without file or tensor.
  public let message: String
  /// The file in question, where there is one.
  public var file: String?
  /// The tensor or key in question, where there is one.
  public var tensor: String?

  public init(_ code: Code, _ message: String, file: String? = nil, tensor: String? = nil) {
    self.code = code
    self.message = message
    self.file = file
    self.tensor = tensor
  }

  public var description: String {
    var parts: [String] = []
    if let file { parts.append(printable(file)) }
    if let tensor { parts.append("tensor \(printable(tensor))") }
    parts.append(message)
    return parts.joined(separator: ": ")
  }

  /// The same error with `file` filled in where it was unknown.
  public func inFile(_ path: String) -> CheckpointError {
    var error = self
    if error.file == nil { error.file = path }
    return error
  }
}

/// `text` fit for one line of a message: control characters escaped, at most 200 characters.
func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars.prefix(200) {
    if scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) || scalar.value == 0x2028 {
      result += scalar.escaped(asASCII: true)
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return text.unicodeScalars.count > 200 ? result + "…" : result
}
