internal import Foundation
internal import Synchronization

#if canImport(FoundationNetworking)
  internal import FoundationNetworking
#endif

/// One request on the wire: hands the body to a sink, stops at redirects, and turns every ending
/// into one result.
final class HTTPTransfer: NSObject, URLSessionDataDelegate, Sendable {
  private struct State {
    var response: HTTPResponse?
    var failure: PullError?
    var continuation: CheckedContinuation<Result<HTTPResponse, PullError>, Never>?
  }

  private let sink: any HTTPSink
  private let state = Mutex(State())

  init(sink: any HTTPSink) { self.sink = sink }

  /// Sends the request and waits for the end of the answer. Cancelling the task cancels the
  /// transfer.
  func run(_ request: URLRequest, idleLimit: Double) async throws(PullError) -> HTTPResponse {
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = idleLimit
    configuration.urlCache = nil
    let queue = OperationQueue()
    queue.maxConcurrentOperationCount = 1
    let session = URLSession(configuration: configuration, delegate: self, delegateQueue: queue)
    defer { session.finishTasksAndInvalidate() }
    let task = session.dataTask(with: request)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        state.withLock { $0.continuation = continuation }
        task.resume()
      }
    } onCancel: {
      task.cancel()
    }
    return try result.get()
  }

  /// Redirects are not followed: their own answer ends the transfer.
  func urlSession(
    _ session: URLSession, task: URLSessionTask,
    willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
    completionHandler: @escaping (URLRequest?) -> Void
  ) {
    completionHandler(nil)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    guard let head = Self.head(response) else {
      fail(PullError(.refused, "the answer is not HTTP"), dataTask)
      return completionHandler(.cancel)
    }
    state.withLock { $0.response = head }
    do throws(PullError) {
      if !(300..<400).contains(head.status) { try sink.begin(head) }
      completionHandler(.allow)
    } catch {
      fail(error, dataTask)
      completionHandler(.cancel)
    }
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isWanted = state.withLock { state in
      state.failure == nil && state.response.map { !(300..<400).contains($0.status) } ?? false
    }
    guard isWanted else { return }
    do throws(PullError) {
      try sink.receive(data)
    } catch {
      fail(error, dataTask)
    }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    let result: Result<HTTPResponse, PullError>
    let (response, failure) = state.withLock { ($0.response, $0.failure) }
    if let failure {
      result = .failure(failure)
    } else if let error {
      result = .failure(Self.reason(error))
    } else if let response {
      result = .success(response)
    } else {
      result = .failure(PullError(.network, "the server closed the connection without an answer"))
    }
    let continuation = state.withLock { state in
      defer { state.continuation = nil }
      return state.continuation
    }
    continuation?.resume(returning: result)
  }

  private func fail(_ error: PullError, _ task: URLSessionTask) {
    state.withLock { if $0.failure == nil { $0.failure = error } }
    task.cancel()
  }

  private static func head(_ response: URLResponse) -> HTTPResponse? {
    guard let response = response as? HTTPURLResponse, let url = response.url else { return nil }
    var headers: [String: String] = [:]
    for (name, value) in response.allHeaderFields {
      guard let name = name as? String, let value = value as? String else { continue }
      headers[name.lowercased()] = value
    }
    return HTTPResponse(status: response.statusCode, url: url, headers: headers)
  }

  private static func reason(_ error: any Error) -> PullError {
    let words = (error as NSError).localizedDescription
    switch (error as? URLError)?.code {
    case .cancelled: return PullError(.cancelled, "cancelled")
    case .cannotFindHost, .dnsLookupFailed:
      return PullError(.unreachable, "the server's name does not resolve (no network?)")
    case .cannotConnectToHost, .notConnectedToInternet:
      return PullError(.unreachable, "no connection to the server (\(words))")
    case .timedOut: return PullError(.network, "the server stopped answering")
    case .secureConnectionFailed, .serverCertificateUntrusted, .serverCertificateHasBadDate,
      .serverCertificateHasUnknownRoot, .serverCertificateNotYetValid:
      return PullError(.unreachable, "no secure connection (\(words))")
    default: return PullError(.network, "the connection broke (\(words))")
    }
  }
}
