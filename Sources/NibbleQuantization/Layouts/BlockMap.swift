/// Where each bit of a block type's bytes goes.
///
/// A field's place in a block and the element that a bit belongs to are data, so that they can be shown, and checked
/// against the codec. Bit 0 of a field is the lowest bit of its first byte.
public struct BlockMap: Sendable {
  /// A number that a block holds, as ``QuantizedTensor`` keeps it.
  public enum Target: Hashable, Sendable {
    /// The block's scale.
    case scale
    /// The block's offset.
    case offset
    /// The scale of one sub-block, relative to the block's.
    case subScale(Int)
    /// The offset of one sub-block, relative to the block's.
    case subOffset(Int)
    /// The code of one element.
    case code(Int)

    /// Which of its kind: the sub-block or the element; 0 for those of the block.
    public var index: Int {
      switch self {
      case .scale, .offset: 0
      case .subScale(let index), .subOffset(let index), .code(let index): index
      }
    }

    /// The part of a block's storage that the number belongs to.
    public var part: StorageSum.Part {
      switch self {
      case .scale: .scales
      case .offset: .offsets
      case .subScale: .subScales
      case .subOffset: .subOffsets
      case .code: .codes
      }
    }
  }

  /// Neighbouring bits of a field that are neighbouring bits of one number.
  public struct Run: Hashable, Sendable {
    /// Places in the field.
    public let bits: Range<Int>
    public let target: Target
    /// The bit of the number that the lowest of them is.
    public let targetBit: Int
  }

  /// Bytes that the format names as one.
  public struct Field: Sendable {
    /// The name that ggml gives it: "qs".
    public let name: String
    /// Places in the block.
    public let bytes: Range<Int>
    /// All bits of the field, in order.
    public let runs: [Run]
  }

  public let type: GGMLType
  /// All bytes of a block, in order.
  public let fields: [Field]
  /// An element's value from the numbers that belong to it. q is its code as the bytes hold it, without the offset that
  /// Nibble's unpacked codes have; `d`, `m` and `dmin` are the block's, `sc` and `mn` its sub-block's.
  public let formula: String
  /// The numbers that are stored in two's complement, if any; all others are stored unsigned.
  public let signedPart: StorageSum.Part?

  /// A map of fields that follow each other; their places are counted from 0 each.
  init(_ type: GGMLType, _ formula: String, signed: StorageSum.Part? = nil, _ fields: [Field]) {
    self.type = type
    self.formula = formula
    signedPart = signed
    var first = 0
    self.fields = fields.map { field in
      defer { first += field.bytes.count }
      return Field(name: field.name, bytes: first..<first + field.bytes.count, runs: field.runs)
    }
  }

  /// The number that a bit belongs to, and which of its bits it is; bits are counted through the block.
  ///
  /// - Precondition: `bit` is a bit of the block.
  public func destination(ofBit bit: Int) -> (target: Target, bit: Int) {
    precondition(bit >= 0 && bit < 8 * type.block.byteCount)
    for field in fields where field.bytes.contains(bit / 8) {
      let place = bit - 8 * field.bytes.lowerBound
      for run in field.runs where run.bits.contains(place) {
        return (run.target, run.targetBit + place - run.bits.lowerBound)
      }
    }
    preconditionFailure("the map of \(type) has a gap at bit \(bit)")
  }

  /// The numbers of a block, read bit by bit; signed ones as two's complement or with an offset, as the format has it.
  ///
  /// - Precondition: `block` holds one block.
  public func numbers(of block: some RandomAccessCollection<UInt8>) -> [Target: UInt32] {
    precondition(block.count == type.block.byteCount)
    let bytes = Array(block)
    var numbers: [Target: UInt32] = [:]
    for field in fields {
      for run in field.runs {
        for (index, place) in run.bits.enumerated() {
          let byte = bytes[field.bytes.lowerBound + place / 8]
          numbers[run.target, default: 0] |=
            UInt32(byte >> UInt8(place % 8) & 1) << UInt32(run.targetBit + index)
        }
      }
    }
    return numbers
  }

  /// What the bits of a block add up to.
  public var storage: StorageSum {
    var bitCounts: [Target: Int] = [:]
    for field in fields {
      for run in field.runs { bitCounts[run.target, default: 0] += run.bits.count }
    }
    let parts = Dictionary(grouping: bitCounts, by: \.key.part)
    let shares = StorageSum.Part.allCases.compactMap { part -> StorageSum.Share? in
      guard let numbers = parts[part], let first = numbers.first else { return nil }
      return StorageSum.Share(part: part, count: numbers.count, bitCount: first.value)
    }
    return StorageSum(elementCount: type.block.elementCount, shares: shares)
  }
}
