import Foundation
import NibbleCheckpoints
import NibbleQuantization
import NibbleTensors
import TestSupport
import Testing

/// A folder in Tests/Fixtures whose matrices another tool quantized.
struct FolderFixture {
  /// The arrays as they stand in the file.
  let records: [TensorRecord]
  let config: JSONValue
  /// What the other tool decodes each matrix to.
  let expected: [String: [Float]]

  init(_ name: String) throws {
    let folder = URL(filePath: Fixtures.path(name))
    // A copy without its configuration, so that opening it puts nothing together.
    let copy = try TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: folder.appending(path: "model.safetensors").path, toPath: copy.path("a.safetensors"))
    records = try Checkpoint.open(copy.path("a.safetensors")).tensors
    config = try JSONValue.parse(fileBytes(folder.appending(path: "config.json").path))
    var expected: [String: [Float]] = [:]
    for tensor in try Checkpoint.open(folder.appending(path: "expected.safetensors").path).tensors {
      expected[tensor.name] = try tensor.plainValues()
    }
    self.expected = expected
  }

  /// The tensors as `format` puts them together.
  func gathered<Format: FolderFormat>(
    _ format: Format.Type
  ) throws -> (tensors: [TensorRecord], notes: [String]) {
    try gather(records, as: format, config: config)
  }
}

/// Reads `config` as a format does, and puts the records together.
func gather<Format: FolderFormat>(
  _ records: [TensorRecord], as format: Format.Type, config: JSONValue
) throws -> (tensors: [TensorRecord], notes: [String]) {
  try #require(try announced(format, config)).gather(records)
}

/// What a format makes of a config.json.
func announced<Format: FolderFormat>(
  _ format: Format.Type, _ config: JSONValue
) throws(CheckpointError) -> Format? {
  try format.announced { (name: String) throws(CheckpointError) -> JSONValue? in
    name == "config.json" ? config : nil
  }
}

extension TensorRecord {
  /// The values of a tensor of F32, F16 or BF16.
  fileprivate func plainValues() throws -> [Float] {
    let bytes = bytes.copy()
    func half(_ index: Int) -> UInt16 {
      UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8
    }
    switch type {
    case .plain(.float32):
      return bytes.withUnsafeBytes { bytes in
        (0..<elementCount).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
    case .plain(.bfloat16):
      return (0..<elementCount).map { Float(bitPattern: UInt32(half($0)) << 16) }
    case .plain(.float16):
      return (0..<elementCount).map { index in
        let bits = half(index)
        let fraction = Float(bits & 0x3FF)
        let exponent = Int(bits >> 10 & 31)
        let magnitude =
          exponent == 0
          ? fraction * 0x1p-24
          : (1024 + fraction) * Float(sign: .plus, exponent: exponent - 25, significand: 1)
        return bits >> 15 == 0 ? magnitude : -magnitude
      }
    default:
      Issue.record("\(name) is \(type.name)")
      return []
    }
  }
}

/// A matrix of random codes and scales.
func randomTensor(
  _ scheme: Scheme, rowCount: Int, columnCount: Int, seed: UInt64 = 3
) throws -> QuantizedTensor {
  var random = RandomSource(seed: seed)
  let groupCount = try scheme.groupCount(rowCount: rowCount, columnCount: columnCount)
  let levelCount = UInt8(clamping: scheme.element.levels.count - 1)
  func codes(_ count: Int, through last: UInt8) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...last, using: &random) }
  }
  let scales: ScaleTree
  switch scheme.scale {
  // Quotients by 127, which LLM.int8() can store.
  case .float32: scales = .float32((0..<groupCount).map { _ in Float(random.uniform()) / 127 })
  case .float16:
    scales = .float16((0..<groupCount).map { _ in UInt16.random(in: 0...0x7BFF, using: &random) })
  case .bfloat16:
    scales = .bfloat16((0..<groupCount).map { _ in UInt16.random(in: 0...0x7F7F, using: &random) })
  case .doubleQuantized:
    scales = .doubleQuantized(
      codes: codes(groupCount, through: 255),
      largest: (0..<(groupCount + 255) / 256).map { _ in Float(random.uniform()) },
      mean: Float(random.uniform()))
  default: throw QuantizationError(.unsupported, "no sample of \(scheme)")
  }
  var zeroPoints: [UInt8]?
  if case .zeroPoint(let bits) = scheme.offset {
    zeroPoints = codes(groupCount, through: UInt8(clamping: 1 << bits - 1))
  }
  var order: [Int32]?
  if scheme.hasColumnOrder, case .group(let length) = scheme.granularity {
    let columns = (0..<Int32(columnCount)).shuffled(using: &random)
    order = stride(from: 0, to: columnCount, by: length).flatMap {
      columns[$0..<min($0 + length, columnCount)].sorted()
    }
  }
  return try QuantizedTensor(
    rowCount: rowCount, columnCount: columnCount, scheme: scheme,
    codes: codes(rowCount * columnCount, through: levelCount), scales: scales,
    zeroPoints: zeroPoints, columnOrder: order)
}

