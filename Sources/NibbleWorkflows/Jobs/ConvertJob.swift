internal import NibbleCheckpoints
package import NibbleModels
public import NibbleQuantization
internal import NibbleTensors

/// Writes a model in another file format, its values in the same or another floating-point type.
public struct ConvertJob: Sendable {
  /// The formats that a model can be written in.
  public enum Format: String, CaseIterable, Sendable {
    /// One GGUF file.
    case gguf
    /// A Hugging Face folder.
    case safetensors
  }

  /// A Hugging Face folder, a `.safetensors` file or a `.gguf` file.
  public var source: String
  /// The file (GGUF) or folder (safetensors) to write.
  public var output: String
  public var format: Format
  /// F32, F16 or BF16 for every matrix; nil keeps each tensor's type, where the format has it.
  public var floatType: GGMLType?
  /// What the model's channels are scaled by; it computes the same.
  package var scaling = ChannelScaling()
  /// Whether whatever stands under `output` may be replaced.
  public var replacesOutput = false
  /// Whether to reopen the output and compare it with the source.
  public var isVerifying = true
  /// The most bytes of one safetensors file.
  public var maximumShardByteCount = 5_000_000_000

  public init(source: String, output: String, format: Format) {
    self.source = source
    self.output = output
    self.format = format
  }

  /// Writes the model and verifies it. Nothing stands under `output` before it is whole.
  ///
  /// - Throws: `CheckpointError` or `ModelError` for the files, ``JobCancelled``.
  public func run(_ environment: JobEnvironment = JobEnvironment()) throws -> TransferReport {
    let start = ContinuousClock.now
    let isSingleFile = format == .gguf || output.hasSuffix(".safetensors")
    if isSingleFile {
      try requireWritableFile(
        output, source: source, signature: format == .gguf ? "GGUF" : nil,
        replacing: replacesOutput)
    }
    let model = try ModelSource.open(source)
    if format == .gguf, model.naming != .gguf { _ = try model.requireConfig() }
    let tasks = tasks(model)
    var notes = model.notes + notes(tasks)
    if isSingleFile, format == .safetensors {
      notes.append("a single file holds tensors only: configuration and tokenizer are not written")
    }
    let writing = ModelWriting(
      tasks: tasks, environment: environment, output: output, notes: notes, phase: "converting",
      isVerifying: isVerifying, start: start)
    switch format {
    case .gguf:
      var keys = Metadata()
      keys["general.file_type"] = .uint32(fileType(tasks, model))
      if tasks.contains(where: { if case .blocks = $0.type { true } else { false } }) {
        keys["general.quantization_version"] = .uint32(2)
      }
      return try writing.run { [output, keys] plans in
        var metadata = try model.ggufMetadata()
        for key in keys.keys { metadata[key] = keys[key] }
        return try GGUFWriter(path: output, metadata: metadata, plans: plans)
      }
    case .safetensors:
      return try writing.run { [output, maximumShardByteCount, replacesOutput] plans in
        try SafetensorsWriter(
          path: output, plans: plans, metadata: ["format": "pt"],
          maximumShardByteCount: maximumShardByteCount,
          companions: isSingleFile ? [:] : try model.huggingFaceFiles(), replacing: replacesOutput)
      }
    }
  }

  func tasks(_ model: ModelSource) -> [TensorTask] {
    let naming: TensorNaming = format == .gguf ? .gguf : .huggingFace
    let tasks =
      model.mapped(to: naming).map { tensor in
        let type = type(tensor, in: model)
        return TensorTask(tensor, type: type, reason: reason(tensor.type, type))
          .scaled(by: scaling, of: model, in: naming)
      }
      + model.generatedTensors(for: naming).map { TensorTask($0, type: .plain(.float32)) }
    guard format == .gguf else { return tasks }
    return tasks.sorted { ggufOrder($0.name) < ggufOrder($1.name) }
  }

  private func type(_ tensor: MappedTensor, in model: ModelSource) -> StoredType {
    let source = tensor.type
    if format == .gguf {
      let kept = keptType(tensor, in: model)
      if !isSmall(tensor), let floatType { return StoredType(floatType) }
      if case .scheme = kept { return .plain(.float16) }
      return kept
    }
    if let floatType, RowCodec.canDecode(source) { return StoredType(floatType) }
    if source.isQuantized { return .plain(.float16) }
    return source
  }

  private func reason(_ source: StoredType, _ type: StoredType) -> String? {
    guard source.isQuantized, type != source else { return nil }
    return "decoded from \(source.name)"
  }

  private func notes(_ tasks: [TensorTask]) -> [String] {
    let decoded = tasks.filter { $0.reason?.hasPrefix("decoded") == true }
    guard let first = decoded.first else { return [] }
    return [
      "\(decoded.count) tensors were quantized and are now decoded to \(first.type.name):"
        + " the file grows, the lost precision does not come back"
    ]
  }

  /// The value of `general.file_type`: that of the float type, or the source's own.
  private func fileType(_ tasks: [TensorTask], _ model: ModelSource) -> UInt32 {
    if let value = model.checkpoint.metadata["general.file_type"]?.integer, floatType == nil,
      let value = UInt32(exactly: value)
    {
      return value
    }
    var counts: [GGMLType: Int] = [:]
    for task in tasks where task.shape.count > 1 {
      if let type = task.type.ggmlType { counts[type, default: 0] += task.elementCount }
    }
    let main = counts.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key
    return QuantizationMix.allCases.first { $0.baseType == main }?.fileType ?? 0
  }
}
