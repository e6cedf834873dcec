internal import NibbleCheckpoints
internal import NibbleQuantization
internal import NibbleTensors

extension TensorRecord {
  /// The tensor as a matrix that stays in its file bytes.
  func matrix() throws(ModelError) -> PackedMatrix {
    let element: PackedMatrix.Element =
      switch type {
      case .plain(let type): .plain(type)
      case .blocks(let type): .blocks(type)
      }
    do {
      return try PackedMatrix(
        element: element, rowCount: rowCount, columnCount: columnCount, bytes: bytes)
    } catch {
      throw ModelError(.unsupported, "the tensor \(name) cannot be used: \(error)")
    }
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
