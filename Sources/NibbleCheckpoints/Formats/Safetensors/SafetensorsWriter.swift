/// Writes a safetensors file, or a Hugging Face folder of one or more of them.
///
/// The bytes of each file equal those of the reference library for the same tensors. A tensor that is stored as a scheme
/// becomes several arrays (``SchemeTensors``); its bytes count as these arrays one after another.
public final class SafetensorsWriter: CheckpointWriter {
  private let output: TensorOutput
  /// Where the arrays of each plan's tensor are.
  private let placements: [[ArrayPlacement]]

  /// One array of a tensor: its place among the output's arrays, and the tensor's bytes before it.
  private struct ArrayPlacement: Sendable {
    var array: Int
    var start: Int
  }

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
      let isFile = path.hasSuffix(".safetensors")
      let shards =
        isFile
        ? [Array(plans.indices)]
        : try Self.shards(plans, maximumByteCount: maximumShardByteCount)
      guard !isFile || companions.isEmpty else {
        throw CheckpointError(.unsupported, "a single file has no companions")
      }
      let arrays = try plans.map { plan throws(CheckpointError) in try SchemeTensors.arrays(plan) }
      try Self.requireUniqueNames(arrays.flatMap { $0 })
      let headers = try shards.map { shard throws(CheckpointError) in
        let schemes = try SchemeTensors.metadata(shard.map { plans[$0] })
        return try SafetensorsHeader(
          plans: shard.flatMap { arrays[$0] },
          metadata: metadata.merging(schemes) { _, new in new })
      }
      let atomic =
        isFile
        ? try AtomicOutput(file: path) : try AtomicOutput(folder: path, replacing: replacing)
      var files: [OutputFile] = []
      var places: [TensorOutput.Place] = []
      var placements = plans.map { _ in [ArrayPlacement]() }
      for (number, shard) in shards.enumerated() {
        let file = try atomic.open(Self.fileName(number, of: shards.count))
        try file.reserve(byteCount: headers[number].fileByteCount)
        try file.write(headers[number].bytes)
        var offsets = headers[number].offsets[...]
        for index in shard {
          var start = 0
          for array in arrays[index] {
            let byteCount = try array.byteCount
            placements[index].append(ArrayPlacement(array: places.count, start: start))
            places.append(
              TensorOutput.Place(
                name: array.name, file: number, offset: offsets.removeFirst(), byteCount: byteCount)
            )
            start += byteCount
          }
        }
        files.append(file)
      }
      self.placements = placements
      var extras = companions
      if shards.count > 1 {
        extras["model.safetensors.index.json"] = try Self.index(shards, arrays)
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
    guard let placement = placements[index].last(where: { $0.start <= offset }) else { return }
    try output.write(bytes, tensor: placement.array, at: offset - placement.start)
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
    _ shards: [[Int]], _ arrays: [[TensorPlan]]
  ) throws(CheckpointError) -> [UInt8] {
    var fileNames: [String: String] = [:]
    var total = 0
    for (number, shard) in shards.enumerated() {
      for array in shard.flatMap({ arrays[$0] }) {
        fileNames[array.name] = fileName(number, of: shards.count)
        let (sum, overflow) = total.addingReportingOverflow(try array.byteCount)
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
