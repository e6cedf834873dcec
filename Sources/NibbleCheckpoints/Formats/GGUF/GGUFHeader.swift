internal import NibbleQuantization
internal import NibbleTensors

/// The first bytes of a GGUF version 3 file and the places of its tensors.
struct GGUFHeader {
  /// All bytes before the tensor data, padding included.
  let bytes: [UInt8]
  /// Where each tensor begins, from the start of the file.
  let offsets: [Int]
  let tensorByteCounts: [Int]
  /// The whole file's length; the last tensor is padded too.
  let fileByteCount: Int

  init(metadata: Metadata, plans: [TensorPlan]) throws(CheckpointError) {
    let alignment = try metadata.ggufAlignment()
    var encoder = GGUFEncoder()
    encoder.append(UInt32(0x4655_4747))
    encoder.append(UInt32(3))
    encoder.append(Int64(plans.count))
    encoder.append(Int64(metadata.keys.count))
    for key in metadata.keys {
      guard let value = metadata[key] else { continue }
      try encoder.append(key: key, value)
    }
    var names: Set<String> = []
    var dataOffsets: [Int] = []
    var byteCounts: [Int] = []
    var end = 0
    for plan in plans {
      guard names.insert(plan.name).inserted else {
        throw CheckpointError(.malformed, "would stand twice in the file", tensor: plan.name)
      }
      let byteCount = try plan.byteCount
      try encoder.append(plan, offset: end)
      dataOffsets.append(end)
      byteCounts.append(byteCount)
      let (sum, overflow) = end.addingReportingOverflow(byteCount)
      guard !overflow else { throw CheckpointError(.malformed, "the data's size overflows") }
      end = try roundedUp(sum, to: alignment)
    }
    let start = try roundedUp(encoder.bytes.count, to: alignment)
    let (fileByteCount, overflow) = start.addingReportingOverflow(end)
    guard !overflow else { throw CheckpointError(.malformed, "the data's size overflows") }
    self.fileByteCount = fileByteCount
    bytes = encoder.bytes + [UInt8](repeating: 0, count: start - encoder.bytes.count)
    offsets = dataOffsets.map { start + $0 }
    tensorByteCounts = byteCounts
  }
}

/// Appends little-endian values.
private struct GGUFEncoder {
  var bytes: [UInt8] = []

  mutating func append(_ value: some FixedWidthInteger) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func append(_ text: String) {
    append(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func append(key: String, _ value: MetadataValue) throws(CheckpointError) {
    guard !key.isEmpty else { throw CheckpointError(.malformed, "a key is empty") }
    append(key)
    if let (element, values) = value.elements {
      append(MetadataValue.ElementType.array.rawValue)
      append(element.rawValue)
      append(UInt64(values.count))
      guard element != .array, values.allSatisfy({ $0.elementType == element }) else {
        throw CheckpointError(
          .unsupported, "the elements of key \"\(printable(key))\" are no plain \(element) values")
      }
      for value in values { append(scalar: value) }
      return
    }
    append(value.elementType.rawValue)
    append(scalar: value)
  }

  private mutating func append(scalar value: MetadataValue) {
    switch value {
    case .uint8(let value): append(value)
    case .int8(let value): append(value)
    case .uint16(let value): append(value)
    case .int16(let value): append(value)
    case .uint32(let value): append(value)
    case .int32(let value): append(value)
    case .uint64(let value): append(value)
    case .int64(let value): append(value)
    case .float32(let value): append(value.bitPattern)
    case .float64(let value): append(value.bitPattern)
    case .bool(let value): append(UInt8(value ? 1 : 0))
    case .string(let value): append(value)
    case .strings, .float32s, .int32s, .uint32s, .array: break
    }
  }

  mutating func append(_ plan: TensorPlan, offset: Int) throws(CheckpointError) {
    guard !plan.name.isEmpty, plan.name.utf8.count < 64 else {
      throw CheckpointError(
        .malformed, "GGUF names have 1 to 63 bytes, not \(plan.name.utf8.count)", tensor: plan.name)
    }
    guard let type = plan.type.ggmlType else {
      throw CheckpointError(
        .unsupported, "GGUF cannot hold \(plan.type.name) values", tensor: plan.name)
    }
    guard plan.shape.count <= 4 else {
      throw CheckpointError(
        .unsupported, "GGUF tensors have at most 4 dimensions, not \(plan.shape.count)",
        tensor: plan.name)
    }
    let dimensions = plan.shape.isEmpty ? [1] : plan.shape.reversed()
    append(plan.name)
    append(UInt32(dimensions.count))
    for dimension in dimensions { append(Int64(dimension)) }
    append(type.rawValue)
    append(UInt64(offset))
  }
}

extension MetadataValue {
  /// The type id of a scalar; `.array` for arrays.
  var elementType: ElementType {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .uint32: .uint32
    case .int32: .int32
    case .uint64: .uint64
    case .int64: .int64
    case .float32: .float32
    case .float64: .float64
    case .bool: .bool
    case .string: .string
    case .strings, .float32s, .int32s, .uint32s, .array: .array
    }
  }

  /// An array's element type and elements; nil for scalars.
  var elements: (ElementType, [MetadataValue])? {
    switch self {
    case .strings(let values): (.string, values.map { .string($0) })
    case .float32s(let values): (.float32, values.map { .float32($0) })
    case .int32s(let values): (.int32, values.map { .int32($0) })
    case .uint32s(let values): (.uint32, values.map { .uint32($0) })
    case .array(let element, let values): (element, values)
    default: nil
    }
  }
}
