import Foundation
import Nibble
import Synchronization

/// Shows how a pull goes on standard error: a line that is rewritten on a terminal, else one line a
/// file.
final class PullConsole: Sendable {
  private struct State {
    var lastShown: ContinuousClock.Instant?
    var startedAt = ContinuousClock.now
    var resumedAt = 0
    var isLineOpen = false
  }

  private let isTerminal = isatty(2) == 1
  private let state = Mutex(State())

  /// Shows one event.
  func show(_ event: PullProgress) {
    switch event {
    case .note(let text): line(text)
    case .present(let file): line("\(file): already here")
    case .started(let file, let byteCount, let resumedAt):
      state.withLock {
        $0.startedAt = .now
        $0.resumedAt = resumedAt
        $0.lastShown = nil
      }
      if resumedAt > 0 {
        let whole = byteCount.map { " of \(Self.size($0))" } ?? ""
        line("\(file): continuing at \(Self.size(resumedAt))\(whole)")
      }
    case .advanced(let file, let received, let byteCount): advance(file, received, byteCount)
    case .retrying(let file, let reason, let seconds):
      line("\(file): \(reason); trying again in \(Self.time(seconds))")
    case .finished(let file, let byteCount):
      let (startedAt, resumedAt) = state.withLock { ($0.startedAt, $0.resumedAt) }
      let seconds = Self.seconds(since: startedAt)
      let rate = Int(Double(byteCount - resumedAt) / max(seconds, 0.001))
      line("\(file): \(Self.size(byteCount)), \(Self.time(seconds)), \(Self.size(rate))/s")
    }
  }

  /// Ends a line that is still open.
  func end() {
    state.withLock { state in
      if state.isLineOpen { Self.write("\n") }
      state.isLineOpen = false
    }
  }

  private func advance(_ file: String, _ received: Int, _ byteCount: Int?) {
    guard isTerminal else { return }
    state.withLock { state in
      if let last = state.lastShown, Self.seconds(since: last) < 0.2 { return }
      state.lastShown = .now
      state.isLineOpen = true
      let seconds = Self.seconds(since: state.startedAt)
      let rate = Double(received - state.resumedAt) / max(seconds, 0.001)
      var text = "\(file): \(Self.size(received))"
      if let byteCount, byteCount > 0 {
        text += " of \(Self.size(byteCount)) (\(received * 100 / byteCount) %)"
      }
      text += ", \(Self.size(Int(rate)))/s"
      if let byteCount, rate > 0 {
        text += ", \(Self.time(Double(byteCount - received) / rate)) left"
      }
      Self.write("\r\(text)\u{1B}[K")
    }
  }

  private func line(_ text: String) {
    state.withLock { state in
      Self.write((isTerminal ? "\r" : "") + text + (isTerminal ? "\u{1B}[K" : "") + "\n")
      state.isLineOpen = false
    }
  }

  private static func write(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }

  private static func seconds(since instant: ContinuousClock.Instant) -> Double {
    (ContinuousClock.now - instant) / .seconds(1)
  }

  private static func size(_ byteCount: Int) -> String {
    switch byteCount {
    case ..<1000: "\(byteCount) B"
    case ..<1_000_000: String(format: "%.1f kB", Double(byteCount) / 1e3)
    case ..<1_000_000_000: String(format: "%.1f MB", Double(byteCount) / 1e6)
    default: String(format: "%.2f GB", Double(byteCount) / 1e9)
    }
  }

  private static func time(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 359_999).rounded(.up))
    return whole < 60
      ? "\(whole) s"
      : whole < 3600
        ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole / 60 % 60) min"
  }
}
