internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

/// One tensor of a job's output: where its values come from and how they will be stored.
struct TensorTask: Sendable {
  /// Where the values come from.
  enum Origin: Sendable {
    /// A tensor of the source as the output needs it.
    case stored(TensorOrigin)
    case generated([Float])
  }

  /// The name in the output.
  var name: String
  /// What the tensor does in the model; nil for tensors that the output needs beyond the model's.
  var id: TensorID?
  /// Dimensions, slowest first.
  var shape: [Int]
  var origin: Origin
  /// How the output stores the values.
  var type: StoredType
  /// Why the type is what it is, where that is not plain.
  var reason: String?
  /// What finds codes and scales, where the type is a scheme.
  var method = RoundToNearest()
  /// What finds the codes again of weights that lie on the type's grid already; nil for others.
  var recovery: GridRecovery?
  /// Whether the codes are found while text runs through the model.
  var isCalibrated = false
  /// Whether the source's codes are kept and only arranged, or written as another scheme, anew.
  var isRepacked = false
  /// How another tool's folder arranges the matrix; nil for GGUF and for Nibble's own arrays.
  var folderFormat: (any FolderFormat)?
  /// What the source's values are multiplied by; nil where they stay as they are.
  var factors: TensorFactors?
  /// Whether the output holds plain numbers as `[input features, output features]`.
  private(set) var isTransposed = false

  init(_ tensor: MappedTensor, type: StoredType, reason: String?) {
    name = tensor.name
    id = tensor.id
    if case .plain = type, tensor.isTransposedWhenPlain {
      shape = tensor.shape.reversed()
      origin = .stored(tensor.origin.transposed)
      isTransposed = true
    } else {
      shape = tensor.shape
      origin = .stored(tensor.origin)
    }
    self.type = type
    self.reason = reason
  }

  init(_ tensor: GeneratedTensor, type: StoredType) {
    name = tensor.name
    shape = tensor.shape
    origin = .generated(tensor.values)
    self.type = type
    reason = "computed from the configuration"
  }

  /// How the source stores the values.
  var sourceType: StoredType {
    if case .stored(let origin) = origin { origin.type } else { .plain(.float32) }
  }

  var plan: TensorPlan {
    var plan = TensorPlan(name: name, shape: shape, type: type)
    if let folderFormat, case .scheme(let scheme) = type {
      plan.arrays = parts(scheme).map {
        TensorPlan(
          name: folderFormat.arrayName($0.name, of: name), shape: $0.shape, type: .plain($0.type))
      }
    }
    return plan
  }
  var elementCount: Int { shape.reduce(1, *) }

  /// Whether each element counts as a row: those of a vector of plain numbers, which may have to change their order.
  private var hasElementRows: Bool {
    guard shape.count < 2, case .plain = sourceType, case .plain = type else { return false }
    return true
  }

  /// Elements of one row.
  var columnCount: Int { hasElementRows ? 1 : shape.last ?? 1 }
  /// Rows over all dimensions but the last.
  var rowCount: Int { hasElementRows ? elementCount : shape.dropLast().reduce(1, *) }

  /// Bytes of a row in the source.
  var sourceRowByteCount: Int { rowByteCount(sourceType) }
  /// Bytes of a row in the output.
  var rowByteCount: Int { rowByteCount(type) }

  private func rowByteCount(_ type: StoredType) -> Int {
    switch type {
    case .plain(let type): columnCount * type.bitCount / 8
    case .blocks(let type): type.rowByteCount(columnCount: columnCount) ?? 0
    case .scheme(let scheme): parts(scheme).reduce(0) { $0 + $1.rowByteCount }
    }
  }

  /// The arrays of a scheme with this tensor's shape; none where its rows are no whole blocks.
  func parts(_ scheme: Scheme) -> [SchemePart] {
    (try? arrayLayout(scheme).parts(scheme, rowCount: rowCount, columnCount: columnCount)) ?? []
  }

  /// How the output arranges the arrays of a scheme.
  func arrayLayout(_ scheme: Scheme) -> any ArrayLayout {
    folderFormat?.layout(for: scheme) ?? SchemeLayout()
  }

  /// Why the output cannot store the tensor as `scheme`; nil when it can.
  func obstacle(to scheme: Scheme) -> String? {
    if shape.count != 2, folderFormat != nil || scheme.hasColumnOrder {
      return "a tensor of \(shape.count) dimensions is no matrix, as \(scheme) is stored there"
    }
    if let folderFormat {
      return folderFormat.obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount)
    }
    return SchemeLayout().obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount)
  }

  /// How the output arranges a quantized tensor.
  var layout: any WeightLayout {
    if case .scheme(let scheme) = type { arrayLayout(scheme) } else { GGMLBlocks() }
  }

  /// Bytes of the whole tensor in the output.
  var byteCount: Int {
    guard case .scheme(let scheme) = type else { return rowCount * rowByteCount }
    return parts(scheme).reduce(0) { $0 + $1.byteCount }
  }

  /// Bits that one weight takes in the output, scales included.
  var bitsPerWeight: Double {
    guard case .scheme(let scheme) = type else { return type.bitsPerWeight }
    return scheme.bitsPerWeight(rowCount: rowCount, columnCount: columnCount)
  }

  /// Whether any rows can be made without the others.
  var isRowLocal: Bool {
    if isRepacked { return keepsRows && storesRows }
    if folderFormat != nil && type.isQuantized || readsForeignArrays { return false }
    return if case .scheme(let scheme) = type { scheme.isRowLocal } else { true }
  }

  /// Whether the output has the codes and scales of each row together.
  private var storesRows: Bool {
    guard case .scheme(let scheme) = type else { return true }
    return arrayLayout(scheme).rowByteCounts(scheme, columnCount: columnCount) != nil
  }
}

extension TensorTask {
  /// Whether the source's arrays are another tool's, which are read as a whole.
  private var readsForeignArrays: Bool {
    if case .stored(let origin) = origin {
      origin.records.contains { $0.layout != nil }
    } else {
      false
    }
  }
}

/// A few whole rows of a task, the unit of work; all rows where they share a scale. The cut depends on shape and type
/// alone.
struct RowChunk: Sendable {
  /// The task's index.
  var task: Int
  var rows: Range<Int>

  /// Elements that a chunk aims for: a quarter of a megabyte of floats, which fits a core's own cache.
  private static let elementCount = 1 << 16
  /// The same where codes are kept, of a byte each.
  static let codeCount = 1 << 18

  /// All chunks of `tasks`, in order.
  static func cut(_ tasks: [TensorTask]) -> [RowChunk] {
    tasks.enumerated().flatMap { index, task in
      let step =
        task.isRowLocal && task.columnCount > 0
        ? max(1, (task.isRepacked ? codeCount : elementCount) / task.columnCount)
        : max(task.rowCount, 1)
      return stride(from: 0, to: task.rowCount, by: step).map { first in
        RowChunk(task: index, rows: first..<min(first + step, task.rowCount))
      }
    }
  }
}
