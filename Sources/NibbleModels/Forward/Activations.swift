internal import NibbleQuantization

/// A matrix of floats `[rowCount, columnCount]`, row-major, whose memory returns to its pool when
/// released. It belongs to the session that made it, and to that session's thread.
public final class Activations {
  public let rowCount: Int
  public let columnCount: Int
  let pointer: UnsafeMutablePointer<Float>
  private let capacity: Int
  private let pool: ActivationPool

  fileprivate init(
    rowCount: Int, columnCount: Int, pointer: UnsafeMutablePointer<Float>, capacity: Int,
    pool: ActivationPool
  ) {
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.pointer = pointer
    self.capacity = capacity
    self.pool = pool
  }

  deinit { pool.giveBack(pointer, capacity) }

  /// The rows' 8-bit codes, where their maker has rounded them.
  private(set) var rounded: RoundedActivations?
  private var roundedMemory: Activations?

  /// Makes room for the rows' codes, which the caller then rounds; the rows must not change afterwards.
  ///
  /// - Parameter form: what the products of these rows take.
  /// - Returns: nil where they take floats, or rows are no whole blocks.
  func makeRounded(_ form: ActivationForm) -> RoundedActivations? {
    guard form != .floats,
      let byteCount = RoundedActivations.byteCount(
        columnCount: columnCount, count: rowCount, form: form)
    else { return nil }
    let memory = pool.matrix(1, (byteCount + 3) / 4)
    roundedMemory = memory
    rounded = RoundedActivations(
      pointer, columnCount: columnCount, count: rowCount, form: form, memory: memory.pointer)
    return rounded
  }

  /// The start of row `index`.
  func row(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * columnCount }

  /// Calls `body` with row `index`.
  public func withRow<R>(_ index: Int, _ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows
    -> R
  {
    precondition(index >= 0 && index < rowCount)
    return try body(UnsafeBufferPointer(start: row(index), count: columnCount))
  }
}

/// Memory for activations that is used again, so that generation allocates nothing after its first token.
final class ActivationPool {
  private var free: [Int: [UnsafeMutableRawPointer]] = [:]
  /// Bytes of all matrices, in use or not.
  private(set) var byteCount = 0

  deinit {
    for pointer in free.values.joined() { pointer.deallocate() }
  }

  func matrix(_ rowCount: Int, _ columnCount: Int) -> Activations {
    let capacity = max(64, (rowCount * columnCount).nextPowerOfTwo)
    let reused = free[capacity]?.popLast()
    if reused == nil { byteCount += 4 * capacity }
    let memory =
      reused ?? UnsafeMutableRawPointer.allocate(byteCount: 4 * capacity, alignment: 64)
    return Activations(
      rowCount: rowCount, columnCount: columnCount,
      pointer: memory.bindMemory(to: Float.self, capacity: capacity), capacity: capacity, pool: self
    )
  }

  fileprivate func giveBack(_ pointer: UnsafeMutablePointer<Float>, _ capacity: Int) {
    let memory = UnsafeMutableRawPointer(pointer)
    free[capacity, default: []].append(memory)
  }
}

extension Int {
  fileprivate var nextPowerOfTwo: Int {
    self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
  }
}
