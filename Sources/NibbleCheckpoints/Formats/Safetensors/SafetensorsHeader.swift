internal import NibbleTensors

/// The first bytes of a safetensors file and the places of its tensors, as the reference library
/// lays them out: by element type, widest first, then by name.
struct SafetensorsHeader {
  /// The length field and the JSON, padded with spaces to a multiple of 8.
  let bytes: [UInt8]
  /// Where each plan's tensor begins, from the start of the file.
  let offsets: [Int]
  let fileByteCount: Int

  /// Lays out `plans`, whose names must be unique.
  ///
  /// - Throws: ``CheckpointError`` for what safetensors cannot hold.
  init(plans: [TensorPlan], metadata: [String: String]) throws(CheckpointError) {
    var ranks: [Int] = []
    var byteCounts: [Int] = []
    for plan in plans {
      guard case .plain(let type) = plan.type, let rank = Self.order.firstIndex(of: type) else {
        throw CheckpointError(
          .unsupported, "safetensors cannot hold \(plan.type.name) values", tensor: plan.name)
      }
      guard plan.name != "__metadata__" else {
        throw CheckpointError(.unsupported, "the name is reserved", tensor: plan.name)
      }
      ranks.append(rank)
      byteCounts.append(try plan.byteCount)
    }
    let order = plans.indices.sorted { left, right in
      ranks[left] != ranks[right]
        ? ranks[left] < ranks[right]
        : plans[left].name.utf8.lexicographicallyPrecedes(plans[right].name.utf8)
    }
    var header = JSONObject()
    if !metadata.isEmpty {
      var object = JSONObject()
      for key in metadata.keys.sorted() { object[key] = .string(metadata[key] ?? "") }
      header["__metadata__"] = .object(object)
    }
    var offsets = [Int](repeating: 0, count: plans.count)
    var end = 0
    for index in order {
      let plan = plans[index]
      let (sum, overflow) = end.addingReportingOverflow(byteCounts[index])
      guard !overflow else { throw CheckpointError(.malformed, "the data's size overflows") }
      header[plan.name] = [
        "dtype": .string(plan.type.name),
        "shape": .array(plan.shape.map { .integer(Int64($0)) }),
        "data_offsets": [.integer(Int64(end)), .integer(Int64(sum))],
      ]
      offsets[index] = end
      end = sum
    }
    var json = Array(JSONValue.object(header).text(.compact).utf8)
    json.append(contentsOf: repeatElement(0x20, count: (8 - json.count % 8) % 8))
    guard json.count <= SafetensorsFile.maximumHeaderByteCount else {
      throw CheckpointError(.unsupported, "the header would take \(json.count) bytes")
    }
    let start = 8 + json.count
    let (fileByteCount, overflow) = start.addingReportingOverflow(end)
    guard !overflow else { throw CheckpointError(.malformed, "the data's size overflows") }
    bytes = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Array($0) } + json
    self.offsets = offsets.map { start + $0 }
    self.fileByteCount = fileByteCount
  }

  /// Element types in file order.
  static let order: [DType] = [
    .uint64, .int64, .float64, .complex64, .float32, .uint32, .int32, .bfloat16, .float16,
    .uint16, .int16, .float8E5M2FNUZ, .float8E4M3FNUZ, .float8E8M0, .float8E4M3, .float8E5M2,
    .int8, .uint8, .float6E3M2, .float6E2M3, .float4, .bool,
  ]
}
