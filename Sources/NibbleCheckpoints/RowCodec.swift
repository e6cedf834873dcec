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
      decodeBytes(bytes, into: values, Float8E4M3.decode)
    case .plain(.float8E5M2):
      decodeBytes(bytes, into: values, Float8E5M2.decode)
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

  private static func decodeBytes(
    _ bytes: UnsafeRawBufferPointer, into values: UnsafeMutableBufferPointer<Float>,
    _ decode: (UnsafePointer<UInt8>, Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    precondition(bytes.count == values.count)
    guard let source = bytes.baseAddress, let target = values.baseAddress else { return }
    decode(source.assumingMemoryBound(to: UInt8.self), values.count, target)
  }
}
