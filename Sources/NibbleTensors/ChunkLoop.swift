internal import Synchronization

/// Runs independent chunks of work on all threads of a pool.
///
/// Chunks are claimed in order, so that a job walks through its files from front to back. Which thread takes a chunk changes
/// no byte: chunks are fixed beforehand and each is a function of its own input.
package struct ChunkLoop {
  private let pool: WorkerPool
  private let cancellation: CancellationFlag

  package init(pool: WorkerPool, cancellation: CancellationFlag) {
    self.pool = pool
    self.cancellation = cancellation
  }

  /// Calls `body` for each of `0..<count`, with scratch memory of the thread that it runs on.
  ///
  /// - Throws: the error of the lowest failing index, whatever the number of threads; or ``JobCancelled``.
  package func run(_ count: Int, _ body: (Int, Scratch) throws -> Void) throws {
    let next = Atomic<Int>(0)
    let failure = Mutex<(index: Int, error: any Error)?>(nil)
    pool.rows(pool.threadCount) { range in
      guard !range.isEmpty else { return }
      let scratch = Scratch()
      while !cancellation.isCancelled {
        let index = next.add(1, ordering: .relaxed).oldValue
        // All chunks before a failure were claimed before it, so the lowest failure is always found.
        guard index < count else { return }
        do {
          try body(index, scratch)
        } catch {
          next.store(count, ordering: .relaxed)
          failure.withLock { old in
            if old.map({ index < $0.index }) ?? true { old = (index, error) }
          }
        }
      }
    }
    if let error = failure.withLock({ $0?.error }) { throw error }
    if cancellation.isCancelled { throw JobCancelled() }
  }
}

/// Memory that one thread uses again for each chunk.
package final class Scratch {
  private var valueMemory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)
  private var otherValueMemory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)
  private var byteMemory = UnsafeMutableRawBufferPointer.allocate(byteCount: 0, alignment: 64)
  private var sourceByteMemory = UnsafeMutableRawBufferPointer.allocate(byteCount: 0, alignment: 64)

  package init() {}

  deinit {
    valueMemory.deallocate()
    otherValueMemory.deallocate()
    byteMemory.deallocate()
    sourceByteMemory.deallocate()
  }

  /// Room for `count` floats.
  package func values(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
    Self.room(count, &valueMemory)
  }

  /// Room for another `count` floats.
  package func otherValues(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
    Self.room(count, &otherValueMemory)
  }

  /// Room for `count` bytes.
  package func bytes(_ count: Int) -> UnsafeMutableRawBufferPointer {
    Self.room(count, &byteMemory)
  }

  /// Room for another `count` bytes.
  package func sourceBytes(_ count: Int) -> UnsafeMutableRawBufferPointer {
    Self.room(count, &sourceByteMemory)
  }

  private static func room(
    _ count: Int, _ buffer: inout UnsafeMutableBufferPointer<Float>
  ) -> UnsafeMutableBufferPointer<Float> {
    if buffer.count < count {
      buffer.deallocate()
      buffer = .allocate(capacity: count)
      buffer.initialize(repeating: 0)
    }
    return UnsafeMutableBufferPointer(rebasing: buffer[..<count])
  }

  private static func room(
    _ count: Int, _ buffer: inout UnsafeMutableRawBufferPointer
  ) -> UnsafeMutableRawBufferPointer {
    if buffer.count < count {
      buffer.deallocate()
      buffer = .allocate(byteCount: count, alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
  }
}
