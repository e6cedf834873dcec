import Dispatch
import Foundation
import Nibble
import Synchronization

/// Turns SIGINT, SIGTERM and SIGHUP into a request to stop, so that nothing half-written stays behind.
///
/// The job is asked to stop; if it has not done so after two seconds, or at the second signal, unfinished outputs are
/// removed and the process ends.
final class Interrupt {
  /// Set when the user wants the job to stop.
  let flag = CancellationFlag()
  private let sources: [any DispatchSourceSignal]
  private static let received = Atomic<Int32>(0)

  /// The signal that asked for the stop.
  static var receivedSignal: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// - Parameter farewell: what to say when the process ends though the job has not stopped; nil says nothing.
  init(farewell: String? = nil) {
    let queue = DispatchQueue(label: "signals")
    let flag = flag
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        let isFirst = Self.received.exchange(number, ordering: .relaxed) == 0
        if !isFirst { Self.endNow(number, farewell) }
        flag.cancel()
        queue.asyncAfter(deadline: .now() + 2) { Self.endNow(number, farewell) }
      }
      source.resume()
      return source
    }
  }

  private static func endNow(_ number: Int32, _ farewell: String?) -> Never {
    if let farewell { printError("nibble: \(farewell)") }
    AtomicOutput.removeAllUnfinished()
    _exit(128 + number)
  }
}
