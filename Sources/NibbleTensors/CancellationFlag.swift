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

  public init(writtenPath: String? = nil) { self.writtenPath = writtenPath }

  public var description: String {
    writtenPath.map { "stopped; \($0) is whole but was not verified" }
      ?? "stopped; nothing was written"
  }
}
