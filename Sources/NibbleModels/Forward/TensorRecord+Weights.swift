internal import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors

extension TensorRecord {
  /// The tensor as a matrix that stays in its file bytes.
  func matrix() throws(ModelError) -> PackedMatrix {
    do {
      switch type {
      case .plain(let type): return try matrix(.plain(type))
      case .blocks(let type): return try matrix(.blocks(type))
      case .scheme: return try PackedMatrix(try schemeRows())
      }
    } catch {
      throw ModelError(.unsupported, "the tensor \(name) cannot be used: \(error)")
    }
  }

  private func matrix(_ element: PackedMatrix.Element) throws(PackedMatrixError) -> PackedMatrix {
    try PackedMatrix(
      element: element, rowCount: rowCount, columnCount: columnCount, bytes: bytes)
  }

  /// The values of a vector.
  func floats() throws(ModelError) -> [Float] {
    var values = [Float](repeating: 0, count: elementCount)
    let row = TensorRecord(name: name, shape: [1, elementCount], type: type, bytes: bytes)
    let matrix = try row.matrix()
    values.withUnsafeMutableBufferPointer { matrix.decodeRow(0, into: $0) }
    guard values.allSatisfy(\.isFinite) else {
      throw ModelError(.malformed, "the tensor \(name) holds NaN or infinity")
    }
    return values
  }
}
