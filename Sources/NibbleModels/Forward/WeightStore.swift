internal import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors

/// A model's weights ready for use: matrices in their file bytes, vectors as floats.
struct WeightStore: Sendable {
  private let matrices: [TensorID: PackedMatrix]
  private let vectors: [TensorID: [Float]]
  /// The matrix that turns the hidden state into logits.
  let head: PackedMatrix
  /// The embedding table.
  let embedding: PackedMatrix

  /// - Throws: ``ModelError`` that names the tensor.
  init(_ source: ModelSource) throws {
    var matrices: [TensorID: PackedMatrix] = [:]
    var vectors: [TensorID: [Float]] = [:]
    let family = try source.requireFamily()
    for (id, record) in source.records {
      let origin = source.usedOrigin(of: id, record, family)
      let shape = id.role.shape(family.config)
      if id.part == .bias || shape.count == 1 {
        vectors[id] = try origin.floats()
      } else {
        matrices[id] = try origin.matrix(rowCount: shape[0], columnCount: shape[1])
      }
    }
    let embeddingID = TensorID(.tokenEmbedding)
    guard let embedding = matrices[embeddingID],
      let head = matrices[TensorID(.output)] ?? matrices[embeddingID]
    else { throw ModelError(.missing, "the embedding table is missing") }
    self.embedding = embedding
    self.head = head
    self.matrices = matrices
    self.vectors = vectors
  }

  func hasMatrix(_ id: TensorID) -> Bool { matrices[id] != nil }

  /// A matrix that ``ModelSource`` has checked to be there.
  func matrix(_ id: TensorID) -> PackedMatrix {
    guard let matrix = matrices[id] else { preconditionFailure("no matrix \(id)") }
    return matrix
  }

  /// A vector that ``ModelSource`` has checked to be there.
  func vector(_ id: TensorID) -> [Float] {
    guard let vector = vectors[id] else { preconditionFailure("no vector \(id)") }
    return vector
  }

  /// The bias of a layer, where it has one.
  func bias(_ id: TensorID) -> [Float]? {
    var id = id
    id.part = .bias
    return vectors[id]
  }
}

extension ModelSource {
  /// A tensor as the forward pass uses it.
  fileprivate func usedOrigin(
    of id: TensorID, _ record: TensorRecord, _ family: ModelFamily
  ) -> TensorOrigin {
    switch family.difference(of: id) {
    case .none, .rotaryRows: TensorOrigin(record)
    case .lessOne: TensorOrigin(record, offset: naming == .huggingFace ? 1 : 0)
    case .transposed: TensorOrigin(record, order: isTransposed(record) ? .transposed : .same)
    }
  }
}
