internal import NibbleCheckpoints
internal import NibbleModels
internal import NibbleQuantization
internal import NibbleTensors

extension QuantizeJob {
  /// Every tensor of the output with its type; in GGUF files in the order in which llama-quantize writes them.
  ///
  /// - Throws: ``RecipeError`` for types that cannot be stored, and `ModelError` when a GGUF file is asked for of a folder
  ///   whose architecture is not known.
  func tasks(_ model: ModelSource) throws -> [TensorTask] {
    if chosenFormat == .gguf, model.naming != .gguf { _ = try model.requireConfig() }
    let naming: TensorNaming = chosenFormat == .gguf ? .gguf : .huggingFace
    let folderNames = Dictionary(
      model.mapped(to: .huggingFace).map { ($0.id.ofAllExperts, $0.name) },
      uniquingKeysWith: { first, _ in first })
    let named = model.mapped(to: .gguf)
    let decisions = try selection.decide(
      named.map { tensor in
        SelectableTensor(
          name: tensor.name, folderName: folderNames[tensor.id.ofAllExperts] ?? "",
          shape: tensor.shape,
          keptType: chosenFormat == .gguf ? keptType(tensor, in: model) : tensor.type)
      }, MixFacts(model))
    let folderFormat = chosenFormat.folderFormat(originalType: model.floatType)
    let decided = Dictionary(
      zip(named.map(\.id.ofAllExperts), decisions), uniquingKeysWith: { first, _ in first })
    var tasks: [TensorTask] = []
    for tensor in model.mapped(to: naming) {
      guard let decision = decided[tensor.id.ofAllExperts] else { continue }
      tasks.append(try task(tensor, decision, folderFormat))
    }
    tasks += model.generatedTensors(for: naming).map { TensorTask($0, type: .plain(.float32)) }
    return naming == .gguf ? tasks.sorted { ggufOrder($0.name) < ggufOrder($1.name) } : tasks
  }

  private func task(
    _ tensor: MappedTensor, _ decision: TypeDecision, _ folderFormat: (any FolderFormat)?
  ) throws(RecipeError) -> TensorTask {
    let type = try storable(decision.type, tensor.name)
    var reason = decision.reason
    if type == tensor.type, type.isQuantized {
      reason = ["already \(type.name): copied", reason].compactMap { $0 }.joined(separator: "; ")
    }
    var task = TensorTask(tensor, type: type, reason: reason)
    task.folderFormat = type.isQuantized ? folderFormat : nil
    // A scheme's name stands for its usual range; the name of a GGUF type for that type's own search.
    var usual: (any RangeEstimator)?
    if case .scheme(let scheme) = decision.type, !scheme.hasNestedScales {
      usual = scheme.usualRange
    }
    task.method = RoundToNearest(range: range ?? usual)
    task.method.findsExactMeans = findsExactMeans
    task.isCalibrated =
      calibration?.findsCodes(of: tensor.id, as: type) ?? false && !task.isCopy
      && tensor.id.block != nil && tensor.id.part == .weight
    if type.isQuantized, !task.isCopy { try requireMethod(task) }
    return task
  }

  /// The type as the output's format stores it.
  private func storable(_ type: StoredType, _ name: String) throws(RecipeError) -> StoredType {
    switch (chosenFormat, type) {
    case (.gguf, .scheme(let scheme)):
      guard let type = GGMLType(scheme: scheme) else {
        throw RecipeError("\(name): no type of GGUF stores \(scheme); say --format safetensors")
      }
      return .blocks(type)
    case (.gguf, _): return type
    case (_, .blocks(let type)):
      guard let scheme = type.scheme else {
        throw RecipeError("\(name): \(type.name) cannot be stored in safetensors")
      }
      return .scheme(scheme)
    default: return type
    }
  }

