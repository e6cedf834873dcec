public import NibbleQuantization
public import NibbleTensors

/// How a tensor's bytes encode its values.
public enum StoredType: Hashable, Sendable {
  /// Plain numbers.
  case plain(DType)
  /// GGUF blocks along the last dimension.
  case blocks(GGMLType)

  /// The name that people know: "BF16", "Q4_K".
  public var name: String {
    switch self {
    case .plain(let type): type.rawValue
    case .blocks(let type): type.name
    }
  }

  /// Bits that one element takes, scales included.
  public var bitsPerWeight: Double {
    switch self {
    case .plain(let type): Double(type.bitCount)
    case .blocks(let type): type.bitsPerWeight
    }
  }
}

/// One tensor of a checkpoint: its name, shape and bytes in the file.
public struct TensorRecord: Sendable {
  /// The name in the file's own naming.
  public var name: String
  /// Dimensions, slowest first: `[rows, columns]` = output × input features of a linear layer.
  public var shape: [Int]
  /// How `bytes` encode the values.
  public var type: StoredType
  /// The encoded values, row-major.
  public var bytes: ByteView

  public init(name: String, shape: [Int], type: StoredType, bytes: ByteView) {
    self.name = name
    self.shape = shape
    self.type = type
    self.bytes = bytes
  }

  /// The product of the dimensions; 1 for a scalar.
  public var elementCount: Int { shape.reduce(1, *) }
  /// Elements of one row, the last dimension; 1 for a scalar.
  public var columnCount: Int { shape.last ?? 1 }
  /// Rows over all other dimensions.
  public var rowCount: Int { shape.dropLast().reduce(1, *) }
}
