internal import NibbleQuantization
internal import NibbleTensors

/// Turns rows of any stored type into floats and back.
package enum RowCodec {
  /// Whether values of `type` are numbers that ``decode(_:_:into:)`` turns into floats.
  package static func canDecode(_ type: StoredType) -> Bool {
    switch type {
    case .plain(.float64), .plain(.float8E4M3), .plain(.float8E5M2), .scheme: true
    default: type.ggmlType.map(BlockCodec.canDecode) ?? false
    }
  }

  /// Decodes whole rows.
  ///
  /// - Precondition: ``canDecode(_:)``; `bytes` holds exactly `values.count` values.
  package static func decode(
    _ type: StoredType, _ bytes: UnsafeRawBufferPointer,
    into values: UnsafeMutableBufferPointer<Float>
  ) throws(CheckpointError) {
    switch type {
    case .plain(.float64):
      for index in values.indices {
        values[index] = Float(bytes.loadUnaligned(fromByteOffset: 8 * index, as: Double.self))
      }
    case .plain(.float8E4M3):
      for index in values.indices { values[index] = EightBitFloat.e4m3[Int(bytes[index])] }
    case .plain(.float8E5M2):
      for index in values.indices { values[index] = EightBitFloat.e5m2[Int(bytes[index])] }
    default:
      guard let ggmlType = type.ggmlType, BlockCodec.canDecode(ggmlType) else {
        throw CheckpointError(.unsupported, "values of type \(type.name) cannot be decoded")
      }
      BlockCodec.decode(ggmlType, bytes, into: values)
    }
  }

  /// Encodes whole rows of `columnCount` finite values.
  ///
  /// - Precondition: `bytes` has exactly the room that the rows take.
  /// - Throws: ``CheckpointError/Code/unsupported`` for a type that cannot be written.
  package static func encode(
    _ type: StoredType, _ values: UnsafeMutableBufferPointer<Float>, columnCount: Int,
    into bytes: UnsafeMutableRawBufferPointer
  ) throws(CheckpointError) {
    guard let ggmlType = type.ggmlType, BlockCodec.canEncode(ggmlType) else {
      throw CheckpointError(.unsupported, "values of type \(type.name) cannot be written")
    }
    BlockCodec.encode(
      ggmlType, UnsafeBufferPointer(values), columnCount: columnCount, importance: nil, into: bytes)
  }
}

/// The 256 values of each 8-bit float type that checkpoints use (Micikevicius et al. 2022, arXiv:2209.05433).
private enum EightBitFloat {
  /// Bias 7, no infinities, NaN where all bits but the sign are set.
  static let e4m3 = table(exponentBitCount: 4, bias: 7) { $0 & 0x7F == 0x7F ? .nan : nil }

  /// Bias 15, infinities and NaN as in IEEE 754.
  static let e5m2 = table(exponentBitCount: 5, bias: 15) { code in
    guard code & 0x7C == 0x7C else { return nil }
    return code & 3 != 0 ? .nan : code & 0x80 != 0 ? -.infinity : .infinity
  }

  private static func table(
    exponentBitCount: Int, bias: Int, special: (Int) -> Float?
  ) -> [Float] {
    let mantissaBitCount = 7 - exponentBitCount
    let mantissaUnit = Float(sign: .plus, exponent: -mantissaBitCount, significand: 1)
    return (0..<256).map { code in
      if let value = special(code) { return value }
      let exponent = code >> mantissaBitCount & (1 << exponentBitCount - 1)
      let fraction = Float(code & (1 << mantissaBitCount - 1)) * mantissaUnit
      let size = Float(
        sign: .plus, exponent: max(exponent, 1) - bias,
        significand: exponent == 0 ? fraction : 1 + fraction)
      return code & 0x80 != 0 ? -size : size
    }
  }
}