/// The records of a folder in which `format` wrote one matrix.
func records(
  _ tensor: QuantizedTensor, name: String, format: some FolderFormat
) throws -> [TensorRecord] {
  let layout = format.layout(for: tensor.scheme)
  let parts = try layout.parts(
    tensor.scheme, rowCount: tensor.rowCount, columnCount: tensor.columnCount)
  let arrays = try layout.pack(tensor)
  #expect(arrays.map(\.name) == parts.map(\.name))
  #expect(arrays.map(\.bytes.count) == parts.map(\.byteCount))
  return zip(parts, arrays).map { part, array in
    TensorRecord(
      name: format.arrayName(part.name, of: name), shape: part.shape, type: .plain(part.type),
      bytes: Storage(copying: array.bytes).view)
  }
}

/// One obstacle of a layout and words that it must contain.
struct LayoutObstacle: Sendable, CustomTestStringConvertible {
  let layout: any ArrayLayout
  let scheme: String
  let rowCount: Int
  let columnCount: Int
  let reason: String

  init(
    _ layout: any ArrayLayout, _ scheme: String, _ rowCount: Int, _ columnCount: Int,
    _ reason: String
  ) {
    self.layout = layout
    self.scheme = scheme
    self.rowCount = rowCount
    self.columnCount = columnCount
    self.reason = reason
  }

  var testDescription: String { "\(scheme) \(rowCount) x \(columnCount)" }

  /// Expects that neither the plan nor the obstacle lets the matrix through.
  func check() throws {
    let scheme = try #require(Scheme(name: scheme))
    let text = layout.obstacle(to: scheme, rowCount: rowCount, columnCount: columnCount) ?? ""
    #expect(text.contains(reason), "\(text)")
    #expect(throws: QuantizationError.self) {
      try layout.parts(scheme, rowCount: rowCount, columnCount: columnCount)
    }
  }
}

/// A change to the arrays of a good matrix, by their last names, and words that the error must contain.
struct HostileArrays: Sendable, CustomTestStringConvertible {
  let name: String
  let reason: String
  let change: @Sendable (inout [TensorRecord]) -> Void

  init(
    _ name: String, _ reason: String, _ change: @escaping @Sendable (inout [TensorRecord]) -> Void
  ) {
    self.name = name
    self.reason = reason
    self.change = change
  }

  var testDescription: String { name }

  /// Expects that gathering or decoding the changed arrays fails with the reason.
  func check<Format: FolderFormat>(
    _ records: [TensorRecord], as format: Format.Type, config: JSONValue
  ) throws {
    var records = records
    change(&records)
    var message = ""
    do {
      for tensor in try gather(records, as: format, config: config).tensors
      where tensor.layout != nil {
        _ = try tensor.quantizedTensor()
      }
    } catch let error as CheckpointError {
      message = error.description
    }
    #expect(message.contains(reason), "\(message)")
    #expect(!message.contains { $0.isNewline })
  }
}

extension [TensorRecord] {
  /// Replaces the record whose name ends so.
  mutating func replace(
    _ ending: String, type: DType? = nil, shape: [Int]? = nil, bytes: [UInt8]? = nil
  ) {
    guard let place = firstIndex(where: { $0.name.hasSuffix(ending) }) else { return }
    let old = self[place]
    self[place] = TensorRecord(
      name: old.name, shape: shape ?? old.shape, type: type.map { .plain($0) } ?? old.type,
      bytes: bytes.map { Storage(copying: $0).view } ?? old.bytes)
  }

  mutating func remove(_ ending: String) { removeAll { $0.name.hasSuffix(ending) } }
}
