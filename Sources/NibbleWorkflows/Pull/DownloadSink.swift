internal import Foundation
internal import Synchronization

/// Writes the body of one answer into the part file, after checking that it continues what is
/// there.
final class DownloadSink: HTTPSink {
  private struct State {
    var isAccepted = false
    var total: Int?
  }

  private let part: PartFile
  private let offset: Int
  private let byteCount: Int?
  private let onStart: @Sendable (_ response: HTTPResponse, _ total: Int?, _ resumedAt: Int) -> Void
  private let onAdvance: @Sendable (_ received: Int, _ total: Int?) -> Void
  private let state = Mutex(State())

  /// `offset` is the byte that was asked for first, `byteCount` the size that the source announced.
  init(
    part: PartFile, offset: Int, byteCount: Int?,
    onStart: @escaping @Sendable (HTTPResponse, Int?, Int) -> Void,
    onAdvance: @escaping @Sendable (Int, Int?) -> Void
  ) {
    self.part = part
    self.offset = offset
    self.byteCount = byteCount
    self.onStart = onStart
    self.onAdvance = onAdvance
  }

  /// The size of the whole file, where the source or the server told it.
  var total: Int? { state.withLock { $0.total } }

  /// Whether the body went into the part file.
  var isAccepted: Bool { state.withLock { $0.isAccepted } }

  func begin(_ response: HTTPResponse) throws(PullError) {
    let total: Int?
    switch response.status {
    case 200:
      // All of it, whatever was asked for.
      if part.byteCount > 0 { try part.restart() }
      total = response.contentLength
    case 206:
      guard let range = response.contentRange, range.start == offset else {
        throw PullError(.network, "the server sent another part of the file than was asked for")
      }
      total = range.total
    default: return
    }
    if let total, let byteCount, total != byteCount {
      throw PullError(.mismatch, "has \(total) bytes on the server, the listing says \(byteCount)")
    }
    let known = byteCount ?? total
    if let known, let free = part.freeByteCount, known - part.byteCount > free {
      throw PullError(
        .diskFull,
        "no space left on the disk: \(known - part.byteCount) bytes are to come, \(free) are free")
    }
    state.withLock { $0 = State(isAccepted: true, total: known) }
    onStart(response, known, part.byteCount)
  }

  func receive(_ data: Data) throws(PullError) {
    let (isAccepted, total) = state.withLock { ($0.isAccepted, $0.total) }
    guard isAccepted else { return }
    if let total, part.byteCount + data.count > total {
      throw PullError(.mismatch, "the server sends more than the \(total) bytes of the file")
    }
    try part.append(data)
    onAdvance(part.byteCount, total)
  }
}
