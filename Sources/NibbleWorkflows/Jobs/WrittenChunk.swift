internal import NibbleQuantization

/// What a job has written for one chunk, for the comparison with what is reopened.
struct WrittenChunk: Sendable {
  /// A hash of the chunk's bytes in the output.
  var bytes: ByteHash
  /// The codes and scales that these bytes stand for, where they were taken from the source's; nil for others.
  var tensor: RepackedTensor?

  /// A tensor whose codes were kept.
  struct RepackedTensor: Sendable {
    var hash: TensorHash
    /// Whether it stands for the source's values, so that none need be compared.
    var isExact: Bool
  }
}

/// A hash of a tensor's codes, scales and offsets. Another run of the program gives another one.
struct TensorHash: Hashable, Sendable {
  private let codes: ByteHash
  private let others: Int

  init(_ tensor: QuantizedTensor) {
    codes = tensor.codes.withUnsafeBytes { ByteHash($0) }
    var hasher = Hasher()
    hasher.combine(tensor.rowCount)
    hasher.combine(tensor.columnCount)
    hasher.combine(tensor.scheme)
    hasher.combine(tensor.scales)
    hasher.combine(tensor.offsets)
    hasher.combine(tensor.zeroPoints)
    hasher.combine(tensor.columnOrder)
    others = hasher.finalize()
  }
}
