internal import CNibbleKernels
internal import Dispatch
internal import Foundation
internal import Synchronization

/// A fixed set of threads that share loops over rows.
///
/// Bodies must compute each row independently of the others; then results are the same bytes for any thread count and any
/// split. The calling thread takes the first range, and then any range whose worker has not begun: a worker that
/// the system keeps from running delays nothing. Workers spin for a moment after a loop and then sleep.
public final class WorkerPool: Sendable {
  /// Threads that take part, the caller's included.
  public let threadCount: Int
  private let team: Team

  /// The number of processors that this process may use.
  public static var processorCount: Int { ProcessInfo.processInfo.activeProcessorCount }

  public init(threadCount: Int = WorkerPool.processorCount) {
    self.threadCount = max(1, threadCount)
    team = Team(workerCount: self.threadCount - 1)
    for index in team.sleepers.indices {
      let thread = Thread { [team] in team.work(index) }
      thread.stackSize = 1 << 21
      thread.start()
    }
  }

  deinit { team.stop() }

  /// Runs `body` once for each thread's part of `0..<rowCount`; parts begin at multiples of `grain`.
  ///
  /// Called from inside a body, or while another thread uses the pool, it runs the whole range on the calling thread.
  public func rows(_ rowCount: Int, grain: Int = 1, _ body: (Range<Int>) -> Void) {
    guard rowCount > 0 else { return }
    let grainCount = (rowCount + grain - 1) / grain
    let partCount = min(threadCount, grainCount)
    func part(_ index: Int) -> Range<Int> {
      let first = grainCount * index / partCount * grain
      let end = min(rowCount, grainCount * (index + 1) / partCount * grain)
      return first..<end
    }
    guard partCount > 1, team.claim() else { return body(0..<rowCount) }
    team.run(partCount: partCount) { body(part($0)) }
    team.release()
  }

  /// Runs `body` for chunks of `0..<count`, which threads take in order as they get free: where one thread is slower, or one
  /// chunk more work, the others do not wait. Chunks are as many for each thread as told, or single numbers.
  ///
  /// `body` gets the thread's own number below ``threadCount``, to find its scratch memory, and a chunk. It must compute each
  /// number independently of the others, as for ``rows(_:grain:_:)``.
  public func chunks(
    _ count: Int, perThread chunkCount: Int, _ body: (_ thread: Int, _ chunk: Range<Int>) -> Void
  ) {
    guard count > 0 else { return }
    let size = (count - 1) / (threadCount * chunkCount) + 1
    guard count > size else { return body(0, 0..<count) }
    // Each thread begins with a chunk of its own.
    let next = Atomic<Int>(threadCount * size)
    rows(threadCount) { threads in
      for thread in threads {
        var first = thread * size
        while first < count {
          body(thread, first..<min(first + size, count))
          first = next.add(size, ordering: .relaxed).oldValue
        }
      }
    }
  }
}

/// The state that a pool shares with its workers.
private final class Team: @unchecked Sendable {
  // Invariant behind @unchecked: `job` is written only by the thread that holds `busy`, before
  // `epoch` advances (releasing) and after all parts of the epoch before are done. A thread reads
  // it only after it claimed a part of the current epoch, and the writer waits for that part.
  private var job: ((Int) -> Void)?
  private let epoch = Atomic<Int>(0)
  private let unfinished = Atomic<Int>(0)
  private let busy = Atomic<Bool>(false)
  private let stopped = Atomic<Bool>(false)
  let sleepers: [Sleeper]

  final class Sleeper: Sendable {
    /// The last epoch in which this worker's part was taken, by the worker or by the caller.
    let claimed = Atomic<Int>(0)
    let isAsleep = Atomic<Bool>(false)
    let semaphore = DispatchSemaphore(value: 0)

    func claim(_ epoch: Int) -> Bool {
      claimed.compareExchange(
        expected: epoch - 1, desired: epoch, ordering: .acquiringAndReleasing
      ).exchanged
    }
  }

  init(workerCount: Int) {
    sleepers = (0..<workerCount).map { _ in Sleeper() }
  }

  func claim() -> Bool {
    busy.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
  }

  func release() { busy.store(false, ordering: .releasing) }

  /// Runs parts `0..<partCount` (at most one more than there are workers) and returns when all are done.
  func run(partCount: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      job = body
      let now = epoch.load(ordering: .relaxed) + 1
      for sleeper in sleepers.dropFirst(partCount - 1) {
        sleeper.claimed.store(now, ordering: .relaxed)
      }
      unfinished.store(partCount - 1, ordering: .relaxed)
      epoch.store(now, ordering: .sequentiallyConsistent)
      wake(partCount - 1)
      body(0)
      for index in 0..<partCount - 1 where sleepers[index].claim(now) {
        body(index + 1)
        unfinished.subtract(1, ordering: .acquiringAndReleasing)
      }
      var spins = 0
      while unfinished.load(ordering: .acquiring) > 0 {
        spins += 1
        if spins < 20_000 { nk_pause() } else { sched_yield() }
      }
      job = nil
    }
  }

  func stop() {
    stopped.store(true, ordering: .releasing)
    epoch.add(1, ordering: .sequentiallyConsistent)
    wake(sleepers.count)
  }

  private func wake(_ count: Int) {
    for sleeper in sleepers.prefix(count)
    where sleeper.isAsleep.exchange(false, ordering: .sequentiallyConsistent) {
      sleeper.semaphore.signal()
    }
  }

  func work(_ index: Int) {
    var seen = 0
    while true {
      seen = waitForEpoch(after: seen, sleepers[index])
      if stopped.load(ordering: .acquiring) { return }
      if sleepers[index].claim(seen) {
        job?(index + 1)
        unfinished.subtract(1, ordering: .acquiringAndReleasing)
      }
    }
  }

  private func waitForEpoch(after seen: Int, _ sleeper: Sleeper) -> Int {
    for _ in 0..<30_000 {
      let now = epoch.load(ordering: .acquiring)
      if now != seen { return now }
      nk_pause()
    }
    while true {
      sleeper.isAsleep.store(true, ordering: .sequentiallyConsistent)
      let now = epoch.load(ordering: .sequentiallyConsistent)
      if now != seen {
        // Either we take the flag back, or a waker took it and has signalled.
        if !sleeper.isAsleep.exchange(false, ordering: .sequentiallyConsistent) {
          sleeper.semaphore.wait()
        }
        return now
      }
      sleeper.semaphore.wait()
    }
  }
}
