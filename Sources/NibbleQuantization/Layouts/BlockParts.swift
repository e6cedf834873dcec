internal import CNibbleKernels

/// The unpacked fields of a run of blocks of one type, as the kernels fill and read them.
struct BlockParts {
  let type: GGMLType
  let blockCount: Int
  var codes: [UInt8]
  var scales: [UInt16]
  var offsets: [UInt16]
  var subScales: [UInt8]
  var subOffsets: [UInt8]

  /// Parts of `blockCount` blocks, all zero; nil for types without codes.
  init?(type: GGMLType, blockCount: Int) {
    guard type.scheme != nil, let codec = BlockCodec.codec(type)?.pointee else { return nil }
    self.type = type
    self.blockCount = blockCount
    let hasOffset = codec.has_offset != 0
    let subCount = Int(codec.sub_count)
    codes = [UInt8](repeating: 0, count: blockCount * Int(codec.element_count))
    scales = [UInt16](repeating: 0, count: blockCount)
    offsets = [UInt16](repeating: 0, count: hasOffset ? blockCount : 0)
    subScales = [UInt8](repeating: 0, count: blockCount * subCount)
    subOffsets = [UInt8](repeating: 0, count: hasOffset ? blockCount * subCount : 0)
  }

  /// The fields of a tensor; nil when its scheme is no block type.
  init?(_ tensor: QuantizedTensor) {
    guard let type = GGMLType(scheme: tensor.scheme) else { return nil }
    let blockCount = tensor.codes.count / type.block.elementCount
    self.init(type: type, blockCount: blockCount)
    codes = tensor.codes
    (scales, subScales) = Self.fields(of: tensor.scales)
    if let tree = tensor.offsets { (offsets, subOffsets) = Self.fields(of: tree) }
    guard scales.count == blockCount else { return nil }
  }

  /// Calls `body` with pointers to all fields.
  mutating func withPointers(_ body: (nk_block_parts) -> Void) {
    codes.withUnsafeMutableBufferPointer { codes in
      scales.withUnsafeMutableBufferPointer { scales in
        offsets.withUnsafeMutableBufferPointer { offsets in
          subScales.withUnsafeMutableBufferPointer { subScales in
            subOffsets.withUnsafeMutableBufferPointer { subOffsets in
              body(
                nk_block_parts(
                  codes: codes.baseAddress, scales: scales.baseAddress,
                  offsets: offsets.baseAddress, sub_scales: subScales.baseAddress,
                  sub_offsets: subOffsets.baseAddress))
            }
          }
        }
      }
    }
  }

  /// The tensor that these fields are.
  func tensor(
    rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    var offsetTree: ScaleTree?
    if case .minimum(let format) = scheme.offset {
      offsetTree = Self.tree(format, offsets, subOffsets)
    }
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme, codes: codes,
      scales: Self.tree(scheme.scale, scales, subScales), offsets: offsetTree)
  }

  private static func fields(of tree: ScaleTree) -> (halves: [UInt16], integers: [UInt8]) {
    switch tree {
    case .float16(let bits): (bits, [])
    case .e8m0(let exponents): (exponents.map(UInt16.init), [])
    case .integer(let codes, _, _, .float16(let bits)): (bits, codes)
    default: ([], [])
    }
  }

  private static func tree(
    _ format: ScaleFormat, _ halves: [UInt16], _ integers: [UInt8]
  ) -> ScaleTree {
    if format == .e8m0 { return .e8m0(halves.map { UInt8(truncatingIfNeeded: $0) }) }
    guard case .integer(let bits, let isSigned, _) = format else { return .float16(halves) }
    return .integer(codes: integers, bits: bits, isSigned: isSigned, parent: .float16(halves))
  }
}
