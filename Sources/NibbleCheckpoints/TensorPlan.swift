/// A tensor that is going to be written.
public struct TensorPlan: Sendable {
  /// The name in the file's naming.
  public var name: String
  /// Dimensions, slowest first: `[rows, columns]`.
  public var shape: [Int]
  /// How the bytes will encode the values.
  public var type: StoredType
  /// The tensors of the file that store a scheme in another tool's arrangement; nil for Nibble's own.
  public var arrays: [TensorPlan]?

  public init(name: String, shape: [Int], type: StoredType) {
    self.name = name
    self.shape = shape
    self.type = type
  }

  /// Bytes that the tensor will take.
  ///
  /// - Throws: ``CheckpointError/Code/malformed`` when shape and type contradict each other.
  public var byteCount: Int {
    get throws(CheckpointError) {
      do {
        if let arrays {
          var sum = 0
          for array in arrays { sum += try array.byteCount }
          return sum
        }
        return try type.byteCount(shape: shape)
      } catch {
        throw error.ofTensor(name)
      }
    }
  }
}

extension CheckpointError {
  /// The same error with `tensor` filled in where it was unknown.
  package func ofTensor(_ name: String) -> CheckpointError {
    var error = self
    if error.tensor == nil { error.tensor = name }
    return error
  }
}
