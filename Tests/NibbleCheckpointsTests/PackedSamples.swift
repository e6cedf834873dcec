import Foundation
import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

/// A folder of Tests/Fixtures as its files stand, before a format puts arrays together.
struct FixtureFolder {
  let path: String

  init(_ name: String) { path = Fixtures.path(name) }

  func tensors() throws -> [TensorRecord] {
    try SafetensorsFile(Storage(copying: try fileBytes("\(path)/model.safetensors")).view).tensors
  }

  func json(_ name: String) throws(CheckpointError) -> JSONValue? {
    guard let bytes = try? fileBytes("\(path)/\(name)") else { return nil }
    return try JSONValue.parse(String(decoding: bytes, as: UTF8.self))
  }

  /// The values that the folder's reference has for each matrix, in `NAME.safetensors` beside it.
  func values() throws -> [String: [Float]] {
    let tensors = try SafetensorsFile(
      Storage(copying: try fileBytes("\(path).safetensors")).view
    ).tensors
    var values: [String: [Float]] = [:]
    for tensor in tensors {
      values[tensor.name] = tensor.bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
    }
    return values
  }
}

/// JSON files of a folder that exist in memory only.
struct JSONFolder {
  var files: [String: String]

  func json(_ name: String) throws(CheckpointError) -> JSONValue? {
    guard let text = files[name] else { return nil }
    return try JSONValue.parse(text)
  }

  /// A folder whose `config.json` has these members in its `quantization_config`.
  static func config(_ members: String) -> JSONFolder {
    JSONFolder(files: ["config.json": "{\"quantization_config\":{\(members)}}"])
  }
}

/// A tensor of random codes, scales, zero points and order.
func randomTensor(
  _ scheme: Scheme, rowCount: Int = 32, columnCount: Int = 64, seed: UInt64 = 1,
  lowestZeroPoint: Int = 1
) throws -> QuantizedTensor {
  var random = Mutator(seed: seed)
  let bits = scheme.element.bitCount
  let groupCount = scheme.granularity.groupCount(rowCount: rowCount, columnCount: columnCount)
  let scales: ScaleTree
  switch scheme.scale {
  case .float32:
    scales = .float32((0..<groupCount).map { _ in Float(random.below(1000) + 1) / 1024 })
  case .bfloat16:
    scales = .bfloat16((0..<groupCount).map { _ in UInt16(0x3C00 + random.below(0x200)) })
  default:
    scales = .float16((0..<groupCount).map { _ in UInt16(0x2800 + random.below(0x800)) })
  }
  var zeroPoints: [UInt8]?
  if case .zeroPoint = scheme.offset {
    zeroPoints = (0..<groupCount).map { _ in
      UInt8(lowestZeroPoint + random.below((1 << bits) - lowestZeroPoint))
    }
  }
  var order: [Int32]?
  if scheme.hasColumnOrder, case .group(let length) = scheme.granularity {
    var columns = (0..<Int32(columnCount)).map { $0 }
    for index in columns.indices.reversed() { columns.swapAt(index, random.below(index + 1)) }
    order = stride(from: 0, to: columnCount, by: length).flatMap {
      columns[$0..<$0 + length].sorted()
    }
  }
  return try QuantizedTensor(
    rowCount: rowCount, columnCount: columnCount, scheme: scheme,
    codes: (0..<rowCount * columnCount).map { _ in UInt8(random.below(1 << bits)) },
    scales: scales, zeroPoints: zeroPoints, columnOrder: order)
}

/// The arrays of `tensor` as they stand in a file, called `MODULE.ARRAY`.
func arrayRecords(
  _ tensor: QuantizedTensor, _ module: String, _ layout: any ArrayLayout
) throws -> [TensorRecord] {
  let parts = try layout.parts(
    tensor.scheme, rowCount: tensor.rowCount, columnCount: tensor.columnCount)
  return zip(parts, try layout.pack(tensor)).map { part, array in
    TensorRecord(
      name: "\(module).\(part.name)", shape: part.shape, type: .plain(part.type),
      bytes: Storage(copying: array.bytes).view)
  }
}

/// A record of zeros.
func emptyRecord(_ name: String, _ type: DType, _ shape: [Int]) -> TensorRecord {
  let byteCount = shape.reduce(1, *) * type.bitCount / 8
  return TensorRecord(
    name: name, shape: shape, type: .plain(type), bytes: Storage(byteCount: byteCount).view)
}

/// Expects that each matrix has the reference's values, and that packing it again gives the bytes of the file.
func expectValues(
  _ tensors: [TensorRecord], _ folder: FixtureFolder,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let values = try folder.values()
  #expect(!values.isEmpty, sourceLocation: sourceLocation)
  for (name, expected) in values {
    let record = try #require(
      tensors.first { $0.name == name }, "\(name)", sourceLocation: sourceLocation)
    let tensor = try record.quantizedTensor()
    #expect(tensor.dequantized() == expected, "\(name)", sourceLocation: sourceLocation)
    let packed = try #require(record.layout).pack(tensor)
    #expect(
      packed.map(\.bytes) == record.parts.map { $0.copy() }, "\(name)",
      sourceLocation: sourceLocation)
  }
}

/// Expects an error of one line that names `reason`.
func expectFault(
  _ reason: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch {
    let text = "\(error)"
    #expect(text.contains(reason), "\(text)", sourceLocation: sourceLocation)
    #expect(!text.contains { $0.isNewline }, sourceLocation: sourceLocation)
  }
}
