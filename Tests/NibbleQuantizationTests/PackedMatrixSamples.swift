import NibbleQuantization
import NibbleTensors

/// Random weights and activations for the products' tests.
enum WeightSample {
  static let types: [GGMLType] = [
    .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_k, .q3_k, .q4_k, .q5_k, .q6_k, .iq4_nl, .iq4_xs,
    .mxfp4,
  ]

  static let elements: [PackedMatrix.Element] =
    [.plain(.float32), .plain(.float16), .plain(.bfloat16)] + types.map { .blocks($0) }

  /// Bytes of random weights whose scales are ordinary numbers; they begin one byte after an aligned address.
  static func bytes(_ element: PackedMatrix.Element, weightCount: Int, seed: UInt64) -> ByteView {
    var random = RandomSource(seed: seed)
    var bytes: [UInt8] = [0]
    switch element {
    case .plain(let dtype):
      for _ in 0..<weightCount {
        let value = Float(random.gaussian())
        switch dtype {
        case .float32: withUnsafeBytes(of: value.bitPattern) { bytes += $0 }
        case .float16: withUnsafeBytes(of: Half.bits(value)) { bytes += $0 }
        default: withUnsafeBytes(of: BFloat16.bits(value)) { bytes += $0 }
        }
      }
    case .blocks(let type):
      let (elementCount, byteCount) = type.block
      for _ in 0..<weightCount / elementCount {
        var block = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
        if type == .mxfp4 { block[0] = 120 + block[0] % 8 }
        for offset in type.halfOffsets {
          let half = Half.bits(Float(random.gaussian()))
          block[offset] = UInt8(truncatingIfNeeded: half)
          block[offset + 1] = UInt8(half >> 8)
        }
        bytes += block
      }
    case .scheme: preconditionFailure("schemes have several arrays")
    }
    return Storage(copying: bytes).view[1..<bytes.count]
  }

  static func matrix(
    _ element: PackedMatrix.Element, rowCount: Int, columnCount: Int
  ) throws -> PackedMatrix {
    try PackedMatrix(
      element: element, rowCount: rowCount, columnCount: columnCount,
      bytes: bytes(element, weightCount: rowCount * columnCount, seed: UInt64(rowCount)))
  }

  static func activations(count: Int, seed: UInt64) -> [Float] {
    var random = RandomSource(seed: seed)
    return (0..<count).map { index in
      // Some blocks are large, some small, some zero.
      let magnitude: Float = [1, 1e-3, 300, 0][index / 32 % 4]
      return Float(random.gaussian()) * magnitude
    }
  }

  static func row(_ matrix: PackedMatrix, _ row: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: matrix.columnCount) { buffer, count in
      matrix.decodeRow(row, into: buffer)
      count = matrix.columnCount
    }
  }

  /// What 8-bit activations stand for: in blocks of 32, the nearest multiple of a 127th of the largest magnitude.
  static func quantized(_ x: [Float]) -> [Float] {
    var result = x
    for start in stride(from: 0, to: x.count, by: 32) {
      let largest = x[start..<start + 32].map(abs).max() ?? 0
      guard largest > 0 else { continue }
      for i in start..<start + 32 {
        result[i] = (x[i] * (127 / largest)).rounded(.toNearestOrEven) * (largest / 127)
      }
    }
    return result
  }
}

extension PackedMatrix.Element {
  var isPlain: Bool { if case .plain = self { true } else { false } }
}

extension GGMLType {
  /// Where a block's half floats are.
  var halfOffsets: [Int] {
    switch self {
    case .q4_1, .q5_1, .q4_k, .q5_k: [0, 2]
    case .q2_k: [80, 82]
    case .q3_k: [108]
    case .q6_k: [208]
    case .mxfp4: []
    default: [0]
    }
  }
}
