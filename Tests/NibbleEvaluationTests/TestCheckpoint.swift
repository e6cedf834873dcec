import Foundation
import TestSupport

/// Writes small safetensors files.
enum TestCheckpoint {
  struct Tensor {
    var name: String
    var type: String
    var shape: [Int]
    var bytes: [UInt8]

    /// A tensor of FP32 values.
    init(_ name: String, _ shape: [Int], _ values: [Float]) {
      self.init(name, "F32", shape, values.flatMap { withUnsafeBytes(of: $0) { Array($0) } })
    }

    init(_ name: String, _ type: String, _ shape: [Int], _ bytes: [UInt8]) {
      self.name = name
      self.type = type
      self.shape = shape
      self.bytes = bytes
    }
  }

  static func write(_ tensors: [Tensor], to path: String) throws {
    var members: [String: Any] = [:]
    var body = Data()
    for tensor in tensors {
      members[tensor.name] = [
        "dtype": tensor.type, "shape": tensor.shape,
        "data_offsets": [body.count, body.count + tensor.bytes.count],
      ]
      body.append(contentsOf: tensor.bytes)
    }
    let header = try JSONSerialization.data(withJSONObject: members)
    let count = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    try (count + header + body).write(to: URL(filePath: path))
  }
}

/// Whether two numbers agree to `digits` digits.
func agree(_ value: Double?, _ expected: Double, digits: Int = 10) -> Bool {
  guard let value else { return false }
  if value == expected { return true }
  return abs(value - expected) <= pow(10, -Double(digits)) * max(abs(expected), 1e-6)
}
