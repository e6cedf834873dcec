public import NibbleQuantization
public import NibbleTensors

/// How a tensor's bytes encode its values.
public enum StoredType: Hashable, Sendable {
  /// Plain numbers.
  case plain(DType)
  /// GGUF blocks along the last dimension.
  case blocks(GGMLType)
  /// The arrays of a scheme (`Scheme.parts`), in a file each under a name of its own.
  case scheme(Scheme)

  /// The name that people know: "BF16", "Q4_K".
  public var name: String {
    switch self {
    case .plain(let type): type.rawValue
    case .blocks(let type): type.name
    case .scheme(let scheme): scheme.description
    }
  }

  /// Whether the values went through a quantizer.
  public var isQuantized: Bool {
    switch self {
    case .plain: false
    case .blocks, .scheme: true
    }
  }

  /// The scheme of quantized values; nil for plain numbers and for blocks that Nibble cannot make.
  public var scheme: Scheme? {
    switch self {
    case .plain: nil
    case .blocks(let type): type.scheme
    case .scheme(let scheme): scheme
    }
  }

  /// Bits that one element takes, scales included; for schemes, in a large matrix.
  public var bitsPerWeight: Double {
    switch self {
    case .plain(let type): Double(type.bitCount)
    case .blocks(let type): type.bitsPerWeight
    case .scheme(let scheme): scheme.bitsPerWeight
    }
  }
}

/// One tensor of a checkpoint: its name, shape and bytes in the file.
public struct TensorRecord: Sendable {
  /// The name in the file's own naming.
  public var name: String
  /// Dimensions, slowest first: `[rows, columns]` = output × input features of a linear layer.
  public var shape: [Int]
  /// How `parts` encode the values.
  public var type: StoredType
  /// The encoded values, row-major: one view, or one for each array of a scheme.
  public var parts: [ByteView]
  /// What reads the parts of a scheme that another tool's format arranges; nil for Nibble's own arrays.
  public var layout: (any ArrayLayout)?

  public init(name: String, shape: [Int], type: StoredType, bytes: ByteView) {
    self.init(name: name, shape: shape, type: type, parts: [bytes])
  }

  /// - Precondition: `parts` is not empty.
  public init(name: String, shape: [Int], type: StoredType, parts: [ByteView]) {
    precondition(!parts.isEmpty)
    self.name = name
    self.shape = shape
    self.type = type
    self.parts = parts
  }

  /// The encoded values of a tensor of one part; the codes of a scheme.
  public var bytes: ByteView { parts[0] }
  /// Bytes of all parts.
  public var byteCount: Int { parts.reduce(0) { $0 + $1.count } }
  /// The product of the dimensions; 1 for a scalar.
  public var elementCount: Int { shape.reduce(1, *) }
  /// Elements of one row, the last dimension; 1 for a scalar.
  public var columnCount: Int { shape.last ?? 1 }
  /// Rows over all other dimensions.
  public var rowCount: Int { shape.dropLast().reduce(1, *) }
}

extension TensorRecord {
  /// The rows of a tensor that is stored as a scheme.
  ///
  /// - Throws: ``CheckpointError`` for tensors of other types, and for arrays that do not fit the shape.
  public func schemeRows() throws(CheckpointError) -> SchemeRows {
    guard case .scheme(let scheme) = type else {
      throw CheckpointError(
        .unsupported, "is stored as \(type.name), not as a scheme", tensor: name)
    }
    let parts = try ownParts()
    do {
      return try SchemeRows(
        scheme: scheme, rowCount: rowCount, columnCount: columnCount, parts: parts)
    } catch {
      throw CheckpointError(.malformed, error.message, tensor: name)
    }
  }

  /// The codes and scales of a tensor that is stored as a scheme or as blocks of one.
  ///
  /// - Throws: ``CheckpointError`` for tensors of other types, and for arrays that do not fit the shape.
  public func quantizedTensor() throws(CheckpointError) -> QuantizedTensor {
    try quantizedTensor(parts, rowCount: rowCount)
  }

  /// The codes and scales of some rows.
  ///
  /// - Precondition: ``hasOwnRows``, or `rows` are all of them.
  /// - Throws: as ``quantizedTensor()``.
  public func quantizedTensor(rows: Range<Int>) throws(CheckpointError) -> QuantizedTensor {
    if rows == 0..<rowCount { return try quantizedTensor() }
    guard let widths = rowByteCounts else {
      throw CheckpointError(.unsupported, "its rows are not stored one by one", tensor: name)
    }
    let views = zip(parts, widths).map { $0[rows.lowerBound * $1..<rows.upperBound * $1] }
    return try quantizedTensor(views, rowCount: rows.count)
  }

  /// Whether each row has its codes and scales to itself and can be read without the others.
  public var hasOwnRows: Bool { rowByteCounts != nil }

  /// What a row takes of each part; nil where rows share some.
  private var rowByteCounts: [Int]? {
    let widths: [Int]
    switch type {
    case .plain: return nil
    case .blocks(let type):
      guard type.scheme != nil, let width = type.rowByteCount(columnCount: columnCount) else {
        return nil
      }
      widths = [width]
    case .scheme(let scheme):
      guard let found = (layout ?? SchemeLayout()).rowByteCounts(scheme, columnCount: columnCount)
      else { return nil }
      widths = found
    }
    guard widths.count == parts.count,
      zip(widths, parts).allSatisfy({ $0 * rowCount == $1.count })
    else { return nil }
    return widths
  }

  private func quantizedTensor(
    _ parts: [ByteView], rowCount: Int
  ) throws(CheckpointError) -> QuantizedTensor {
    guard let scheme = type.scheme else {
      throw CheckpointError(.unsupported, "is stored as \(type.name), without codes", tensor: name)
    }
    var layout: any WeightLayout = self.layout ?? SchemeLayout()
    if case .blocks = type { layout = GGMLBlocks() }
    do {
      return try layout.unpack(
        parts.map { part in NamedBytes(bytes: part.withUnsafeBytes { [UInt8]($0) }) },
        rowCount: rowCount, columnCount: columnCount, scheme: scheme)
    } catch {
      throw CheckpointError(.malformed, error.message, tensor: name)
    }
  }

  /// The same values in Nibble's own arrays: the same bits a weight, never floats.
  private func ownParts() throws(CheckpointError) -> [ByteView] {
    guard layout != nil else { return parts }
    let tensor = try quantizedTensor()
    do {
      return try SchemeLayout().pack(tensor).map { Storage(copying: $0.bytes).view }
    } catch {
      throw CheckpointError(.malformed, error.message, tensor: name)
    }
  }

  /// Lets the system drop the pages of all parts.
  public func releasePages() {
    for part in parts { part.releasePages() }
  }

  /// Lets the system drop the pages of some rows, where rows are stored one by one.
  public func releasePages(rows: Range<Int>) {
    guard let widths = rowByteCounts else { return }
    for (part, width) in zip(parts, widths) {
      part[rows.lowerBound * width..<rows.upperBound * width].releasePages()
    }
  }
}
