import Foundation
import NibbleQuantization
import NibbleTensors
import Testing

@Suite struct BlockMapTests {
  /// What unpacking gives, by the names of the map.
  private static func numbers(
    _ type: GGMLType, _ bytes: [UInt8]
  ) throws -> [BlockMap.Target: UInt32] {
    let tensor = try GGMLBlocks().unpack(
      [NamedBytes(bytes: bytes)], rowCount: 1, columnCount: type.block.elementCount,
      scheme: #require(type.scheme))
    var numbers: [BlockMap.Target: UInt32] = [:]
    for (index, code) in tensor.codes.enumerated() {
      // Codes count levels upwards; in the file a number has a sign and a magnitude.
      let stored = type != .mxfp4 ? code : code < 8 ? 15 - code : code - 8
      numbers[.code(index)] = UInt32(stored)
    }
    add(tensor.scales, .scale, BlockMap.Target.subScale, to: &numbers)
    if let offsets = tensor.offsets {
      add(offsets, .offset, BlockMap.Target.subOffset, to: &numbers)
    }
    return numbers
  }

  private static func add(
    _ tree: ScaleTree, _ whole: BlockMap.Target, _ sub: (Int) -> BlockMap.Target,
    to numbers: inout [BlockMap.Target: UInt32]
  ) {
    switch tree {
    case .e8m0(let exponents): numbers[whole] = exponents.first.map(UInt32.init)
    case .float16(let halves): numbers[whole] = halves.first.map(UInt32.init)
    case .integer(let codes, _, _, let parent):
      for (index, code) in codes.enumerated() { numbers[sub(index)] = UInt32(code) }
      add(parent, whole, sub, to: &numbers)
    default: Issue.record("a block with other scales")
    }
  }

  /// Flipping a bit of a block flips the bit of the one number that the map names, and nothing else.
  @Test(arguments: blockTypes) func everyBitGoesWhereTheMapSays(type: GGMLType) throws {
    let map = try #require(BlockMap(type))
    let bytes = TestWeights.bytes(count: type.block.byteCount, seed: UInt64(type.rawValue))
    let before = try Self.numbers(type, bytes)
    #expect(Set(map.numbers(of: bytes).keys) == Set(before.keys))
    for bit in 0..<8 * bytes.count {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      let after = try Self.numbers(type, flipped)
      let (target, targetBit) = map.destination(ofBit: bit)
      var expected = before
      expected[target, default: 0] ^= 1 << UInt32(targetBit)
      if after != expected {
        let changed = after.filter { before[$0.key] != $0.value }.keys
        Issue.record("\(type) bit \(bit): \(changed) changed, not bit \(targetBit) of \(target)")
      }
    }
  }

  /// The formula, spelled out here once more, gives the codec's values from the numbers that the map reads.
  @Test(arguments: blockTypes) func formulasGiveTheValues(type: GGMLType) throws {
    let map = try #require(BlockMap(type))
    var bytes = TestWeights.bytes(count: type.block.byteCount, seed: 5)
    for field in map.fields where field.runs.count == 1 {
      bytes[field.bytes.lowerBound + 1] &= 0xBF
    }
    let numbers = map.numbers(of: bytes)
    func number(_ target: BlockMap.Target) -> Float {
      let bits = numbers[target] ?? 0
      return map.signedPart == target.part
        ? Float(Int8(truncatingIfNeeded: bits)) : Float(bits)
    }
    let scale = Half.float(UInt16(numbers[.scale] ?? 0))
    let offset = Half.float(UInt16(numbers[.offset] ?? 0))
    let subCount = numbers.keys.filter { $0.part == .subScales }.count
    let values = decode(type, bytes)
    for (element, value) in values.enumerated() {
      let q = number(.code(element))
      let sub = subCount == 0 ? 0 : element / (values.count / subCount)
      let (sc, mn) = (number(.subScale(sub)), number(.subOffset(sub)))
      let level = q < 16 && q >= 0 ? Codebook.iq4nl.levels[Int(q)] : 0
      let expected: Float? =
        switch map.formula {
        case "(q - 8) * d": (q - 8) * scale
        case "(q - 16) * d": (q - 16) * scale
        case "q * d": q * scale
        case "q * d + m": q * scale + offset
        case "(d * sc) * q - dmin * mn": (scale * sc) * q - offset * mn
        case "(d * (sc - 32)) * (q - 4)": (scale * (sc - 32)) * (q - 4)
        case "(d * sc) * (q - 32)": (scale * sc) * (q - 32)
        case "d * T[q]": scale * level
        case "2^(e - 127) * E2M1[q]":
          exp2(number(.scale) - 127) * (q < 8 ? 1 : -1) * [0, 0.5, 1, 1.5, 2, 3, 4, 6][Int(q) & 7]
        case "(d * (sc - 32)) * T[q]": (scale * (sc - 32)) * level
        default: nil
        }
      #expect(expected == value, "\(type) element \(element): \(map.formula)")
    }
  }

  /// Every block type that Nibble writes has a map, and its fields cover the block without gap or overlap.
  @Test(arguments: blockTypes) func coversTheBlock(type: GGMLType) throws {
    let map = try #require(BlockMap(type))
    var next = 0
    for field in map.fields {
      #expect(field.bytes.lowerBound == next)
      next = field.bytes.upperBound
      var bit = 0
      for run in field.runs {
        #expect(run.bits.lowerBound == bit)
        bit = run.bits.upperBound
      }
      #expect(bit == 8 * field.bytes.count)
    }
    #expect(next == type.block.byteCount)
    #expect(map.storage.bitCount == 8 * type.block.byteCount)
    #expect(map.storage.bitsPerWeight == type.bitsPerWeight)
    #expect(map.rows.reduce(0) { $0 + $1.bytes.count } == type.block.byteCount)
  }

  /// The map's sum is the scheme's.
  @Test(arguments: blockTypes) func sumsAreOne(type: GGMLType) throws {
    let map = try #require(BlockMap(type))
    let scheme = try #require(type.scheme)
    let sum = try scheme.storage(rowCount: 2, columnCount: 2 * type.block.elementCount)
    #expect(Set(sum.shares) == Set(map.storage.shares))
    #expect(sum.elementCount == map.storage.elementCount)
  }

  /// The terms add up to what a scheme says that a matrix takes.
  @Test(
    arguments: [
      "int4-g128-asym", "int8-row-sym", "int8-tensor-asym", "int3-column-min", "int5-g48-sym",
      "nf4-g64",
      "nf4-g64-dq", "fp4-g32", "mxfp4", "nvfp4", "kmeans4-row", "kmeans2-g64-f32", "q4_k", "q6_k",
    ])
  func sumsOfSchemes(name: String) throws {
    let scheme = try #require(Scheme(name: name))
    let sum = try scheme.storage(rowCount: 24, columnCount: 1280)
    let whole = scheme.bitCount(rowCount: 24, columnCount: 1280)
    #expect(sum.bitCount * (24 * 1280 / sum.elementCount) == whole)
    #expect(sum.bitsPerWeight == scheme.bitsPerWeight(rowCount: 24, columnCount: 1280))
    #expect(try scheme.storage(rowCount: 0, columnCount: 1280).bitsPerWeight == 0)
  }

  /// Rows say the same as the bits that they stand for.
  @Test(arguments: blockTypes) func rowsAreTheMap(type: GGMLType) throws {
    let map = try #require(BlockMap(type))
    for row in map.rows {
      for slot in row.slots {
        let isOneNumber = slot.bits.count > 8
        for (step, byte) in (isOneNumber ? row.bytes.prefix(1) : row.bytes).enumerated() {
          for bit in slot.bits {
            let (target, targetBit) = map.destination(ofBit: 8 * byte + bit)
            #expect(target.part == slot.target.part)
            #expect(target.index == slot.target.index + step * slot.stride)
            #expect(targetBit == slot.targetBits.lowerBound + bit - slot.bits.lowerBound)
          }
        }
      }
    }
    #expect(map.rows.count < 40)
  }

  /// Nibble writes no MXFP4 through the block codec; its map and the number formats read what the gguf package reads.
  @Test func decodesMXFP4() throws {
    struct Blocks: Decodable {
      let bytes: [UInt8]
      let values: [UInt32]
    }
    let blocks = try fixture("../block-maps/mxfp4.json", as: Blocks.self)
    let map = try #require(BlockMap(.mxfp4))
    var values: [UInt32] = []
    for start in stride(from: 0, to: blocks.bytes.count, by: 17) {
      let numbers = map.numbers(of: blocks.bytes[start..<start + 17])
      let scale = NumberFormat.e8m0.decode(try #require(numbers[.scale]))
      for element in 0..<32 {
        let code = try #require(numbers[.code(element)])
        // Negative zero is read as zero.
        values.append((NumberFormat.float4E2M1.decode(code) * scale + 0).bitPattern)
      }
    }
    #expect(values == blocks.values)
  }
}
