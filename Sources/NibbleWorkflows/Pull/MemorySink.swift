internal import Foundation
internal import Synchronization

/// Keeps a small body in memory and refuses a large one.
final class MemorySink: HTTPSink {
  private let limit: Int
  private let storage = Mutex<[UInt8]>([])

  init(limit: Int) { self.limit = limit }

  var bytes: [UInt8] { storage.withLock { $0 } }

  func begin(_ response: HTTPResponse) throws(PullError) {
    storage.withLock { $0 = [] }
    if let count = response.contentLength, count > limit { throw tooLong }
  }

  func receive(_ data: Data) throws(PullError) {
    let fits = storage.withLock { bytes in
      guard bytes.count + data.count <= limit else { return false }
      bytes.append(contentsOf: data)
      return true
    }
    guard fits else { throw tooLong }
  }

  private var tooLong: PullError {
    PullError(.malformed, "the answer is longer than \(limit) bytes")
  }
}
