public import NibbleQuantization
internal import NibbleTensors

/// Weights that take the place of a layer's own while a calibration run goes on.
public struct ReplacementWeights: Sendable {
  /// The matrix, `[output features, input features]`, rows in the order of the model's file.
  public let matrix: PackedMatrix

  /// Weights as they will be stored. Block types multiply with activations rounded to 8 bits, as inference does.
  public init(_ matrix: PackedMatrix) { self.matrix = matrix }

  /// Weights as floats, multiplied in single precision.
  ///
  /// - Parameters:
  ///   - values: `[rowCount, columnCount]`, row-major.
  ///   - rowCount: output features.
  ///   - columnCount: input features.
  /// - Throws: `PackedMatrixError` when the count does not fit.
  public init(
    floats values: UnsafeBufferPointer<Float>, rowCount: Int, columnCount: Int
  ) throws(PackedMatrixError) {
    let bytes = UnsafeRawBufferPointer(values)
    let storage = Storage(byteCount: bytes.count) { $0.copyMemory(from: bytes) }
    matrix = try PackedMatrix(
      element: .plain(.float32), rowCount: rowCount, columnCount: columnCount, bytes: storage.view)
  }
}

extension LanguageModel {
  /// A layer's weights as floats, `[output features, input features]`, rows in the order of the model's file; nil where
  /// the model has no such layer.
  public func weightValues(of layer: TensorID) -> (
    values: [Float], rowCount: Int, columnCount: Int
  )? {
    guard weights.hasMatrix(layer) else { return nil }
    let matrix = weights.matrix(layer)
    let (rowCount, columnCount) = (matrix.rowCount, matrix.columnCount)
    var values = [Float](repeating: 0, count: rowCount * columnCount)
    values.withUnsafeMutableBufferPointer { values in
      for row in 0..<rowCount {
        matrix.decodeRow(
          row,
          into: UnsafeMutableBufferPointer(
            rebasing: values[row * columnCount..<(row + 1) * columnCount]))
      }
    }
    return (values, rowCount, columnCount)
  }

  /// Some of a layer's rows as floats, `[rows.count, input features]`, counted as in the model's file; nil where the model
  /// has no such layer.
  package func weightValues(of layer: TensorID, rows: (_ rowCount: Int) -> [Int]) -> (
    values: [Float], rowCount: Int
  )? {
    guard weights.hasMatrix(layer) else { return nil }
    let matrix = weights.matrix(layer)
    let chosen = rows(matrix.rowCount)
    var values = [Float](repeating: 0, count: chosen.count * matrix.columnCount)
    values.withUnsafeMutableBufferPointer { values in
      for (index, row) in chosen.enumerated() {
        let first = index * matrix.columnCount
        matrix.decodeRow(
          row,
          into: UnsafeMutableBufferPointer(
            rebasing: values[first..<first + matrix.columnCount]))
      }
    }
    return (values, matrix.rowCount)
  }
}
