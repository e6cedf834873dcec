internal import Foundation

#if canImport(FoundationNetworking)
  internal import FoundationNetworking
#endif

/// GET requests whose bodies are streamed, with redirects followed here rather than by the system:
/// the system would send the token along, and on Linux it misreads relative addresses that end in a
/// slash.
struct HTTPClient: Sendable {
  /// Seconds without a byte after which a connection counts as broken.
  var idleLimit: Double = 60

  /// Sends the request and streams the body of the final answer into `sink`.
  ///
  /// - Returns: the head of the final answer, whatever its status.
  /// - Throws: ``PullError`` for broken connections, endless redirects, and what the sink throws.
  func stream(_ request: HTTPRequest, into sink: any HTTPSink) async throws(PullError)
    -> HTTPResponse
  {
    var url = request.url
    for _ in 0..<10 {
      let transfer = HTTPTransfer(sink: sink)
      let response = try await transfer.run(
        systemRequest(request, at: url), idleLimit: idleLimit)
      guard [301, 302, 303, 307, 308].contains(response.status) else { return response }
      url = try Self.target(of: response, from: url)
    }
    throw PullError(.refused, "too many redirects", subject: Self.shown(request.url))
  }

  /// Fetches a small document.
  ///
  /// - Throws: ``PullError`` as ``stream(_:into:)`` does, and when the body is longer than `limit`
  ///   bytes.
  func document(_ request: HTTPRequest, limit: Int = 64 << 20) async throws(PullError)
    -> (response: HTTPResponse, body: [UInt8])
  {
    let sink = MemorySink(limit: limit)
    let response = try await stream(request, into: sink)
    return (response, sink.bytes)
  }

  private func systemRequest(_ request: HTTPRequest, at url: URL) -> URLRequest {
    var system = URLRequest(url: Self.withoutUser(url))
    system.cachePolicy = .reloadIgnoringLocalCacheData
    system.timeoutInterval = idleLimit
    system.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    system.setValue("nibble", forHTTPHeaderField: "User-Agent")
    for header in request.headers {
      system.setValue(header.value, forHTTPHeaderField: header.name)
    }
    let isHome = Self.origin(url) == Self.origin(request.url)
    if let token = request.token, isHome, url.scheme == "https" || Self.isLoopback(url) {
      system.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
    } else if let user = url.user(percentEncoded: false) {
      let pair = Data("\(user):\(url.password(percentEncoded: false) ?? "")".utf8)
      system.setValue("Basic \(pair.base64EncodedString())", forHTTPHeaderField: "Authorization")
    }
    return system
  }

  private static func target(of response: HTTPResponse, from url: URL) throws(PullError) -> URL {
    guard let location = response["Location"],
      let target = URL(string: location, relativeTo: withoutUser(url))?.absoluteURL,
      target.scheme == "https" || target.scheme == "http"
    else { throw PullError(.refused, "a redirect to nowhere", subject: shown(url)) }
    if url.scheme == "https", target.scheme != "https" {
      throw PullError(.refused, "a redirect from https to plain http", subject: shown(url))
    }
    return target
  }

  private static func origin(_ url: URL) -> String {
    let port = url.port ?? (url.scheme == "https" ? 443 : 80)
    return "\(url.scheme ?? "")://\(url.host()?.lowercased() ?? ""):\(port)"
  }

  private static func isLoopback(_ url: URL) -> Bool {
    ["127.0.0.1", "localhost", "::1"].contains(url.host() ?? "")
  }

  private static func withoutUser(_ url: URL) -> URL {
    var parts = URLComponents(url: url, resolvingAgainstBaseURL: true)
    parts?.user = nil
    parts?.password = nil
    return parts?.url ?? url
  }

  /// The address as messages show it: without user, password, query and fragment.
  static func shown(_ url: URL) -> String {
    var parts = URLComponents(url: withoutUser(url), resolvingAgainstBaseURL: true)
    parts?.query = nil
    parts?.fragment = nil
    return parts?.string ?? "the server"
  }
}

extension HTTPClient {
  /// Fetches a small document, with further attempts when the connection breaks or the server is in
  /// trouble.
  ///
  /// - Throws: ``PullError``, also for every status but 200.
  func patientDocument(_ request: HTTPRequest, _ retry: RetryPolicy) async throws(PullError)
    -> [UInt8]
  {
    var failures = 0
    while true {
      do throws(PullError) {
        let (response, body) = try await document(request)
        guard response.status == 200 else { throw PullError.refusal(response) }
        return body
      } catch {
        failures += 1
        if Task.isCancelled { throw PullError(.cancelled, "cancelled") }
        guard retry.allowsAnother(afterFailures: failures, error) else { throw error }
        try await retry.wait(afterFailures: failures, error)
      }
    }
  }
}
