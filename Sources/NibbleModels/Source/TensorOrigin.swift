package import NibbleCheckpoints

/// The order of a tensor's elements in a target, relative to the file.
///
/// GGUF files of the llama architecture keep the rows of Q and K so that the features that turn together are neighbours;
/// Hugging Face keeps them half a head apart. Hugging Face's GPT-2 stores matrices as `[input, output]`.
public enum RowOrder: Sendable, Equatable {
  case same
  /// Hugging Face to GGUF: row `2i + p` of a head comes from row `p · size / 2 + i`.
  case interleaved(headRowCount: Int)
  /// GGUF to Hugging Face: row `p · size / 2 + i` of a head comes from row `2i + p`.
  case halves(headRowCount: Int)
  /// Row `i` is column `i` of the file's matrix.
  case transposed

  /// The order that undoes this one.
  public var inverse: RowOrder {
    switch self {
    case .same, .transposed: self
    case .interleaved(let count): .halves(headRowCount: count)
    case .halves(let count): .interleaved(headRowCount: count)
    }
  }

  /// The source row that holds target row `row`, where rows are moved as a whole.
  public func sourceRow(_ row: Int) -> Int {
    switch self {
    case .same, .transposed: return row
    case .interleaved(let count):
      let (head, inside) = row.quotientAndRemainder(dividingBy: count)
      return head * count + inside % 2 * (count / 2) + inside / 2
    case .halves(let count):
      let (head, inside) = row.quotientAndRemainder(dividingBy: count)
      return head * count + inside % (count / 2) * 2 + inside / (count / 2)
    }
  }
}

/// Where a tensor's values stand in the files, and what turns them into the values of a target.
package struct TensorOrigin: Sendable {
  /// The stored tensors, all of one type and shape, that follow one another along the first dimension; usually one.
  package let records: [TensorRecord]
  /// The order of the target's elements.
  package let order: RowOrder
  /// What is added to every value.
  package let offset: Float

  package init(_ record: TensorRecord, order: RowOrder = .same, offset: Float = 0) {
    self.init([record], order: order, offset: offset)
  }

  package init(_ records: [TensorRecord], order: RowOrder, offset: Float) {
    precondition(!records.isEmpty)
    self.records = records
    self.order = order
    self.offset = offset
  }

  /// How the values are stored.
  package var type: StoredType { records[0].type }
  package var byteCount: Int { records.reduce(0) { $0 + $1.byteCount } }
  package var elementCount: Int { records.reduce(0) { $0 + $1.elementCount } }
  /// The stored tensor's name, in messages.
  package var name: String { records[0].name }
  /// Whether bytes can be taken as they are, row by row.
  package var keepsBytes: Bool { offset == 0 }

  /// The same values with rows and columns exchanged.
  package var transposed: TensorOrigin {
    precondition(order == .same || order == .transposed)
    return TensorOrigin(records, order: order == .same ? .transposed : .same, offset: offset)
  }

  /// Lets the system drop all pages.
  package func releasePages() {
    for record in records { record.releasePages() }
  }
}
