/// Writes a safetensors file, or a Hugging Face folder of one or more of them.
///
/// The bytes of each file equal those of the reference library for the same tensors.
public final class SafetensorsWriter: CheckpointWriter {
  private let output: TensorOutput

  /// Writes the headers and reserves room for the tensors.
  ///
  /// - Parameters:
  ///   - path: the final name. One that ends in `.safetensors` means a single file; any other a
  ///     folder with `model.safetensors`, or shards and their index.
  ///   - plans: tensors; shards are filled in this order.
  ///   - metadata: the header's `__metadata__`.
  ///   - maximumShardByteCount: tensor bytes of one shard, unless a single tensor takes more.
  ///   - companions: other files of the folder by name, such as `config.json`; none for a single
  ///     file.
  ///   - replacing: whether a folder that exists and is not empty may be replaced.
  /// - Throws: ``CheckpointError`` when safetensors cannot hold the plans or the output cannot be
  ///   created.
  public init(
    path: String, plans: [TensorPlan], metadata: [String: String] = ["format": "pt"],
    maximumShardByteCount: Int = 5_000_000_000, companions: [String: [UInt8]] = [:],
    replacing: Bool = false
  ) throws(CheckpointError) {
    do throws(CheckpointError) {
      try Self.requireUniqueNames(plans)
      let isFile = path.hasSuffix(".safetensors")
      let shards =
        isFile
        ? [Array(plans.indices)]
        : try Self.shards(plans, maximumByteCount: maximumShardByteCount)
      guard !isFile || companions.isEmpty else {
        throw CheckpointError(.unsupported, "a single file has no companions")
      }
      let headers = try shards.map { shard throws(CheckpointError) in
        try SafetensorsHeader(plans: shard.map { plans[$0] }, metadata: metadata)
      }
      let atomic =
        isFile
        ? try AtomicOutput(file: path) : try AtomicOutput(folder: path, replacing: replacing)
      var files: [OutputFile] = []
      var places = plans.map {
        TensorOutput.Place(name: $0.name, file: 0, offset: 0, byteCount: 0)
      }
      for (number, shard) in shards.enumerated() {
        let file = try atomic.open(Self.fileName(number, of: shards.count))
        try file.reserve(byteCount: headers[number].fileByteCount)
        try file.write(headers[number].bytes)
        for (place, index) in shard.enumerated() {
          places[index].file = number
          places[index].offset = headers[number].offsets[place]
          places[index].byteCount = try plans[index].byteCount
        }
        files.append(file)
      }
      var extras = companions
      if shards.count > 1 {
        extras["model.safetensors.index.json"] = try Self.index(shards, plans)
      }
      for name in extras.keys.sorted() {
        let file = try atomic.open(name)
        try file.write(extras[name] ?? [])
        files.append(file)
      }
      output = TensorOutput(output: atomic, files: files, places: places)
    } catch {
      throw error.inFile(path)
    }
  }

  public func write(
    _ bytes: UnsafeRawBufferPointer, tensor index: Int, at offset: Int
  ) throws(CheckpointError) {
    try output.write(bytes, tensor: index, at: offset)
  }

  public func finish() throws(CheckpointError) { try output.finish() }

  public func cancel() { output.cancel() }

  private static func requireUniqueNames(_ plans: [TensorPlan]) throws(CheckpointError) {
    var names: Set<String> = []
    for plan in plans where !names.insert(plan.name).inserted {
      throw CheckpointError(.malformed, "would stand twice in the output", tensor: plan.name)
    }
  }

  /// Fills shards in order; each holds at least one tensor, if there are any.
  private static func shards(
    _ plans: [TensorPlan], maximumByteCount: Int
  ) throws(CheckpointError) -> [[Int]] {
    var shards: [[Int]] = [[]]
    var filled = 0
    for (index, plan) in plans.enumerated() {
      let byteCount = try plan.byteCount
      if let last = shards.last, !last.isEmpty, byteCount > maximumByteCount - filled {
        shards.append([])
        filled = 0
      }
      shards[shards.count - 1].append(index)
      let (sum, overflow) = filled.addingReportingOverflow(byteCount)
      filled = overflow ? .max : sum
    }
    return shards
  }

  private static func fileName(_ number: Int, of count: Int) -> String {
    count == 1
      ? "model.safetensors"
      : "model-\(fiveDigits(number + 1))-of-\(fiveDigits(count)).safetensors"
  }

  private static func index(
    _ shards: [[Int]], _ plans: [TensorPlan]
  ) throws(CheckpointError) -> [UInt8] {
    var fileNames: [String: String] = [:]
    var total = 0
    for (number, shard) in shards.enumerated() {
      for index in shard {
        fileNames[plans[index].name] = fileName(number, of: shards.count)
        let (sum, overflow) = total.addingReportingOverflow(try plans[index].byteCount)
        guard !overflow else { throw CheckpointError(.malformed, "the data's size overflows") }
        total = sum
      }
    }
    var map = JSONObject()
    for name in fileNames.keys.sorted() { map[name] = .string(fileNames[name] ?? "") }
    let index: JSONValue = [
      "metadata": ["total_size": .integer(Int64(total))], "weight_map": .object(map),
    ]
    return Array((index.text(.indented(2)) + "\n").utf8)
  }
}
