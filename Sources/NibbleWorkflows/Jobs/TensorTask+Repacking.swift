internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

extension TensorTask {
  /// The source's codes and scales of the output's rows `rows`, which are all of them unless ``keepsRows``.
  ///
  /// - Throws: `CheckpointError` for tensors without codes, and for those whose rows cannot be moved or joined.
  func sourceTensor(_ rows: Range<Int>) throws(CheckpointError) -> QuantizedTensor {
    guard let origin = quantizedOrigin else {
      throw CheckpointError(
        .unsupported, "its codes cannot be taken as they are: its parts are joined or changed",
        tensor: name)
    }
    let tensor = try origin.records[0].quantizedTensor(rows: rows)
    guard origin.order != .same else { return tensor }
    do {
      return try tensor.movingRows(origin.order.sourceRow)
    } catch {
      throw CheckpointError(.unsupported, error.message, tensor: name)
    }
  }

  /// The source's scheme where its codes can be taken row by row as they stand; nil for others.
  var keptScheme: Scheme? {
    quantizedOrigin.flatMap { $0.order == .same ? $0.type.scheme : nil }
  }

  /// Whether each row's codes and scales are read without those of others.
  var keepsRows: Bool {
    quantizedOrigin.map { $0.order == .same && $0.records[0].hasOwnRows } ?? false
  }

  /// Rows whose codes are taken at a time: few where they can be, else all.
  var repackedRows: [Range<Int>] {
    let step =
      keepsRows && columnCount > 0 ? max(1, RowChunk.codeCount / columnCount) : max(rowCount, 1)
    return stride(from: 0, to: rowCount, by: step).map { $0..<min($0 + step, rowCount) }
  }

  /// The one tensor whose codes can be taken; nil where parts are joined, cut or changed.
  private var quantizedOrigin: TensorOrigin? {
    guard case .stored(let origin) = origin, origin.records.count == 1, origin.offset == 0,
      origin.order != .transposed, factors == nil
    else { return nil }
    return origin
  }

  /// The source's codes and scales of some rows as the output's scheme has them; `isExact` where they stand for the same values.
  ///
  /// - Throws: `CheckpointError` where the scheme does not have their levels.
  func repackedTensor(
    _ rows: Range<Int>
  ) throws(CheckpointError) -> (tensor: QuantizedTensor, isExact: Bool) {
    let source = try sourceTensor(rows)
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

  /// The output's arrays of ``repackedTensor(_:)``.
  func packed(
    _ tensor: QuantizedTensor, _ rows: Range<Int>
  ) throws(CheckpointError) -> [ArrayPiece] {
    do {
      return try pieces(of: tensor, rows)
    } catch {
      throw CheckpointError(.unsupported, error.message, tensor: name)
    }
  }
}
