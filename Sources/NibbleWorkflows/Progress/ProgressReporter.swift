/// How far a job has come.
public struct JobProgress: Sendable, Equatable {
  /// What is counted.
  public enum Unit: Sendable { case bytes, tensors, tokens }

  /// What the job is doing, as a present participle: "quantizing".
  public var phase: String
  public var completed: Int
  public var total: Int
  public var unit: Unit

  public init(phase: String, completed: Int, total: Int, unit: Unit) {
    self.phase = phase
    self.completed = completed
    self.total = total
    self.unit = unit
  }
}

/// Shows people how far a job has come. Called often and from any thread.
public protocol ProgressReporter: Sendable {
  func report(_ progress: JobProgress)
}

/// Shows nothing.
public struct SilentProgress: ProgressReporter {
  public init() {}
  public func report(_ progress: JobProgress) {}
}
