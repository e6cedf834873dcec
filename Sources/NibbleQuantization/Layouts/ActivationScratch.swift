internal import CNibbleKernels
internal import NibbleTensors

/// Buffers that products reuse: activations in another order, quantized activations, and a panel of expanded weights a
/// thread.
///
/// They grow to the largest product and never shrink. One scratch serves one product at a time.
public final class ActivationScratch {
  private var activationMemory = GrowingMemory()
  private var panelMemory = GrowingMemory()
  private var orderedMemory = GrowingMemory()

  /// Whether the time of rounding activations is added to ``roundingTime``.
  public var isTimed = false
  /// What rounding activations to 8 bits took while ``isTimed``.
  public private(set) var roundingTime = Duration.zero

  public init() {}

  /// The kernels of this machine.
  static let kernels: nk_matmul_table = nk_matmul().pointee

  /// Below this many numbers, waking the other threads costs more than they help.
  private static let sharedQuantizationThreshold = 1 << 14

  /// The activations `[count, columnCount]` as kernels see them, in the form that products need.
  func activations(
    _ x: UnsafePointer<Float>, columnCount: Int, count: Int, form: ActivationForm,
    rounded: RoundedActivations?, pool: WorkerPool
  ) -> nk_activations {
    guard form != .floats else {
      var plain = nk_activations()
      plain.values = x
      plain.columns = columnCount
      return plain
    }
    if let rounded, rounded.form >= form { return rounded.activations }
    let start: ContinuousClock.Instant? = isTimed ? ContinuousClock.now : nil
    defer { if let start { roundingTime += ContinuousClock.now - start } }
    let hasWords: Int32 = form == .words ? 1 : 0
    let memory = activationMemory.reserve(nk_activation_bytes(columnCount, count, hasWords))
    let activations = nk_activations_in(memory, x, columnCount, count, hasWords)
    func quantize(_ rows: Range<Int>) {
      var activations = activations
      Self.kernels.quantize(&activations, rows.lowerBound, rows.count)
    }
    if count * columnCount < Self.sharedQuantizationThreshold {
      quantize(0..<count)
    } else {
      pool.rows(count, quantize)
    }
    return activations
  }

  /// The activations `[count, columnCount]` with their columns in another order: `order[i]` is the one at place `i`.
  func ordered(
    _ x: UnsafePointer<Float>, columnCount: Int, count: Int, order: [Int32], pool: WorkerPool
  ) -> UnsafePointer<Float> {
    let memory = orderedMemory.reserve(count * columnCount * MemoryLayout<Float>.stride)
      .assumingMemoryBound(to: Float.self)
    func move(_ rows: Range<Int>) {
      for row in rows {
        let (source, target) = (x + row * columnCount, memory + row * columnCount)
        for place in 0..<columnCount { target[place] = source[Int(order[place])] }
      }
    }
    if count * columnCount < Self.sharedQuantizationThreshold {
      move(0..<count)
    } else {
      pool.rows(count, move)
    }
    return UnsafePointer(memory)
  }

  /// Memory for one panel a thread, and for `expandedRowCount` rows of floats.
  func panels(columnCount: Int, expandedRowCount: Int, threadCount: Int) -> Panels {
    func wholePages(_ byteCount: Int) -> Int { (byteCount + 4095) / 4096 * 4096 }
    let panelByteCount = wholePages(nk_matmul_scratch_bytes(columnCount))
    let expandedByteCount = wholePages(
      expandedRowCount * columnCount * MemoryLayout<Float>.stride)
    let stride = panelByteCount + expandedByteCount
    return Panels(
      base: panelMemory.reserve(stride * threadCount), panelByteCount: panelByteCount,
      stride: stride)
  }

  struct Panels {
    let base: UnsafeMutableRawPointer
    let panelByteCount: Int
    let stride: Int

    func panel(_ thread: Int) -> UnsafeMutableRawPointer { base + thread * stride }

    /// Where the rows of floats begin.
    func expanded(_ thread: Int) -> UnsafeMutablePointer<Float> {
      (base + thread * stride + panelByteCount).assumingMemoryBound(to: Float.self)
    }
  }
}

/// Uninitialized memory aligned to 64 bytes that grows on demand and forgets its contents when it does.
private struct GrowingMemory: ~Copyable {
  private var base = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 64)
  private var byteCount = 64

  mutating func reserve(_ needed: Int) -> UnsafeMutableRawPointer {
    if needed > byteCount {
      base.deallocate()
      base = .allocate(byteCount: needed, alignment: 64)
      byteCount = needed
    }
    return base
  }

  deinit { base.deallocate() }
}
