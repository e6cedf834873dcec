/// Numbers of eight rows side by side, `[count][8]`, at a fixed address.
///
/// Elements are reached without checks of bounds or exclusive access, which would cost more than the arithmetic.
final class LaneBuffer<Element: Numeric> {
  let base: UnsafeMutablePointer<Element>
  /// Elements, all lanes together.
  let count: Int

  /// Zeros for `count` elements of each lane.
  init(_ count: Int) {
    self.count = count * 8
    base = .allocate(capacity: max(count * 8, 1))
    base.initialize(repeating: 0, count: max(count * 8, 1))
  }

  deinit { base.deallocate() }

  subscript(index: Int) -> Element {
    get { base[index] }
    set { base[index] = newValue }
  }

  /// Takes over one lane.
  func copy(lane: Int, from other: LaneBuffer) {
    for index in stride(from: lane, to: count, by: 8) { base[index] = other.base[index] }
  }

  /// Takes over everything.
  func copy(from other: LaneBuffer) { base.update(from: other.base, count: count) }

  /// Takes over rows of a matrix, one for each of the first lanes.
  func load(_ rows: UnsafeMutableBufferPointer<Element>, from first: Int, laneCount: Int) {
    guard let source = rows.baseAddress else { return }
    let perRow = count / 8
    for lane in 0..<laneCount {
      let row = source + (first + lane) * perRow
      for index in 0..<perRow { base[8 * index + lane] = row[index] }
    }
  }

  /// Writes one lane to a row of a matrix.
  func store(lane: Int, to rows: UnsafeMutableBufferPointer<Element>, row: Int) {
    guard let target = rows.baseAddress else { return }
    let perRow = count / 8
    for index in 0..<perRow { target[row * perRow + index] = base[8 * index + lane] }
  }
}
