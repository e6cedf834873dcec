internal import NibbleTensors

/// How large the inputs of each layer are: llama.cpp's importance matrix, read from and written to its files.
///
/// A weight matters as much as its input is large: the mean of x² over tokens is the diagonal of the layer's second moment.
public struct ImportanceMatrix: Sendable, Equatable {
  /// The inputs of one tensor's layers: one for most, one for each expert of a stack.
  public struct Entry: Sendable, Equatable {
    /// The weight's name in GGUF files: "blk.0.attn_q.weight".
    public var name: String
    /// Input features of each layer.
    public var columnCount: Int
    /// Σ x² over tokens, `[layers, columnCount]`.
    public var squareSums: [Float]
    /// Tokens that each layer saw.
    public var counts: [Float]

    /// - Precondition: `squareSums` has `counts.count` rows of `columnCount`.
    public init(name: String, columnCount: Int, squareSums: [Float], counts: [Float]) {
      precondition(squareSums.count == counts.count * columnCount)
      self.name = name
      self.columnCount = columnCount
      self.squareSums = squareSums
      self.counts = counts
    }

    /// Layers in the tensor.
    public var layerCount: Int { counts.count }

    /// The mean of x² over tokens, `[columnCount]`; ones for a layer that saw none, so that all its weights count alike.
    public func importance(layer: Int = 0) -> [Float] {
      guard counts[layer] > 0 else { return [Float](repeating: 1, count: columnCount) }
      return squareSums[layer * columnCount..<(layer + 1) * columnCount].map { $0 / counts[layer] }
    }
  }

  /// In file order.
  public var entries: [Entry]
  /// The texts that were used.
  public var datasets: [String]
  /// Windows of text.
  public var windowCount: Int
  /// Tokens of a window; 0 where the file does not say.
  public var windowTokenCount: Int

  public init(
    entries: [Entry], datasets: [String] = [], windowCount: Int = 0, windowTokenCount: Int = 0
  ) {
    self.entries = entries
    self.datasets = datasets
    self.windowCount = windowCount
    self.windowTokenCount = windowTokenCount
  }

  /// The entry of that name.
  public subscript(name: String) -> Entry? { entries.first { $0.name == name } }

  /// Reads a file of llama.cpp: GGUF, or the format before it.
  ///
  /// - Throws: ``CheckpointError`` that names the file and what is wrong with it.
  public static func read(_ path: String) throws(CheckpointError) -> ImportanceMatrix {
    do {
      let view = try mapFile(path)
      let isGGUF = view.withUnsafeBytes { $0.starts(with: Array("GGUF".utf8)) }
      return isGGUF
        ? try ImportanceMatrix(Checkpoint.open(path)) : try ImportanceMatrix(legacy: view)
    } catch {
      throw error.inFile(path)
    }
  }
}

extension ImportanceMatrix.Entry {
  /// - Throws: ``CheckpointError/Code/invalidValue`` for sums or counts that no text gives.
  func requirePlausible() throws(CheckpointError) {
    guard squareSums.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw CheckpointError(
        .invalidValue, "holds a negative, infinite or undefined sum of squares", tensor: name)
    }
    guard counts.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw CheckpointError(
        .invalidValue, "holds a negative, infinite or undefined count", tensor: name)
    }
  }
}
