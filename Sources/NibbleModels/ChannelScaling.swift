/// Factors for rows and columns of a model's tensors with which it computes what it did without them: in each scaling
/// group that takes part, the producer is divided and its consumers are multiplied.
///
/// Rows and columns are those of the forward pass: `[output features, input features]`, rows in the order of the model's
/// file.
package struct ChannelScaling: Sendable {
  /// What a tensor is multiplied by.
  package struct Factors: Sendable, Equatable {
    /// One for each output feature, or each element of a vector; nil where all are 1.
    package var rows: [Float]?
    /// One for each input feature; nil where all are 1.
    package var columns: [Float]?

    package init(rows: [Float]? = nil, columns: [Float]? = nil) {
      self.rows = rows
      self.columns = columns
    }
  }

  private var factors: [TensorID: Factors] = [:]

  package init() {}

  package var isEmpty: Bool { factors.isEmpty }

  /// The factors of a tensor; nil where it stays as it is.
  package subscript(id: TensorID) -> Factors? { factors[id] }

  /// Lets a group take part.
  ///
  /// - Parameters:
  ///   - group: one of the model's groups.
  ///   - scales: what each column of the consumers is multiplied by, positive; equal for columns that share a producer's
  ///     row.
  ///   - model: the model.
  /// - Throws: ``ModelError/Code/unknownArchitecture``.
  package mutating func scale(
    _ group: BlockScalingGroup, by scales: [Float], of model: ModelSource
  ) throws(ModelError) {
    precondition(scales.count == group.producerRows.count)
    let family = try model.requireFamily()
    var rows = [Float](repeating: 1, count: group.producer.role.shape(family.config)[0])
    for (row, scale) in zip(group.producerRows, scales) { rows[row] = 1 / scale }
    for part in [TensorID.Part.weight, .bias] {
      var id = group.producer
      id.part = part
      guard model.records[id] != nil else { continue }
      precondition(factors[id]?.rows == nil)
      factors[id, default: Factors()].rows = rows
    }
    for id in group.consumers {
      precondition(factors[id]?.columns == nil)
      factors[id, default: Factors()].columns = scales
    }
  }
}

extension ModelSource {
  /// Whether files in the naming `target` hold a tensor's values less by one than the forward pass uses them.
  package func isLessByOne(_ id: TensorID, in target: TensorNaming) -> Bool {
    family?.difference(of: id) == .lessOne && target == .huggingFace
  }
}
