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

  init(_ source: ModelSource) throws {
    var matrices: [TensorID: PackedMatrix] = [:]
    var vectors: [TensorID: [Float]] = [:]
    for (id, record) in source.records {
      if record.shape.count == 1 {
        vectors[id] = try record.floats()
      } else {
        matrices[id] = try record.matrix()
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
    vectors[TensorID(id.role, block: id.block, part: .bias)]
  }
}
