import Foundation
import NibbleCheckpoints
import NibbleTensors
import Testing

/// The path of a file in Tests/Fixtures/checkpoints.
func fixture(_ name: String, filePath: String = #filePath) -> String {
  URL(filePath: filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/checkpoints").appending(path: name).path
}

func fileBytes(_ path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(filePath: path)))
}

/// The bytes that hexadecimal text stands for; white space is ignored.
func hexadecimal(_ text: String) -> [UInt8] {
  let digits = text.compactMap(\.hexDigitValue)
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

extension Checkpoint {
  /// Plans that describe the tensors as they are.
  var plans: [TensorPlan] {
    tensors.map { TensorPlan(name: $0.name, shape: $0.shape, type: $0.type) }
  }
}

extension CheckpointWriter {
  /// Writes a whole tensor.
  func write(_ bytes: [UInt8], tensor index: Int) throws {
    try bytes.withUnsafeBytes { try write($0, tensor: index, at: 0) }
  }

  /// Writes all tensors of `checkpoint` in pieces of `pieceByteCount` and finishes.
  func copy(_ checkpoint: Checkpoint, pieceByteCount: Int = 1 << 20) throws {
    for (index, tensor) in checkpoint.tensors.enumerated() {
      for start in stride(from: 0, to: tensor.bytes.count, by: pieceByteCount) {
        let end = min(start + pieceByteCount, tensor.bytes.count)
        try tensor.bytes[start..<end].withUnsafeBytes { try write($0, tensor: index, at: start) }
      }
    }
    try finish()
  }
}

/// Expects equal names, shapes, types and bytes.
func expectSameTensors(
  _ left: [TensorRecord], _ right: [TensorRecord], sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(left.map(\.name) == right.map(\.name), sourceLocation: sourceLocation)
  for (a, b) in zip(left, right) {
    #expect(a.shape == b.shape, "\(a.name)", sourceLocation: sourceLocation)
    #expect(a.type == b.type, "\(a.name)", sourceLocation: sourceLocation)
    #expect(a.bytes.copy() == b.bytes.copy(), "\(a.name)", sourceLocation: sourceLocation)
  }
}
