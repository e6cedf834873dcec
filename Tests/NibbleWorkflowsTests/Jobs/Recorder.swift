import Nibble
import Synchronization

/// Keeps all reports.
final class Recorder: ProgressReporter {
  private let storage = Mutex<[JobProgress]>([])

  var steps: [JobProgress] { storage.withLock { $0 } }

  func report(_ progress: JobProgress) { storage.withLock { $0.append(progress) } }
}
