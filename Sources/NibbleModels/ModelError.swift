/// Why a model, tokenizer or chat template could not be used. Its description is one line.
public struct ModelError: Error, CustomStringConvertible, Sendable {
  /// What kind of thing went wrong; new codes may be added.
  public struct Code: Hashable, Sendable {
    private enum Value {
      case unknownArchitecture, unsupported, malformed, missing, template, tokenizer, request
    }
    private let value: Value
    /// A model of a family that Nibble does not know.
    public static let unknownArchitecture = Code(value: .unknownArchitecture)
    /// A valid model that Nibble does not know how to run.
    public static let unsupported = Code(value: .unsupported)
    /// The configuration contradicts itself or the tensors.
    public static let malformed = Code(value: .malformed)
    /// A tensor, key or file that the model needs is absent.
    public static let missing = Code(value: .missing)
    /// The chat template cannot be parsed or rendered.
    public static let template = Code(value: .template)
    /// The tokenizer's definition is broken.
    public static let tokenizer = Code(value: .tokenizer)
    /// The caller asked for something that the model cannot do.
    public static let request = Code(value: .request)
  }

  public let code: Code
  /// The reason in words, without the file.
  public let message: String
  /// The file in question, where there is one.
  public var file: String?

  public init(_ code: Code, _ message: String, file: String? = nil) {
    self.code = code
    self.message = message
    self.file = file
  }

  public var description: String { file.map { "\($0): \(message)" } ?? message }

  /// The same error with `file` filled in where it was unknown.
  public func inFile(_ path: String) -> ModelError {
    var error = self
    if error.file == nil { error.file = path }
    return error
  }
}
