import Foundation
import NibbleQuantization
import NibbleTensors

/// The block types that quantize.
let blockTypes = GGMLType.allCases.filter { $0.scheme != nil }

/// Weights and bytes that tests share; the first three are made the same way by scripts/fixtures/ggml-blocks.py.
enum TestWeights {
  /// Sums of 12 uniform numbers less 6: nearly normal.
  static func bell(count: Int, seed: UInt64 = 11) -> [Float] {
    var source = RandomSource(seed: seed)
    return (0..<count).map { _ in
      var sum = 0.0
      for _ in 0..<12 { sum += source.uniform() }
      return Float(sum - 6)
    }
  }

  /// Fifth powers of uniform numbers: many small and few large.
  static func heavy(count: Int, seed: UInt64 = 12) -> [Float] {
    var source = RandomSource(seed: seed)
    return (0..<count).map { _ in
      let u = 2 * source.uniform() - 1
      return Float(u * u * u * u * u)
    }
  }

  static func bytes(count: Int, seed: UInt64) -> [UInt8] {
    var source = RandomSource(seed: seed)
    var bytes: [UInt8] = []
    while bytes.count < count {
      let word = source.next()
      for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * UInt64(shift)))) }
    }
    return Array(bytes.prefix(count))
  }

  static func gaussian(count: Int, seed: UInt64) -> [Float] {
    var source = RandomSource(seed: seed)
    return (0..<count).map { _ in Float(source.gaussian()) }
  }
}

func encode(
  _ type: GGMLType, _ values: [Float], columnCount: Int, importance: [Float]? = nil
) -> [UInt8] {
  let byteCount = values.count / type.block.elementCount * type.block.byteCount
  var bytes = [UInt8](repeating: 0, count: byteCount)
  bytes.withUnsafeMutableBytes { target in
    values.withUnsafeBufferPointer { source in
      if let importance {
        importance.withUnsafeBufferPointer {
          BlockCodec.encode(type, source, columnCount: columnCount, importance: $0, into: target)
        }
      } else {
        BlockCodec.encode(type, source, columnCount: columnCount, importance: nil, into: target)
      }
    }
  }
  return bytes
}

func decode(_ type: GGMLType, _ bytes: [UInt8]) -> [Float] {
  var values = [Float](
    repeating: 0, count: bytes.count / type.block.byteCount * type.block.elementCount)
  values.withUnsafeMutableBufferPointer { target in
    bytes.withUnsafeBytes { BlockCodec.decode(type, $0, into: target) }
  }
  return values
}

/// Σ w (x - y)² / Σ w x².
func relativeSquareError(_ x: [Float], _ y: [Float], importance: [Float]? = nil) -> Double {
  var error = 0.0
  var square = 0.0
  for i in x.indices {
    let weight = importance.map { Double($0[i % $0.count]) } ?? 1
    error += weight * (Double(x[i]) - Double(y[i])) * (Double(x[i]) - Double(y[i]))
    square += weight * Double(x[i]) * Double(x[i])
  }
  return error / square
}

/// FNV-1a, 64 bits.
func fingerprint(_ bytes: some Sequence<UInt8>) -> String {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

func fixture<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  let url = folder.appending(path: "Fixtures/ggml-blocks/\(name)")
  return try JSONDecoder().decode(type, from: Data(contentsOf: url))
}
