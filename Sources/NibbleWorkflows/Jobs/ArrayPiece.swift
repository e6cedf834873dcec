internal import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors

/// Some rows' bytes in one array of a tensor that is stored as a scheme.
struct ArrayPiece {
  /// Bytes made for the output, or those of a file.
  enum Bytes {
    case made([UInt8])
    case stored(ByteView)

    func withUnsafeBytes<R, E: Error>(
      _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
      switch self {
      case .stored(let view): return try view.withUnsafeBytes(body)
      case .made(let array):
        let result = array.withUnsafeBytes { bytes in Result { () throws(E) in try body(bytes) } }
        return try result.get()
      }
    }
  }

  var bytes: Bytes
  /// Where the piece begins, in bytes from the tensor's first array on.
  var offset: Int
}

extension [ArrayPiece] {
  /// A hash of all pieces; for a single one, that of its bytes.
  var hash: ByteHash {
    let hashes = map { piece in piece.bytes.withUnsafeBytes { ByteHash($0) } }
    if hashes.count == 1, let only = hashes.first { return only }
    return hashes.map(\.value).withUnsafeBytes { ByteHash($0) }
  }
}

extension TensorTask {
  /// The scheme of the output where its groups are rounded one by one: in Nibble's arrays, and in GGUF blocks when a
  /// range estimator was asked for or the weights lie on the grid already.
  var groupedScheme: Scheme? {
    switch type {
    case .plain: nil
    case .blocks(let type): method.range == nil && recovery == nil ? nil : type.scheme
    case .scheme(let scheme): scheme
    }
  }

  /// Quantizes rows and packs them.
  ///
  /// - Parameters:
  ///   - values: `[rows.count, columnCount]`, finite.
  ///   - rows: rows of the output; all of them where they share a scale.
  ///   - scheme: the type of the output.
  /// - Returns: a piece for each array.
  /// - Throws: ``CheckpointError/Code/invalidValue`` for values that the scheme cannot hold.
  func quantize(
    _ values: UnsafeMutableBufferPointer<Float>, _ rows: Range<Int>, as scheme: Scheme
  ) throws(CheckpointError) -> [ArrayPiece] {
    let values = UnsafeBufferPointer(values)
    do {
      if let recovery {
        let found = try recovery.recover(
          values, rowCount: rows.count, columnCount: columnCount, as: scheme)
        return try pieces(of: found.tensor, rows)
      }
      let tensor = try method.quantize(
        values, rowCount: rows.count, columnCount: columnCount, as: scheme)
      return try pieces(of: tensor, rows)
    } catch {
      throw CheckpointError(.invalidValue, error.message, tensor: name)
    }
  }

  /// Packs a tensor, or rows of it, as the output arranges its type.
  ///
  /// - Throws: ``QuantizationError`` for values that the arrangement cannot hold.
  func pieces(
    of tensor: QuantizedTensor, _ rows: Range<Int>
  ) throws(QuantizationError) -> [ArrayPiece] {
    let offsets: [Int]
    if case .scheme(let scheme) = type {
      offsets = self.offsets(scheme, rows)
    } else {
      offsets = [rows.lowerBound * rowByteCount]
    }
    return zip(try layout.pack(tensor), offsets).map { array, offset in
      ArrayPiece(bytes: .made(array.bytes), offset: offset)
    }
  }

  /// The bytes of rows in a record that is stored as `scheme`: of every array, those of the rows, and of arrays that all
  /// rows share the whole where the rows begin with the first.
  func pieces(of record: TensorRecord, _ scheme: Scheme, _ rows: Range<Int>) -> [ArrayPiece] {
    let parts = parts(scheme)
    return zip(zip(parts, record.parts), offsets(scheme, rows)).compactMap { pair, offset in
      let (part, view) = pair
      guard part.isPerRow else {
        return rows.lowerBound == 0 ? ArrayPiece(bytes: .stored(view), offset: offset) : nil
      }
      let width = part.rowByteCount
      return ArrayPiece(
        bytes: .stored(view[rows.lowerBound * width..<rows.upperBound * width]), offset: offset)
    }
  }

  /// Where the rows begin in each array, in bytes from the tensor's first array on.
  private func offsets(_ scheme: Scheme, _ rows: Range<Int>) -> [Int] {
    var start = 0
    return parts(scheme).map { part in
      defer { start += part.byteCount }
      return start + rows.lowerBound * part.rowByteCount
    }
  }
}
