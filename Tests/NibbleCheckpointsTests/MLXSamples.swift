import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

/// Records, tensors and expectations that the tests of MLX, HQQ and conversions share.
enum MLXSamples {
  /// A plain record of zeros; of no bytes where the shape is absurd.
  static func zeroRecord(_ name: String, _ type: DType, _ shape: [Int]) -> TensorRecord {
    var count = 1
    for dimension in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      count = overflow || product > 1 << 20 ? 0 : product
    }
    let bytes = [UInt8](repeating: 0, count: count * type.bitCount / 8)
    return TensorRecord(
      name: name, shape: shape, type: .plain(type), bytes: Storage(copying: bytes).view)
  }

  /// A plain record of these elements.
  static func record<Element: BitwiseCopyable>(
    _ name: String, _ type: DType, _ shape: [Int], _ elements: [Element]
  ) -> TensorRecord {
    let bytes = elements.withUnsafeBytes { [UInt8]($0) }
    return TensorRecord(
      name: name, shape: shape, type: .plain(type), bytes: Storage(copying: bytes).view)
  }

  /// The values of a F32 tensor.
  static func floats(_ record: TensorRecord) -> [Float] {
    record.bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }

  /// A tensor of `scheme` that random weights were rounded to.
  static func randomTensor(
    _ scheme: Scheme, rowCount: Int, columnCount: Int, seed: UInt64 = 1
  ) throws -> QuantizedTensor {
    var random = RandomSource(seed: seed)
    let weights = (0..<rowCount * columnCount).map { _ in Float(random.gaussian()) * 0.1 }
    return try weights.withUnsafeBufferPointer {
      try RoundToNearest(range: scheme.usualRange)
        .quantize($0, rowCount: rowCount, columnCount: columnCount, as: scheme)
    }
  }

  /// Expects an error of one line with these words.
  static func expectFault(
    _ words: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
  ) {
    let error = #expect(throws: CheckpointError.self, sourceLocation: sourceLocation) {
      try body()
    }
    let text = error?.description ?? ""
    #expect(text.contains(words), "\(text)", sourceLocation: sourceLocation)
    #expect(!text.contains { $0.isNewline }, sourceLocation: sourceLocation)
  }
}
