internal import NibbleQuantization
internal import NibbleTensors

/// Reads the header of a GGUF file.
struct GGUFParser {
  /// Real headers take 10 MB with a vocabulary of 256,000; the bounds keep a lying header from
  /// filling memory.
  static let maximumHeaderByteCount = 1 << 28
  static let maximumArrayElementCount = 1 << 25

  private var reader: ByteReader
  private var arrayElementCount = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    reader = ByteReader(bytes, limit: Self.maximumHeaderByteCount)
  }

  /// Metadata, tensors, and the header's length without padding.
  mutating func header() throws(CheckpointError) -> (Metadata, [GGUFFile.TensorInfo], Int) {
    let magic = try reader.integer(UInt32.self, "the magic number")
    guard magic == 0x4655_4747 else {
      throw CheckpointError(.malformed, "is no GGUF file: it does not begin with \"GGUF\"")
    }
    let version = try reader.integer(UInt32.self, "the version")
    guard version & 0xFFFF != 0 || version == 0 else {
      throw CheckpointError(.unsupported, "is a big-endian GGUF file")
    }
    guard version == 2 || version == 3 else {
      throw CheckpointError(.unsupported, "GGUF version \(version) is not supported, only 2 and 3")
    }
    let tensorCount = try count("tensors")
    let keyCount = try count("keys")
    try requireRoom(keyCount, "keys", leastByteCount: 8 + 1 + 4 + 1)
    let metadata = try self.metadata(count: keyCount)
    try requireRoom(tensorCount, "tensors", leastByteCount: 8 + 1 + 4 + 8 + 4 + 8)
    let infos = try tensors(count: tensorCount)
    return (metadata, infos, reader.position)
  }

  private mutating func count(_ what: String) throws(CheckpointError) -> Int {
    let count = try reader.integer(Int64.self, "the number of \(what)")
    guard count >= 0 else {
      throw CheckpointError(.malformed, "the number of \(what) is \(count)")
    }
    return Int(count)
  }

  private func requireRoom(
    _ count: Int, _ what: String, leastByteCount: Int
  ) throws(CheckpointError) {
    guard count <= reader.remainingCount / leastByteCount else {
      throw CheckpointError(
        .malformed,
        "claims \(count) \(what), for which \(reader.remainingCount) bytes have no room")
    }
  }

  private mutating func metadata(count: Int) throws(CheckpointError) -> Metadata {
    var metadata = Metadata()
    for index in 0..<count {
      let key = try reader.string("key \(index)")
      guard !key.isEmpty else { throw CheckpointError(.malformed, "key \(index) is empty") }
      guard metadata[key] == nil else {
        throw CheckpointError(.malformed, "duplicate key \"\(printable(key))\"")
      }
      let type = try reader.integer(UInt32.self, "the type of key \"\(printable(key))\"")
      metadata[key] = try value(type, key)
    }
    return metadata
  }

  private func elementType(
    _ id: UInt32, _ key: String
  ) throws(CheckpointError) -> MetadataValue.ElementType {
    guard let type = MetadataValue.ElementType(rawValue: id) else {
      throw CheckpointError(.malformed, "key \"\(printable(key))\" has the unknown type \(id)")
    }
    return type
  }

  private mutating func value(
    _ typeID: UInt32, _ key: String
  ) throws(CheckpointError) -> MetadataValue {
    let type = try elementType(typeID, key)
    if type == .array { return try array(key) }
    return try scalar(type, key)
  }

  private mutating func scalar(
    _ type: MetadataValue.ElementType, _ key: String
  ) throws(CheckpointError) -> MetadataValue {
    func what() -> String { "the value of key \"\(printable(key))\"" }
    switch type {
    case .uint8: return .uint8(try reader.integer(UInt8.self, what()))
    case .int8: return .int8(try reader.integer(Int8.self, what()))
    case .uint16: return .uint16(try reader.integer(UInt16.self, what()))
    case .int16: return .int16(try reader.integer(Int16.self, what()))
    case .uint32: return .uint32(try reader.integer(UInt32.self, what()))
    case .int32: return .int32(try reader.integer(Int32.self, what()))
    case .uint64: return .uint64(try reader.integer(UInt64.self, what()))
    case .int64: return .int64(try reader.integer(Int64.self, what()))
    case .float32: return .float32(Float(bitPattern: try reader.integer(UInt32.self, what())))
    case .float64: return .float64(Double(bitPattern: try reader.integer(UInt64.self, what())))
    case .string: return .string(try reader.string(what()))
    case .bool:
      let byte = try reader.integer(UInt8.self, what())
      guard byte <= 1 else {
        throw CheckpointError(.malformed, "\(what()) should be 0 or 1, but is \(byte)")
      }
      return .bool(byte == 1)
    case .array:
      throw CheckpointError(
        .unsupported, "key \"\(printable(key))\" is an array of arrays")
    }
  }

  private mutating func array(_ key: String) throws(CheckpointError) -> MetadataValue {
    func what() -> String { "the array of key \"\(printable(key))\"" }
    let type = try elementType(try reader.integer(UInt32.self, what()), key)
    guard type != .array else { return try scalar(.array, key) }
    let claimedCount = try reader.integer(UInt64.self, what())
    guard claimedCount <= UInt64(reader.remainingCount / type.leastByteCount) else {
      throw reader.shortage("\(what()), which claims \(claimedCount) elements")
    }
    let count = Int(claimedCount)
    arrayElementCount += count
    guard arrayElementCount <= Self.maximumArrayElementCount else {
      throw CheckpointError(
        .unsupported, "arrays hold more than \(Self.maximumArrayElementCount) elements")
    }
    switch type {
    case .string:
      var strings: [String] = []
      strings.reserveCapacity(count)
      for index in 0..<count {
        strings.append(try reader.string("string \(index) of key \"\(printable(key))\""))
      }
      return .strings(strings)
    case .float32:
      return .float32s(try numbers(count, UInt32.self, what()).map(Float.init(bitPattern:)))
    case .int32: return .int32s(try numbers(count, Int32.self, what()))
    case .uint32: return .uint32s(try numbers(count, UInt32.self, what()))
    default:
      var values: [MetadataValue] = []
      values.reserveCapacity(count)
      for _ in 0..<count { values.append(try scalar(type, key)) }
      return .array(element: type, values)
    }
  }

  private mutating func numbers<Value: FixedWidthInteger>(
    _ count: Int, _: Value.Type, _ what: @autoclosure () -> String
  ) throws(CheckpointError) -> [Value] {
    let width = MemoryLayout<Value>.size
    let bytes = try reader.take(count * width, what())
    return (0..<count).map {
      Value(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * width, as: Value.self))
    }
  }

  private mutating func tensors(count: Int) throws(CheckpointError) -> [GGUFFile.TensorInfo] {
    var infos: [GGUFFile.TensorInfo] = []
    infos.reserveCapacity(count)
    var names: Set<String> = []
    for index in 0..<count {
      let name = try reader.string("the name of tensor \(index)")
      guard !name.isEmpty, name.utf8.count < 64 else {
        throw CheckpointError(
          .malformed, "a name of \(name.utf8.count) bytes, where 1 to 63 are allowed", tensor: name)
      }
      guard names.insert(name).inserted else {
        throw CheckpointError(.malformed, "stands twice in the file", tensor: name)
      }
      do {
        infos.append(try info(name))
      } catch {
        throw error.ofTensor(name)
      }
    }
    return infos
  }

  private mutating func info(_ name: String) throws(CheckpointError) -> GGUFFile.TensorInfo {
    let rank = try reader.integer(UInt32.self, "the number of dimensions")
    guard (1...4).contains(rank) else {
      throw CheckpointError(.malformed, "\(rank) dimensions, where 1 to 4 are allowed")
    }
    var dimensions: [Int] = []
    for _ in 0..<rank {
      dimensions.append(Int(try reader.integer(Int64.self, "the dimensions")))
    }
    let id = try reader.integer(UInt32.self, "the type")
    guard let type = GGMLType(rawValue: id) else {
      throw CheckpointError(.unsupported, "unknown tensor type \(id)")
    }
    let offset = try reader.integer(UInt64.self, "the offset")
    return GGUFFile.TensorInfo(name: name, dimensions: dimensions, type: type, offset: offset)
  }
}

extension MetadataValue.ElementType {
  /// The fewest bytes that an element takes in a file.
  var leastByteCount: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64, .string: 8
    case .array: 12
    }
  }
}