  /// Refuses ranges for types whose scales are found otherwise, and rows that do not fill blocks.
  private func requireMethod(_ task: TensorTask) throws(RecipeError) {
    guard let scheme = task.type.scheme else { return }
    try requireClipping(task, scheme)
    if scheme.hasColumnOrder, !task.isCalibrated {
      throw RecipeError(
        "\(task.name): \(scheme) orders columns by the inputs that a text gives: it needs --method gptq or imatrix, in the"
          + " matrices of blocks")
    }
    if range != nil, scheme.hasNestedScales {
      throw RecipeError(
        "\(task.name): --range does not apply to \(task.type.name), whose nested scales are searched together"
      )
    }
    if range != nil, case .learned = scheme.element {
      throw RecipeError(
        "\(task.name): --range does not apply to \(scheme), whose levels are learned")
    }
    if case .scheme = task.type {
      let obstacle = task.obstacle(to: scheme)
      if let obstacle { throw RecipeError("\(task.name): \(obstacle)") }
    }
  }
}

/// The type in GGUF files of a tensor that is not quantized: the source's own, but F32 where converters make it of small
/// tensors.
func keptType(_ tensor: MappedTensor, in model: ModelSource) -> StoredType {
  let type = tensor.type
  guard model.checkpoint.format != .gguf else { return type }
  let isFloat = type == .plain(.float16) || type == .plain(.bfloat16)
  return isFloat && isSmall(tensor) || type.ggmlType == nil && !type.isQuantized
    ? .plain(.float32) : type
}

/// Whether converters write the tensor in F32, whatever the type of the matrices.
func isSmall(_ tensor: MappedTensor) -> Bool {
  tensor.shape.count < 2 || tensor.name.holds("norm.weight")
    || [.router, .positionEmbedding].contains(tensor.id.role)
}

extension MixFacts {
  /// What the model's configuration tells; for architectures that are not known, what keys and names tell.
  init(_ model: ModelSource) {
    guard let config = model.config else {
      self.init(model.checkpoint)
      return
    }
    self.init(
      architecture: config.architecture, blockCount: config.blockCount,
      headCount: config.headCount, keyValueHeadCount: config.keyValueHeadCount,
      expertCount: config.expertCount, hasTiedEmbeddings: config.hasTiedEmbeddings)
  }

  private init(_ checkpoint: Checkpoint) {
    let architecture = checkpoint.metadata["general.architecture"]?.string ?? ""
    func count(_ key: String) -> Int {
      max(0, checkpoint.metadata["\(architecture).\(key)"]?.integer ?? 0)
    }
    let blocks = checkpoint.tensors.compactMap { blockIndex(of: $0.name) }
    self.init(
      architecture: architecture, blockCount: (blocks.max() ?? -1) + 1,
      headCount: count("attention.head_count"),
      keyValueHeadCount: count("attention.head_count_kv"), expertCount: count("expert_count"),
      hasTiedEmbeddings: !checkpoint.tensors.contains { isOutputMatrix($0.name) })
  }
}

extension ModelSource {
  /// The files of a Hugging Face folder, its configuration telling how the weights are quantized.
  func folderFiles(
    for plans: [TensorPlan], _ format: (any FolderFormat)?
  ) throws -> [String: [UInt8]] {
    var files = try huggingFaceFiles()
    guard plans.contains(where: { $0.type.isQuantized }), let bytes = files["config.json"],
      var config = try JSONValue.parse(bytes).object
    else { return files }
    var changed: [String: JSONObject] = [:]
    if let format {
      changed = try format.configuration(of: plans, config: config)
    } else {
      config["quantization_config"] = ["quant_method": "nibble", "version": .integer(1)]
      changed["config.json"] = config
    }
    for (name, object) in changed {
      files[name] = Array((JSONValue.object(object).text(.indented(2)) + "\n").utf8)
    }
    return files
  }

  /// The type of the model's plain matrices, the first of them; BF16 where there are none.
  var floatType: DType {
    for tensor in checkpoint.tensors where tensor.shape.count == 2 {
      if case .plain(let type) = tensor.type { return type }
      if case .blocks(let type) = tensor.type, [.f32, .f16, .bf16].contains(type) {
        return type == .f32 ? .float32 : type == .f16 ? .float16 : .bfloat16
      }
    }
    return .bfloat16
  }
}
