internal import Foundation

/// What is asked of a server: always a GET.
struct HTTPRequest: Sendable {
  var url: URL
  /// Header lines beside those that the client itself sets.
  var headers: [(name: String, value: String)] = []
  /// A bearer token. It goes to the origin of `url` only, never along a redirect to another, and
  /// never over plain HTTP to another machine.
  var token: String?
}

/// The head of a server's answer.
struct HTTPResponse: Sendable {
  let status: Int
  /// The address that answered, after redirects.
  let url: URL
  private let headers: [String: String]

  init(status: Int, url: URL, headers: [String: String]) {
    self.status = status
    self.url = url
    self.headers = headers
  }

  /// The header `name`, in whatever case it was sent.
  subscript(name: String) -> String? { headers[name.lowercased()] }

  /// The length of the body that follows, where the server tells it.
  var contentLength: Int? { self["Content-Length"].flatMap { Int($0) } }

  /// The first byte and the whole length of a partial answer (`Content-Range: bytes 5-9/10`).
  var contentRange: (start: Int, total: Int?)? {
    guard let text = self["Content-Range"], text.lowercased().hasPrefix("bytes ") else {
      return nil
    }
    let parts = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let first = parts[0].split(separator: "-").first,
      let start = Int(first.trimmingCharacters(in: .whitespaces))
    else { return nil }
    return (start, Int(parts[1].trimmingCharacters(in: .whitespaces)))
  }

  /// The entity tag, where it is a strong one and may guard a resumed download (RFC 9110, section
  /// 13.1.5).
  var strongEntityTag: String? {
    guard let tag = self["ETag"], tag.hasPrefix("\""), tag.count < 300 else { return nil }
    return tag
  }

  /// Whether asking again later may help.
  var isTransient: Bool { [408, 425, 429, 500, 502, 503, 504].contains(status) }

  /// How long the server wants us to wait, in seconds.
  var retryAfter: Double? { self["Retry-After"].flatMap { Double($0) } }
}

/// Takes the body of an answer piece by piece. Called from one thread at a time.
protocol HTTPSink: AnyObject, Sendable {
  /// The head has arrived; throwing ends the transfer.
  func begin(_ response: HTTPResponse) throws(PullError)
  /// More of the body has arrived; throwing ends the transfer.
  func receive(_ data: Data) throws(PullError)
}
