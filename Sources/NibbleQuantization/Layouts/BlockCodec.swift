internal import CNibbleKernels

/// The block types of GGUF files: decoding, and encoding by round-to-nearest with a search of each block's scales.
///
/// Everything works on whole rows, on the calling thread, and gives the same bytes on every machine and for every split
/// of the rows.
public enum BlockCodec {
  /// Whether ``decode(_:_:into:)`` knows `type`.
  public static func canDecode(_ type: GGMLType) -> Bool { codec(type) != nil }

  /// Whether ``encode(_:_:columnCount:importance:into:)`` knows `type`.
  public static func canEncode(_ type: GGMLType) -> Bool { codec(type) != nil }

  /// Turns blocks into values, bit for bit as the format defines them.
  ///
  /// - Precondition: ``canDecode(_:)``; `values` is a whole number of blocks and `bytes` holds exactly these.
  public static func decode(
    _ type: GGMLType, _ bytes: UnsafeRawBufferPointer,
    into values: UnsafeMutableBufferPointer<Float>
  ) {
    guard let codec = codec(type) else { preconditionFailure("no decoder for \(type)") }
    let (elementCount, byteCount) = type.block
    precondition(values.count % elementCount == 0)
    precondition(bytes.count == values.count / elementCount * byteCount)
    guard let source = bytes.baseAddress, let target = values.baseAddress else { return }
    codec.pointee.decode(
      source.assumingMemoryBound(to: UInt8.self), target, values.count / elementCount)
  }

  /// Rounds values to the nearest codes, with the scales of each block searched for the least weighted square error.
  ///
  /// Values may be of any finite magnitude. A scale or number too large for its 16 bits is stored as the largest finite
  /// one, so that nothing decodes to infinity.
  ///
  /// - Parameters:
  ///   - type: the block type.
  ///   - values: `[rows, columnCount]`, finite.
  ///   - columnCount: a whole number of blocks.
  ///   - importance: a factor >= 0 for each column's square error, or nil; the float types ignore it.
  ///   - bytes: receives the blocks.
  /// - Precondition: ``canEncode(_:)``, and the counts fit each other.
  public static func encode(
    _ type: GGMLType, _ values: UnsafeBufferPointer<Float>, columnCount: Int,
    importance: UnsafeBufferPointer<Float>?, into bytes: UnsafeMutableRawBufferPointer
  ) {
    precondition(canEncode(type), "no encoder for \(type)")
    let (elementCount, byteCount) = type.block
    check(values, type, columnCount, importance)
    precondition(bytes.count == values.count / elementCount * byteCount)
    guard let source = values.baseAddress, let target = bytes.baseAddress else { return }
    nk_blocks().pointee.encode(
      type.rawValue, source, values.count, importance?.baseAddress, columnCount,
      target.assumingMemoryBound(to: UInt8.self))
  }

  static func codec(_ type: GGMLType) -> UnsafePointer<nk_block_codec>? {
    nk_blocks().pointee.codec(type.rawValue)
  }

  static func check(
    _ values: UnsafeBufferPointer<Float>, _ type: GGMLType, _ columnCount: Int,
    _ importance: UnsafeBufferPointer<Float>?
  ) {
    precondition(columnCount > 0 || values.isEmpty)
    precondition(columnCount % type.block.elementCount == 0)
    precondition(values.isEmpty || values.count % columnCount == 0)
    precondition(importance.map { $0.count == columnCount } ?? true)
  }
}
