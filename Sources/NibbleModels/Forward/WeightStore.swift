internal import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors

/// A model's weights ready for use: matrices in their file bytes or arranged for integer products, vectors as floats.
struct WeightStore: Sendable {
  private let matrices: [TensorID: PackedMatrix]
  private let vectors: [TensorID: [Float]]
  /// The matrix that turns the hidden state into logits.
  let head: PackedMatrix
  /// The embedding table.
  let embedding: PackedMatrix
  /// How layers take their input: the form that serves all of them.
  let activationForm: ActivationForm

  /// - Parameters:
  ///   - source: the model's files.
  ///   - pool: the threads that arrange schemes for integer products; nil keeps their products in float.
  /// - Throws: ``ModelError`` that names the tensor.
  init(_ source: ModelSource, arrangedBy pool: WorkerPool?) throws {
    var matrices: [TensorID: PackedMatrix] = [:]
    var vectors: [TensorID: [Float]] = [:]
    var arranged: [ArrangedMatrix] = []
    let family = try source.requireFamily()
    for (id, record) in source.records {
      let origin = source.usedOrigin(of: id, record, family)
      let shape = id.role.shape(family.config)
      if id.part == .bias || shape.count == 1 {
        vectors[id] = try origin.floats()
      } else if pool != nil, case .scheme = record.type {
        arranged.append(ArrangedMatrix(id: id, origin: origin, shape: shape))
      } else {
        matrices[id] = try origin.matrix(
          rowCount: shape[0], columnCount: shape[1], arrangedBy: nil)
      }
    }
    if let pool {
      for (id, matrix) in try ArrangedMatrix.make(arranged, pool) { matrices[id] = matrix }
    }
    let embeddingID = TensorID(.tokenEmbedding)
    guard let embedding = matrices[embeddingID],
      let head = matrices[TensorID(.output)] ?? matrices[embeddingID]
    else { throw ModelError(.missing, "the embedding table is missing") }
    self.embedding = embedding
    self.head = head
    activationForm =
      matrices.lazy.filter { $0.key != embeddingID }.map(\.value.activationForm).max() ?? .floats
    self.matrices = matrices
    self.vectors = vectors
  }

  /// Bytes of memory beside the files': those of matrices that were arranged for integer products.
  var arrangedByteCount: Int { matrices.values.reduce(0) { $0 + $1.arrangedByteCount } }

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

/// A matrix of a scheme that is to be arranged for integer products.
private struct ArrangedMatrix {
  let id: TensorID
  let origin: TensorOrigin
  let shape: [Int]

  /// Arranges matrices, each on one thread, largest first: what unpacks another tool's arrays has one thread only.
  ///
  /// - Throws: ``ModelError`` that names the first tensor, in this order, that cannot be used.
  static func make(
    _ unsorted: [ArrangedMatrix], _ pool: WorkerPool
  ) throws -> [(TensorID, PackedMatrix)] {
    let matrices = unsorted.sorted {
      ($1.origin.byteCount, $0.origin.name) < ($0.origin.byteCount, $1.origin.name)
    }
    let partCount = min(pool.threadCount, matrices.count)
    var results = [Result<PackedMatrix, any Error>?](repeating: nil, count: matrices.count)
    results.withUnsafeMutableBufferPointer { results in
      let results = results
      pool.rows(partCount) { parts in
        for part in parts {
          for index in stride(from: part, to: matrices.count, by: partCount) {
            let matrix = matrices[index]
            results[index] = Result {
              try matrix.origin.matrix(
                rowCount: matrix.shape[0], columnCount: matrix.shape[1], arrangedBy: pool)
            }
          }
        }
      }
    }
    var made: [(TensorID, PackedMatrix)] = []
    for (matrix, result) in zip(matrices, results) {
      guard let result else { continue }
      made.append((matrix.id, try result.get()))
    }
    return made
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
