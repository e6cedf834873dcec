internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

/// Turns a model into a smaller GGUF file and proves what that cost.
public struct QuantizeJob: Sendable {
  /// A Hugging Face folder, a `.safetensors` file or a `.gguf` file.
  public var source: String
  /// The GGUF file to write.
  public var output: String
  /// Which tensor gets which type.
  public var selection: TypeSelection
  /// Whether tensors that are quantized already may be decoded and quantized again.
  public var allowsRequantizing = false
  /// Whether a file that is no GGUF file may be replaced.
  public var replacesAnyFile = false
  /// Whether to reopen the output and compare it with the source.
  public var isVerifying = true

  public init(source: String, output: String, selection: TypeSelection) {
    self.source = source
    self.output = output
    self.selection = selection
  }

  /// Writes the file and verifies it. Nothing stands under `output` before it is whole.
  ///
  /// - Throws: `CheckpointError` or `ModelError` for the files, ``RecipeError`` for the request, ``JobCancelled``.
  public func run(_ environment: JobEnvironment = JobEnvironment()) throws -> TransferReport {
    let start = ContinuousClock.now
    try requireWritableFile(
      output, source: source, signature: "GGUF", replacing: replacesAnyFile)
    let model = try ModelSource.open(source)
    let tasks = try tasks(model)
    try requireOriginals(tasks)
    let writing = ModelWriting(
      tasks: tasks, environment: environment, output: output, notes: model.notes,
      phase: "quantizing", isVerifying: isVerifying, start: start)
    return try writing.run { [output, fileType = selection.mix.fileType] plans in
      var metadata = try model.ggufMetadata()
      metadata["general.quantization_version"] = .uint32(2)
      metadata["general.file_type"] = .uint32(fileType)
      return try GGUFWriter(path: output, metadata: metadata, plans: plans)
    }
  }

  /// Every tensor of the output with its type, in the order in which llama-quantize writes them.
  func tasks(_ model: ModelSource) throws(RecipeError) -> [TensorTask] {
    let mapped = model.mapped(to: .gguf)
    let tensors = mapped.map { tensor in
      SelectableTensor(
        name: tensor.name, shape: tensor.shape, keptType: keptType(tensor, in: model))
    }
    let decisions = try selection.decide(tensors, MixFacts(model))
    let tasks =
      zip(mapped, decisions).map { tensor, decision in
        let type = StoredType(decision.type)
        var reason = decision.reason
        if type == tensor.record.type, case .blocks = type {
          reason = ["already \(type.name): copied", reason].compactMap { $0 }.joined(
            separator: "; ")
        }
        return TensorTask(tensor, type: type, reason: reason)
      }
      + model.generatedTensors(for: .gguf).map { TensorTask($0, type: .plain(.float32)) }
    return tasks.sorted { ggufOrder($0.name) < ggufOrder($1.name) }
  }

  /// Refuses to quantize what is quantized already, unless that was asked for.
  private func requireOriginals(_ tasks: [TensorTask]) throws(CheckpointError) {
    for task in tasks where task.type != task.sourceType {
      if !RowCodec.canDecode(task.sourceType) {
        throw CheckpointError(
          .unsupported, "values of type \(task.sourceType.name) cannot become \(task.type.name)",
          file: source, tensor: task.name)
      }
      guard case .blocks = task.sourceType, !allowsRequantizing else { continue }
      throw CheckpointError(
        .unsupported,
        "is already quantized to \(task.sourceType.name); quantizing it again to \(task.type.name)"
          + " adds up both errors; say --allow-requantize to do so anyway",
        file: source, tensor: task.name)
    }
  }
}

/// The type of a tensor that is not quantized: the source's own in GGUF files; converters make F32 of small tensors.
func keptType(_ tensor: MappedTensor, in model: ModelSource) -> GGMLType {
  let type = tensor.record.type.ggmlType ?? .f32
  let isFloat = type == .f16 || type == .bf16
  let isSmall = tensor.shape.count < 2 || tensor.name.holds("norm.weight")
  return model.checkpoint.format != .gguf && isFloat && isSmall ? .f32 : type
}

extension MixFacts {
  init(_ model: ModelSource) {
    let config = model.config
    self.init(
      architecture: config.architecture, blockCount: config.blockCount,
      headCount: config.headCount, keyValueHeadCount: config.keyValueHeadCount,
      expertCount: config.expertCount, hasTiedEmbeddings: config.hasTiedEmbeddings)
  }
}
