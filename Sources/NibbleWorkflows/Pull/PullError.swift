/// Why something could not be fetched. Its description is one line that names the source or file
/// and the reason.
public struct PullError: Error, CustomStringConvertible, Sendable {
  /// What kind of thing went wrong; new codes may be added.
  public struct Code: Hashable, Sendable {
    private enum Value {
      case badSource, unreachable, network, unauthorized, notFound, server, refused, mismatch
      case malformed, unsupported, io, diskFull, cancelled
    }
    private let value: Value
    /// The source is not written as one of the known kinds.
    public static let badSource = Code(value: .badSource)
    /// The server's name does not resolve or nobody answers there.
    public static let unreachable = Code(value: .unreachable)
    /// The connection broke or timed out.
    public static let network = Code(value: .network)
    /// The server wants a token, or refuses the one that was given (HTTP 401, 403).
    public static let unauthorized = Code(value: .unauthorized)
    /// No such repository, revision, package or file.
    public static let notFound = Code(value: .notFound)
    /// The server has trouble, perhaps for a moment only (HTTP 429, 500, 503 and the like).
    public static let server = Code(value: .server)
    /// Any other refusal by the server.
    public static let refused = Code(value: .refused)
    /// The bytes are not those that the source announced.
    public static let mismatch = Code(value: .mismatch)
    /// A listing or archive contradicts its format.
    public static let malformed = Code(value: .malformed)
    /// Well-formed, but not something that Nibble can fetch.
    public static let unsupported = Code(value: .unsupported)
    /// The system refused to read or write a file.
    public static let io = Code(value: .io)
    /// No space left to write to.
    public static let diskFull = Code(value: .diskFull)
    /// The task was cancelled.
    public static let cancelled = Code(value: .cancelled)
  }

  public let code: Code
  /// The reason in words, without the subject.
  public let message: String
  /// The source, URL or file in question, where there is one.
  public var subject: String?
  /// How many seconds the server asks us to wait before another attempt.
  var retryAfter: Double?

  public init(_ code: Code, _ message: String, subject: String? = nil) {
    self.code = code
    self.message = message
    self.subject = subject
  }

  public var description: String {
    let text = subject.map { "\($0): \(message)" } ?? message
    return PullError.onOneLine(text)
  }

  /// The same error with `subject` filled in where it was unknown.
  func about(_ subject: String) -> PullError {
    var error = self
    if error.subject == nil { error.subject = subject }
    return error
  }

  /// The error for an answer with another status than 200 or 206.
  static func refusal(_ response: HTTPResponse) -> PullError {
    let subject = HTTPClient.shown(response.url)
    switch response.status {
    case 401, 403:
      return PullError(
        .unauthorized, "the server refuses access (HTTP \(response.status))", subject: subject)
    case 404, 410:
      return PullError(.notFound, "not found (HTTP \(response.status))", subject: subject)
    default:
      let code: Code = response.isTransient ? .server : .refused
      var error = PullError(
        code, "the server answers with HTTP \(response.status)", subject: subject)
      error.retryAfter = response.retryAfter
      return error
    }
  }

  /// `text` fit for one line: control characters become spaces, at most 400 characters.
  static func onOneLine(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(400) {
      let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      result.append(isControl || scalar.value == 0x2028 ? " " : scalar)
    }
    return String(result)
  }
}
