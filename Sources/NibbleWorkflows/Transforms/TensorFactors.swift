internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleTensors

/// What the rows and columns of one of the output's tensors are multiplied by.
struct TensorFactors: Sendable {
  /// Of each expert's matrix, or of the whole tensor; nil where it stays as it is.
  private let parts: [ChannelScaling.Factors?]
  /// Rows of each part.
  private let partRowCount: Int
  /// By how much the output holds less than the values that are multiplied.
  private let offset: Float

  /// - Parameters:
  ///   - parts: rows and columns as the output has them.
  ///   - partRowCount: rows of each part.
  ///   - offset: by how much the output holds less than the values that are multiplied.
  init(_ parts: [ChannelScaling.Factors?], partRowCount: Int, offset: Float) {
    self.parts = parts
    self.partRowCount = partRowCount
    self.offset = offset
  }

  /// A hash of all factors.
  var hash: ByteHash {
    let values = parts.flatMap { [$0?.rows ?? [], $0?.columns ?? []] }
    return (values.map { Float($0.count) } + values.flatMap(\.self)).withUnsafeBytes {
      ByteHash($0)
    }
  }

  /// Multiplies rows of the tensor.
  ///
  /// - Parameters:
  ///   - values: `[rows.count, columnCount]`, row-major.
  ///   - rows: which rows of the tensor these are.
  ///   - columnCount: columns of the tensor.
  func apply(to values: UnsafeMutableBufferPointer<Float>, _ rows: Range<Int>, _ columnCount: Int) {
    change(values, rows, columnCount) { $0 * $1 }
  }

  /// Takes the factors off rows of the tensor.
  func undo(on values: UnsafeMutableBufferPointer<Float>, _ rows: Range<Int>, _ columnCount: Int) {
    change(values, rows, columnCount) { $0 / $1 }
  }

  @inline(__always)
  private func change(
    _ values: UnsafeMutableBufferPointer<Float>, _ rows: Range<Int>, _ columnCount: Int,
    _ body: (Float, Float) -> Float
  ) {
    for (index, row) in rows.enumerated() {
      let (part, inside) = row.quotientAndRemainder(dividingBy: partRowCount)
      guard let factors = parts[part] else { continue }
      let line = UnsafeMutableBufferPointer(
        rebasing: values[index * columnCount..<(index + 1) * columnCount])
      let rowFactor = factors.rows?[inside] ?? 1
      if let columns = factors.columns {
        for column in 0..<columnCount {
          line[column] = body(line[column] + offset, columns[column] * rowFactor) - offset
        }
      } else {
        for column in 0..<columnCount {
          line[column] = body(line[column] + offset, rowFactor) - offset
        }
      }
    }
  }
}

extension TensorTask {
  /// The task with its tensor scaled. Norms and other small tensors become F32, since what they are divided by must be what
  /// their readers are multiplied by.
  func scaled(
    by scaling: ChannelScaling, of model: ModelSource, in naming: TensorNaming
  ) -> TensorTask {
    guard let id, case .stored(let origin) = origin, !scaling.isEmpty else { return self }
    let isStack = id.role.isExpert && id.expert == nil
    let parts = origin.records.indices.map { index -> ChannelScaling.Factors? in
      var part = id
      if isStack { part.expert = index }
      guard var factors = scaling[part] else { return nil }
      factors.rows = factors.rows.map { rows in
        rows.indices.map { rows[origin.order.sourceRow($0)] }
      }
      return isTransposed
        ? ChannelScaling.Factors(rows: factors.columns, columns: factors.rows) : factors
    }
    guard parts.contains(where: { $0 != nil }) else { return self }
    var task = self
    task.factors = TensorFactors(
      parts, partRowCount: rowCount / origin.records.count,
      offset: model.isLessByOne(id, in: naming) ? 1 : 0)
    task.reason = [reason, "scaled"].compactMap { $0 }.joined(separator: "; ")
    if isSmall, type == .plain(.float16) || type == .plain(.bfloat16) {
      task.type = .plain(.float32)
      task.reason = task.reason?.replacing(type.name, with: task.type.name)
    }
    return task
  }

  /// Whether the tensor is kept in floats whatever the type of the matrices: vectors and routers.
  var isSmall: Bool { shape.count < 2 || id?.role == .router }
}
