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

  /// The source's codes and scales as the output's scheme has them; `isExact` where they stand for the same values.
  ///
  /// - Throws: `CheckpointError` where the scheme does not have their levels.
  func repackedTensor() throws(CheckpointError) -> (tensor: QuantizedTensor, isExact: Bool) {
    let source = try sourceTensor()
    guard let scheme = type.scheme else {
      throw CheckpointError(.unsupported, "\(type.name) has no codes", tensor: name)
    }
    switch source.converted(to: scheme) {
    case .exact(let tensor): return (tensor, true)
    case .near(let tensor, _): return (tensor, false)
    case .impossible(let reason):
      throw CheckpointError(.unsupported, "cannot become \(scheme): \(reason)", tensor: name)
    }
  }

  /// The output's arrays, made from the source's codes.
  func repacked() throws(CheckpointError) -> [ArrayPiece] {
    let tensor = try repackedTensor().tensor
    do {
      return try pieces(of: tensor, 0..<rowCount)
    } catch {
      throw CheckpointError(.unsupported, error.message, tensor: name)
    }
  }
}
