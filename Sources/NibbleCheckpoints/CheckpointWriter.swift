/// Writes the tensors of one checkpoint.
///
/// The header is fixed when the writer is made, from the plans. Tensor bytes may then come in any
/// order and any pieces, from any thread. Nothing stands under the final name before ``finish()``
/// has returned; a writer that is released unfinished leaves nothing behind.
public protocol CheckpointWriter: Sendable {
  /// Writes a piece of a tensor.
  ///
  /// - Parameters:
  ///   - bytes: the piece.
  ///   - index: the tensor's place among the plans.
  ///   - offset: where the piece begins, in bytes from the tensor's start. A tensor of several
  ///     arrays is counted through them in order; a piece lies within one of them.
  /// - Throws: ``CheckpointError/Code/io``, for example on a full disk; the output is then gone.
  func write(
    _ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int
  ) throws(CheckpointError)

  /// Checks that every byte of every tensor was written, syncs, and gives the output its final
  /// name.
  func finish() throws(CheckpointError)

  /// Removes all that was written. Has no effect after ``finish()``.
  func cancel()
}
