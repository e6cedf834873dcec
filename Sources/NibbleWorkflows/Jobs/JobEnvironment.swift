public import NibbleTensors

/// What every job is handed beside its request: threads, a display, and a way to be stopped.
public struct JobEnvironment: Sendable {
  /// Threads that compute, the caller's included. Results never depend on it.
  public var threadCount: Int
  public var progress: any ProgressReporter
  public var cancellation: CancellationFlag
  /// Is told what happens, line by line; nil for nobody.
  public var log: RunLog?

  public init(
    threadCount: Int? = nil, progress: any ProgressReporter = SilentProgress(),
    cancellation: CancellationFlag = CancellationFlag(), log: RunLog? = nil
  ) {
    self.threadCount = threadCount ?? WorkerPool.processorCount
    self.progress = progress
    self.cancellation = cancellation
    self.log = log
  }

  func chunkLoop() -> ChunkLoop {
    ChunkLoop(pool: WorkerPool(threadCount: threadCount), cancellation: cancellation)
  }
}
