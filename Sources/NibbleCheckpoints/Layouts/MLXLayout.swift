public import NibbleQuantization
internal import NibbleTensors

/// MLX's arrangement of a quantized matrix (Docs/Formats/mlx.md).
///
/// Codes fill 32-bit words along each row, the first in the lowest bits; a row is a whole number of words, so that its bytes
/// are those of ``SchemeLayout``. Mode "affine" has a scale and a bias for each group, `value = code * scale + bias`, which is a
/// scheme with minima. Mode "mxfp4" has exponents for scales and no biases; its codes are the bits of E2M1 numbers.
public struct MLXLayout: ArrayLayout {
  /// The widths that MLX has kernels for.
  static let bitCounts = [2, 3, 4, 5, 6, 8]
  /// The group lengths of mode "affine".
  static let groupLengths = [32, 64, 128]

  public init() {}

  public func canRepresent(_ scheme: Scheme) -> Bool { obstacle(to: scheme) == nil }

  public func obstacle(to scheme: Scheme, rowCount: Int, columnCount: Int) -> String? {
    if let obstacle = obstacle(to: scheme) { return obstacle }
    guard case .group(let length) = scheme.granularity else { return nil }
    guard rowCount >= 0, columnCount >= 0, columnCount % length == 0 else {
      return "rows of \(columnCount) are no multiple of \(length), MLX's groups are whole"
    }
    do {
      _ = try scheme.parts(rowCount: rowCount, columnCount: columnCount)
      return nil
    } catch {
      return error.message
    }
  }

  /// Why no matrix of `scheme` can be stored.
  private func obstacle(to scheme: Scheme) -> String? {
    if Self.isMicroscaling(scheme) { return nil }
    guard !scheme.hasColumnOrder else {
      return "MLX keeps columns as they stand, and \(scheme) orders them"
    }
    guard case .uint(let bits) = scheme.element, case .minimum(let minimum) = scheme.offset else {
      return "MLX stores a minimum for each group of unsigned codes, and \(scheme) has none"
    }
    guard Self.bitCounts.contains(bits) else {
      return "MLX has codes of 2, 3, 4, 5, 6 and 8 bits, and \(scheme) has \(bits)"
    }
    guard case .group(let length) = scheme.granularity, Self.groupLengths.contains(length) else {
      return "MLX has groups of 32, 64 and 128, not those of \(scheme)"
    }
    guard scheme.scale == minimum, Self.numberType(minimum) != nil else {
      return "MLX stores scales and minima alike, as F16, BF16 or F32, not as \(scheme) does"
    }
    return nil
  }

  public func parts(
    _ scheme: Scheme, rowCount: Int, columnCount: Int
  ) throws(QuantizationError) -> [SchemePart] {
    try check(scheme, rowCount, columnCount)
    guard case .group(let length) = scheme.granularity else { return [] }
    let groups = [rowCount, columnCount / length]
    var parts = [
      SchemePart(
        name: "weight", type: .uint32,
        shape: [rowCount, columnCount / 32 * scheme.element.bitCount], isPerRow: true)
    ]
    if let type = Self.numberType(scheme.scale) {
      for name in ["scales", "biases"] {
        parts.append(SchemePart(name: name, type: type, shape: groups, isPerRow: true))
      }
    } else {
      parts.append(SchemePart(name: "scales", type: .uint8, shape: groups, isPerRow: true))
    }
    return parts
  }

  public func pack(_ tensor: QuantizedTensor) throws(QuantizationError) -> [NamedBytes] {
    let parts = try parts(
      tensor.scheme, rowCount: tensor.rowCount, columnCount: tensor.columnCount)
    let arrays = try SchemeLayout().pack(
      Self.isMicroscaling(tensor.scheme) ? tensor.withCodes(Self.floatBits) : tensor)
    return zip(parts, arrays).map { NamedBytes(name: $0.name, bytes: $1.bytes) }
  }

  public func unpack(
    _ parts: [NamedBytes], rowCount: Int, columnCount: Int, scheme: Scheme
  ) throws(QuantizationError) -> QuantizedTensor {
    try check(scheme, rowCount, columnCount)
    let tensor = try SchemeLayout().unpack(
      parts, rowCount: rowCount, columnCount: columnCount, scheme: scheme)
    return Self.isMicroscaling(scheme) ? try tensor.withCodes(Self.levelIndices) : tensor
  }

  private func check(
    _ scheme: Scheme, _ rowCount: Int, _ columnCount: Int
  ) throws(QuantizationError) {
    try requireStorable(scheme, rowCount: rowCount, columnCount: columnCount)
  }

  /// The type of a scale or bias of mode "affine".
  private static func numberType(_ format: ScaleFormat) -> DType? {
    switch format {
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .float32: .float32
    default: nil
    }
  }

  /// Mode "mxfp4": blocks of 32 as the OCP Microscaling formats define them.
  static let microscaling = Scheme(element: .codebook(.e2m1), granularity: .group(32), scale: .e8m0)

  private static func isMicroscaling(_ scheme: Scheme) -> Bool { scheme == microscaling }

  /// The bits of the E2M1 number of each level, ascending from -6: a sign, then the magnitude's place.
  private static let floatBits: [UInt8] = (0..<16).map { $0 < 8 ? 15 - $0 : $0 - 8 }

  /// The level of each E2M1 number.
  private static let levelIndices: [UInt8] = (0..<16).map { $0 < 8 ? $0 + 8 : 15 - $0 }
}

extension QuantizedTensor {
  /// The tensor with each 4-bit code replaced by its entry in `table`.
  fileprivate func withCodes(_ table: [UInt8]) throws(QuantizationError) -> QuantizedTensor {
    let replaced = [UInt8](unsafeUninitializedCapacity: codes.count) { target, initialized in
      table.withUnsafeBufferPointer { table in
        codes.withUnsafeBufferPointer { codes in
          for index in 0..<codes.count { target[index] = table[Int(codes[index] & 15)] }
        }
      }
      initialized = codes.count
    }
    return try QuantizedTensor(
      rowCount: rowCount, columnCount: columnCount, scheme: scheme, codes: replaced, scales: scales)
  }
}
