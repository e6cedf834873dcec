internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

extension TensorTask {
  /// The source's codes and scales in the order of the output's rows.
  ///
  /// - Throws: `CheckpointError` for tensors without codes, and for those whose rows cannot be moved or joined.
  func sourceTensor() throws(CheckpointError) -> QuantizedTensor {
    guard case .stored(let origin) = origin, origin.records.count == 1, origin.offset == 0,
      origin.order != .transposed, factors == nil
    else {
      throw CheckpointError(
        .unsupported, "its codes cannot be taken as they are: its parts are joined or changed",
        tensor: name)
    }
    let tensor = try origin.records[0].quantizedTensor()
    guard origin.order != .same else { return tensor }
    do {
      return try tensor.movingRows(origin.order.sourceRow)
    } catch {
      throw CheckpointError(.unsupported, error.message, tensor: name)
    }
  }

  /// The output's arrays, made from the source's codes.
  func repacked() throws(CheckpointError) -> [ArrayPiece] {
    let source = try sourceTensor()
    guard let scheme = type.scheme else { return [] }
    let found: QuantizedTensor
    switch source.converted(to: scheme) {
    case .exact(let tensor), .near(let tensor, _): found = tensor
    case .impossible(let reason):
      throw CheckpointError(.unsupported, "cannot become \(scheme): \(reason)", tensor: name)
    }
    do {
      return try pieces(of: found, 0..<rowCount)
    } catch {
      throw CheckpointError(.unsupported, error.message, tensor: name)
    }
  }
}
