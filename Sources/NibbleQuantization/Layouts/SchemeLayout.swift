internal import CNibbleKernels

/// Nibble's own layout: every scheme as plain arrays, codes packed to their bits (``Scheme/parts(rowCount:columnCount:)``).
public struct SchemeLayout: ArrayLayout {
  public init() {}

  public func canRepresent(_ scheme: Scheme) -> Bool { true }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    do {
      _ = try scheme.parts(rowCount: rowCount, columnCount: columnCount)
      return nil
    } catch {
      return error.message
    }
  }

  public func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart] {
    try scheme.parts(rowCount: rowCount, columnCount: columnCount)
  }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    let parts = try tensor.scheme.parts(
      rowCount: tensor.rowCount, columnCount: tensor.columnCount)
    var arrays = [packedCodes(tensor)]
    arrays += tensor.scales.arrays
    if let zeroPoints = tensor.zeroPoints { arrays.append(zeroPoints) }
    if let offsets = tensor.offsets { arrays += offsets.arrays }
    if let order = tensor.columnOrder { arrays.append(order.storedBytes) }
    precondition(arrays.count == parts.count)
    return zip(parts, arrays).map { NamedBytes(name: $0.name, bytes: $1) }
  }

  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    let expected = try scheme.parts(rowCount: rowCount, columnCount: columnCount)
    guard parts.count == expected.count,
      zip(parts, expected).allSatisfy({ $0.bytes.count == $1.byteCount })
    else {
      throw QuantizationError(
        .malformed, "the arrays do not fit \(rowCount) rows of \(columnCount) as \(scheme)")
    }
    var rest = parts.dropFirst().map(\.bytes)[...]
    let codes = unpackedCodes(
      parts.first?.bytes ?? [], rowCount: rowCount, columnCount: columnCount,
      bits: scheme.element.bitCount)
    let scales = ScaleTree(arrays: &rest, format: scheme.scale)
    var zeroPoints: [UInt8]?
    var minima: ScaleTree?
    switch scheme.offset {
    case .none: break
    case .zeroPoint: zeroPoints = rest.popFirst()
    case .minimum(let format): minima = ScaleTree(arrays: &rest, format: format)
    }
    let order = scheme.hasColumnOrder ? [Int32](storedBytes: rest.popFirst() ?? []) : nil
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme, codes: codes, scales: scales,
      offsets: minima, zeroPoints: zeroPoints, columnOrder: order)
  }

  private func packedCodes(_ tensor: QuantizedTensor) -> [UInt8] {
    let bits = tensor.scheme.element.bitCount
    let columnCount = tensor.columnCount
    let rowByteCount = (columnCount * bits + 7) / 8
    let count = tensor.rowCount * rowByteCount
    return [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
      tensor.codes.withUnsafeBufferPointer { codes in
        if columnCount > 0, let source = codes.baseAddress, let target = bytes.baseAddress {
          for row in 0..<tensor.rowCount {
            nk_pack_bits(
              source + row * columnCount, columnCount, Int32(bits), target + row * rowByteCount)
          }
        }
      }
      initialized = count
    }
  }

  private func unpackedCodes(
    _ bytes: [UInt8], rowCount: Int, columnCount: Int, bits: Int
  ) -> [UInt8] {
    let rowByteCount = (columnCount * bits + 7) / 8
    return [UInt8](unsafeUninitializedCapacity: rowCount * columnCount) { codes, initialized in
      bytes.withUnsafeBufferPointer { bytes in
        if columnCount > 0, let source = bytes.baseAddress, let target = codes.baseAddress {
          for row in 0..<rowCount {
            nk_unpack_bits(
              source + row * rowByteCount, columnCount, Int32(bits), target + row * columnCount)
          }
        }
      }
      initialized = rowCount * columnCount
    }
  }
}

extension ScaleTree {
  /// The stored bytes of each array, in the order of ``Scheme/parts(rowCount:columnCount:)``.
  fileprivate var arrays: [[UInt8]] {
    switch self {
    case .float32(let values): [values.storedBytes]
    case .float16(let bits), .bfloat16(let bits): [bits.storedBytes]
    case .e8m0(let codes): [codes]
    case .e4m3(let codes, let tensorScale): [codes, [tensorScale].storedBytes]
    case .doubleQuantized(let codes, let largest, let mean):
      [codes, largest.storedBytes, [mean].storedBytes]
    case .integer(let codes, _, _, let parent): [codes] + parent.arrays
    }
  }

  /// Takes the arrays of `format` off the front of `arrays`.
  fileprivate init(arrays: inout ArraySlice<[UInt8]>, format: ScaleFormat) {
    let first = arrays.popFirst() ?? []
    func floats() -> [Float] { .init(storedBytes: arrays.popFirst() ?? []) }
    switch format {
    case .float32: self = .float32(.init(storedBytes: first))
    case .float16: self = .float16(.init(storedBytes: first))
    case .bfloat16: self = .bfloat16(.init(storedBytes: first))
    case .e8m0: self = .e8m0(first)
    case .e4m3: self = .e4m3(first, tensorScale: floats().first ?? 0)
    case .doubleQuantized:
      let largest = floats()
      self = .doubleQuantized(codes: first, largest: largest, mean: floats().first ?? 0)
    case .integer(let bits, let isSigned, let parent):
      self = .integer(
        codes: first, bits: bits, isSigned: isSigned,
        parent: ScaleTree(arrays: &arrays, format: parent))
    }
  }
}

extension Array where Element: BitwiseCopyable {
  /// The elements' bytes; files are little-endian, as every supported machine is.
  fileprivate var storedBytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

  fileprivate init(storedBytes bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / MemoryLayout<Element>.stride).map {
        bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.stride, as: Element.self)
      }
    }
  }
}
