internal import CNibbleKernels

/// The block layouts of GGUF files: one part, blocks along each row.
public struct GGMLBlocks: WeightLayout {
  public init() {}

  public func canRepresent(_ scheme: Scheme) -> Bool { GGMLType(scheme: scheme) != nil }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    guard var parts = BlockParts(tensor), let codec = BlockCodec.codec(parts.type)?.pointee else {
      throw QuantizationError(.unsupported, "no GGUF type stores the scheme \(tensor.scheme)")
    }
    let byteCount = parts.type.block.byteCount
    let blockCount = parts.blockCount
    var bytes = [UInt8](repeating: 0, count: blockCount * byteCount)
    bytes.withUnsafeMutableBufferPointer { target in
      guard let base = target.baseAddress else { return }
      parts.withPointers { all in
        for block in 0..<blockCount {
          var one = nk_block_parts_at(codec, all, block)
          codec.pack(&one, base + block * byteCount)
        }
      }
    }
    return [NamedBytes(bytes: bytes)]
  }

  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    guard let type = GGMLType(scheme: scheme), let codec = BlockCodec.codec(type)?.pointee else {
      throw QuantizationError(.unsupported, "no GGUF type stores the scheme \(scheme)")
    }
    _ = try scheme.groupCount(rowCount: rowCount, columnCount: columnCount)
    guard parts.count == 1, let bytes = parts.first?.bytes,
      let rowByteCount = type.rowByteCount(columnCount: columnCount),
      bytes.count == rowCount * rowByteCount
    else {
      throw QuantizationError(
        .malformed, "the bytes do not fit \(rowCount) rows of \(columnCount) as \(type.name)")
    }
    let blockCount = bytes.count / type.block.byteCount
    guard var fields = BlockParts(type: type, blockCount: blockCount) else {
      throw QuantizationError(.unsupported, "no GGUF type stores the scheme \(scheme)")
    }
    bytes.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      fields.withPointers { all in
        for block in 0..<blockCount {
          var one = nk_block_parts_at(codec, all, block)
          codec.unpack(base + block * type.block.byteCount, &one)
        }
      }
    }
    return try fields.tensor(rowCount: rowCount, columnCount: columnCount, scheme: scheme)
  }
}
