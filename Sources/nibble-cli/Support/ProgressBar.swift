import Foundation
import Nibble
import Synchronization

/// Draws a job's progress on standard error: a bar with rate and time left on a terminal, one line a phase elsewhere.
final class ProgressBar: ProgressReporter {
  private struct State {
    var phase = ""
    var start = ContinuousClock.now
    var lastDrawing: ContinuousClock.Instant?
    var isLineOpen = false
  }

  private let isTerminal: Bool
  private let isQuiet: Bool
  private let state = Mutex(State())

  init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    isTerminal = isatty(STDERR_FILENO) == 1
  }

  func report(_ progress: JobProgress) {
    guard !isQuiet else { return }
    state.withLock { state in
      let now = ContinuousClock.now
      if state.phase != progress.phase {
        state.phase = progress.phase
        state.start = now
        state.lastDrawing = nil
      }
      let isDone = progress.completed >= progress.total
      if isTerminal {
        guard isDone || state.lastDrawing.map({ now - $0 >= .milliseconds(100) }) ?? true else {
          return
        }
        state.lastDrawing = now
        write("\r\u{1B}[K" + Self.line(progress, seconds: (now - state.start) / .seconds(1)))
        state.isLineOpen = !isDone
        if isDone { write("\n") }
      } else if isDone {
        let seconds = (now - state.start) / .seconds(1)
        write("\(progress.phase): \(Self.amount(progress.total, progress.unit)) in ")
        write("\(Self.duration(seconds))\n")
      }
    }
  }

  /// Ends a line that is half drawn, before something else is printed.
  func finish() {
    state.withLock { state in
      if state.isLineOpen { write("\n") }
      state.isLineOpen = false
    }
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  static func line(_ progress: JobProgress, seconds: Double) -> String {
    let share = progress.total > 0 ? Double(progress.completed) / Double(progress.total) : 1
    let filled = Int((share * 24).rounded(.down))
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
    var line = "\(progress.phase) \(bar) \(Int((share * 100).rounded(.down))) %"
    guard seconds > 0, progress.completed > 0 else { return line }
    let rate = Double(progress.completed) / seconds
    line += "  \(amount(Int(rate), progress.unit))/s"
    if progress.completed < progress.total {
      line += "  \(duration(Double(progress.total - progress.completed) / rate)) left"
    } else {
      line += "  \(duration(seconds))"
    }
    return line
  }

  static func amount(_ count: Int, _ unit: JobProgress.Unit) -> String {
    switch unit {
    case .bytes: byteText(count)
    case .tensors: "\(count) tensors"
    case .tokens: "\(count) tokens"
    }
  }

  static func duration(_ seconds: Double) -> String {
    if seconds < 10 { return String(format: "%.1f s", seconds) }
    let whole = Int(seconds.rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }
}

/// A number of bytes for people: "91.7 MB" (decimal units).
func byteText(_ count: Int) -> String {
  let units = ["B", "kB", "MB", "GB", "TB"]
  var value = Double(count)
  var unit = 0
  while value >= 999.95, unit + 1 < units.count {
    value /= 1000
    unit += 1
  }
  return unit == 0 ? "\(count) B" : String(format: "%.1f %@", value, units[unit])
}
