internal import Synchronization

/// Asks a job to stop. Jobs look at it between chunks of work.
public final class CancellationFlag: Sendable {
  private let value = Atomic<Bool>(false)

  public init() {}

  public var isCancelled: Bool { value.load(ordering: .relaxed) }

  /// Asks for a stop; cannot be taken back.
  public func cancel() { value.store(true, ordering: .relaxed) }
}

/// A job stopped because its ``CancellationFlag`` was set.
public struct JobCancelled: Error, CustomStringConvertible, Sendable {
  /// The output, where it was already whole and under its final name; nil when nothing was written.
  public var writtenPath: String?
  /// How much of the work was kept for the next run of the same job, such as "3 of 30 blocks"; nil when none was.
  public var keptWork: String?

  public init(writtenPath: String? = nil, keptWork: String? = nil) {
    self.writtenPath = writtenPath
    self.keptWork = keptWork
  }

  public var description: String {
    if let writtenPath { return "stopped; \(writtenPath) is whole but was not verified" }
    if let keptWork { return "stopped after \(keptWork); the same command goes on from there" }
    return "stopped; nothing was written"
  }
}
