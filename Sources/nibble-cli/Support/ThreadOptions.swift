import ArgumentParser
import Nibble

/// How many threads a command computes with.
struct ThreadOptions: ParsableArguments {
  @Option(help: "Threads that compute (default: all processors). Results do not depend on it.")
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads \(threads): must be between 1 and 1024.")
    }
  }

  /// The threads.
  func makePool() -> WorkerPool {
    WorkerPool(threadCount: threads ?? WorkerPool.processorCount)
  }

  /// Runs a job that shows its progress and that SIGINT and SIGTERM stop.
  ///
  /// - Parameters:
  ///   - output: how progress is shown.
  ///   - farewell: what to say when the job does not stop in time and the process is ended; nil says nothing.
  ///   - job: the work.
  /// - Returns: what the job returns.
  /// - Throws: what the job throws.
  func run<Result>(
    _ output: OutputOptions, farewell: String? = nil, _ job: (JobEnvironment) throws -> Result
  ) throws -> Result {
    let interrupt = Interrupt(farewell: farewell)
    let progress = output.progress()
    defer { progress.finish() }
    return try withExtendedLifetime(interrupt) {
      try job(
        JobEnvironment(threadCount: threads, progress: progress, cancellation: interrupt.flag))
    }
  }
}
