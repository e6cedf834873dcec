public import NibbleCheckpoints
public import NibbleModels

/// What a checkpoint holds: its tensors, how many bits they take, what their values look like, and the memory they need.
public struct ModelInspection: Sendable {
  /// The path as the caller gave it.
  public var path: String
  /// The file format's name.
  public var format: String
  /// The architecture's name; nil where the files do not say it.
  public var architecture: String?
  /// The configuration; nil where the architecture is not known.
  public var config: ModelConfig?
  /// In file order.
  public var tensors: [TensorInspection]
  /// Bytes and bits by stored type, the largest first.
  public var types: [SizeShare]
  /// Bytes and bits by role, in the order of ``WeightRole``.
  public var roles: [SizeShare]
  /// The values of each role's tensors together.
  public var roleStatistics: [RoleStatistics]
  /// The weight matrices of each block together, by the block's index.
  public var blocks: [BlockRange]
  /// Bytes that the weights take in memory at several precisions.
  public var memory: [MemoryEstimate]
  /// The key-value cache; nil where the architecture is not known.
  public var cache: CacheEstimate?
  /// What Nibble keeps in the files about how they were made and verified; empty where another program wrote them.
  public var annotations: ModelAnnotations
  /// What the user should hear of, one line each.
  public var notes: [String]

  /// Elements of all tensors.
  public var parameterCount: Int { tensors.reduce(0) { $0 + $1.parameterCount } }
  /// Bytes of all tensors, without the file's header.
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }
  /// Bits that an element takes on average.
  public var bitsPerWeight: Double { SizeShare.bits(byteCount, parameterCount) }

  /// Tensors with outlier columns, that with the largest ratio first.
  public var outlierTensors: [TensorInspection] {
    let found = tensors.enumerated().filter { !($1.statistics?.outlierColumns.isEmpty ?? true) }
    return found.sorted { first, second in
      (second.element.outlierRatio, first.offset) < (first.element.outlierRatio, second.offset)
    }.map(\.element)
  }
}

/// One tensor of a checkpoint.
public struct TensorInspection: Sendable {
  /// The name in the file.
  public var name: String
  /// Dimensions, slowest first.
  public var shape: [Int]
  /// The stored type's name: "BF16", "Q4_K".
  public var type: String
  public var role: WeightRole
  /// The block's index; nil outside the blocks.
  public var block: Int?
  public var parameterCount: Int
  public var byteCount: Int
  /// nil for a tensor without elements, of a type that cannot be decoded, or that was not asked for.
  public var statistics: TensorStatistics?

  public var bitsPerWeight: Double { SizeShare.bits(byteCount, parameterCount) }
  /// The ratio of the most outlying column; 0 where none stands out.
  public var outlierRatio: Double { statistics?.outlierColumns.first?.ratio ?? 0 }
}

/// The size of the tensors that have something in common.
public struct SizeShare: Sendable, Equatable {
  /// What they have in common.
  public var name: String
  public var tensorCount = 0
  public var parameterCount = 0
  public var byteCount = 0

  init(name: String) { self.name = name }

  public var bitsPerWeight: Double { Self.bits(byteCount, parameterCount) }

  /// Bits an element; 0 without elements.
  static func bits(_ byteCount: Int, _ parameterCount: Int) -> Double {
    parameterCount > 0 ? 8 * Double(byteCount) / Double(parameterCount) : 0
  }

  mutating func add(_ tensor: TensorInspection) {
    tensorCount += 1
    parameterCount += tensor.parameterCount
    byteCount += tensor.byteCount
  }
}

/// The finite values of all tensors of one role.
public struct RoleStatistics: Sendable {
  public var role: WeightRole
  public var moments: CentralMoments
  public var minimum: Double
  public var maximum: Double
  /// Counts from the least to the greatest value.
  public var histogram: ValueHistogram.Intervals
  /// Counts from four standard deviations below to four above the mean, those beyond in the outer two.
  public var centralHistogram: ValueHistogram.Intervals
}

/// The values of one block's weight matrices.
public struct BlockRange: Sendable {
  public var block: Int
  public var moments: CentralMoments
  public var minimum: Double
  public var maximum: Double
}
