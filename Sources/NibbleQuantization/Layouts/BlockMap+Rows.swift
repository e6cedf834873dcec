extension BlockMap {
  /// Bits of a byte that belong to one number.
  public struct Slot: Hashable, Sendable {
    /// Places in the byte, or in the row where it holds one number only.
    public let bits: ClosedRange<Int>
    /// The number of the first byte.
    public let target: Target
    /// What is added to the number's index from byte to byte.
    public let stride: Int
    /// The bits of the number that these are.
    public let targetBits: ClosedRange<Int>
  }

  /// Consecutive bytes of one field that are divided alike, each number's index growing evenly.
  public struct Row: Sendable {
    public let field: String
    /// Places in the block.
    public let bytes: Range<Int>
    public let slots: [Slot]
  }

  /// The block byte by byte, bytes that continue a pattern being one row.
  public var rows: [Row] {
    fields.flatMap { field -> [Row] in
      if field.runs.count == 1, let run = field.runs.first {
        let bits = 0...run.bits.count - 1
        let slot = Slot(bits: bits, target: run.target, stride: 0, targetBits: bits)
        return [Row(field: field.name, bytes: field.bytes, slots: [slot])]
      }
      var rows: [Row] = []
      for byte in field.bytes {
        let slots = Self.slots(of: byte - field.bytes.lowerBound, field.runs)
        if let last = rows.last, let longer = last.appending(slots) {
          rows[rows.count - 1] = longer
        } else {
          rows.append(Row(field: field.name, bytes: byte..<byte + 1, slots: slots))
        }
      }
      return rows
    }
  }

  /// The parts of one byte of a field, lowest bits first.
  private static func slots(of byte: Int, _ runs: [Run]) -> [Slot] {
    let whole = 8 * byte..<8 * byte + 8
    return runs.compactMap { run in
      let bits = run.bits.clamped(to: whole)
      guard !bits.isEmpty else { return nil }
      let low = run.targetBit + bits.lowerBound - run.bits.lowerBound
      return Slot(
        bits: bits.lowerBound - whole.lowerBound...bits.upperBound - whole.lowerBound - 1,
        target: run.target, stride: 0, targetBits: low...low + bits.count - 1)
    }
  }
}

extension BlockMap.Row {
  /// This row and the next byte; nil when that does not continue it.
  fileprivate func appending(_ next: [BlockMap.Slot]) -> BlockMap.Row? {
    guard next.count == slots.count else { return nil }
    var longer: [BlockMap.Slot] = []
    for (slot, other) in zip(slots, next) {
      let step = other.target.index - slot.target.index
      let isNew = bytes.count == 1
      guard slot.bits == other.bits, slot.targetBits == other.targetBits,
        slot.target.part == other.target.part, isNew ? step != 0 : step == slot.stride * bytes.count
      else { return nil }
      longer.append(
        BlockMap.Slot(
          bits: slot.bits, target: slot.target, stride: isNew ? step : slot.stride,
          targetBits: slot.targetBits))
    }
    return BlockMap.Row(
      field: field, bytes: bytes.lowerBound..<bytes.upperBound + 1, slots: longer)
  }
}
