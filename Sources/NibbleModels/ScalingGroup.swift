/// A set of tensors whose input channels can be scaled against what produces them, without changing what the model
/// computes: dividing the producer's channel by s and multiplying that column of every consumer by s cancels out. What
/// activation-aware methods rely on (Xiao et al. 2023, arXiv:2211.10438; Lin et al. 2024, arXiv:2306.00978).
public struct ScalingGroup: Sendable, Equatable {
  /// What makes the consumers' input.
  public enum Producer: Sendable, Equatable {
    /// A normalization's weight, and its bias where it has one.
    case norm(TensorRole)
    /// Rows of a layer, and their biases.
    case rows(TensorRole, RowPart)
  }

  /// Which rows of a layer.
  public enum RowPart: Sendable, Equatable {
    case all
    /// The value rows of a matrix of queries, keys and values.
    case values
    /// The second half, of a matrix of gate and up.
    case secondHalf
  }

  public let producer: Producer
  /// The layers that read it; their weights' columns.
  public let consumers: [TensorRole]

  init(_ producer: Producer, _ consumers: TensorRole...) {
    self.producer = producer
    self.consumers = consumers
  }
}

extension [ScalingGroup] {
  /// Those of attention with a matrix each for queries, keys and values.
  static let attention: [ScalingGroup] = [
    ScalingGroup(.norm(.attentionNorm), .query, .key, .value),
    ScalingGroup(.rows(.value, .all), .attentionOutput),
  ]

  /// Those of a gated feed-forward network.
  static let gatedFeedForward: [ScalingGroup] = [
    ScalingGroup(.norm(.feedForwardNorm), .gate, .up),
    ScalingGroup(.rows(.up, .all), .down),
  ]

  /// Those of a mixture of gated experts.
  static let experts: [ScalingGroup] = [
    ScalingGroup(.norm(.feedForwardNorm), .router, .expertGate, .expertUp),
    ScalingGroup(.rows(.expertUp, .all), .expertDown),
  ]
}

/// A scaling group of one block, with its tensors.
package struct BlockScalingGroup: Sendable {
  /// The tensor whose rows or elements are divided; its bias likewise.
  package let producer: TensorID
  /// The tensors whose columns are multiplied.
  package let consumers: [TensorID]
  /// For each column of the consumers, the producer's row or element. Columns that share one are scaled together: heads
  /// that share a value head.
  package let producerRows: [Int]
}

extension ModelSource {
  /// The scaling groups of block `index`, each expert's layers in groups of their own.
  ///
  /// - Throws: ``ModelError/Code/unknownArchitecture``.
  package func scalingGroups(ofBlock index: Int) throws(ModelError) -> [BlockScalingGroup] {
    let family = try requireFamily()
    return family.architecture.scalingGroups.flatMap { group in
      family.groups(group, block: index) { records[$0] != nil }
    }
  }
}

extension ModelFamily {
  fileprivate func groups(
    _ group: ScalingGroup, block: Int, isThere: (TensorID) -> Bool
  ) -> [BlockScalingGroup] {
    let producer: TensorRole
    var part = ScalingGroup.RowPart.all
    switch group.producer {
    case .norm(let role): producer = role
    case .rows(let role, let rows): (producer, part) = (role, rows)
    }
    let rows = producerRows(group, part)
    let experts: [Int?] = producer.isExpert ? (0..<config.expertCount).map { $0 } : [nil]
    return experts.compactMap { expert in
      let consumers = group.consumers.flatMap { role -> [TensorID] in
        guard role.isExpert, expert == nil else {
          return [TensorID(role, block: block, expert: role.isExpert ? expert : nil)]
        }
        return (0..<config.expertCount).map { TensorID(role, block: block, expert: $0) }
      }
      let id = TensorID(producer, block: block, expert: expert)
      guard isThere(id), consumers.allSatisfy(isThere) else { return nil }
      return BlockScalingGroup(producer: id, consumers: consumers, producerRows: rows)
    }
  }

  private func producerRows(_ group: ScalingGroup, _ part: ScalingGroup.RowPart) -> [Int] {
    let columnCount = group.consumers[0].shape(config)[1]
    return (0..<columnCount).map { column in
      guard group.consumers[0] == .attentionOutput else {
        return part == .secondHalf ? columnCount + column : column
      }
      let (head, feature) = column.quotientAndRemainder(dividingBy: config.headFeatureCount)
      let valueHead = head / (config.headCount / config.keyValueHeadCount)
      let first = part == .values ? config.queryFeatureCount + config.keyFeatureCount : 0
      return first + valueHead * config.headFeatureCount + feature
    }
  }
}
