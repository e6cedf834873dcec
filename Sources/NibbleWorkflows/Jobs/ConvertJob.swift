internal import NibbleCheckpoints
package import NibbleModels
public import NibbleQuantization
internal import NibbleTensors

/// Writes a model in another file format.
///
/// Quantized matrices keep their codes, arranged as the format has it; where the format has no such scheme they are stored as
/// another that holds the same values, or comes near. They are decoded to floats only for a plain folder, or where a
/// floating-point type is asked for.
public struct ConvertJob: Sendable {
  /// A Hugging Face folder, a `.safetensors` file or a `.gguf` file.
  public var source: String
  /// The file (GGUF) or folder (safetensors) to write.
  public var output: String
  public var format: OutputFormat
  /// F32, F16 or BF16 for every matrix; nil keeps each tensor's type, where the format has it.
  public var floatType: GGMLType?
  /// What the model's channels are scaled by; it computes the same.
  package var scaling = ChannelScaling()
  /// Whether tensors that no scheme of the format holds are decoded and quantized again.
  public var allowsRequantizing = false
  /// Whether float matrices are looked at for a grid, and those that lie on one are stored as codes, exactly.
  public var recoversGrids = false
  /// The grids to look for, the most wanted first; none stands for ``Scheme/usualGrids``.
  public var grids: [Scheme] = []
  /// Whether whatever stands under `output` may be replaced.
  public var replacesOutput = false
  /// Whether to reopen the output and compare it with the source.
  public var isVerifying = true
  /// The most bytes of one safetensors file.
  public var maximumShardByteCount = 5_000_000_000
  /// Whether the output's files say how they were made.
  public var recordsProvenance = true
  /// What the files say, where that is settled.
  package var statedProvenance: Provenance?

  public init(source: String, output: String, format: OutputFormat) {
    self.source = source
    self.output = output
    self.format = format
  }

  /// Writes the model and verifies it. Nothing stands under `output` before it is whole.
  ///
  /// - Throws: `CheckpointError` or `ModelError` for the files, ``RecipeError`` for the request, ``JobCancelled``.
  public func run(_ environment: JobEnvironment = JobEnvironment()) throws -> TransferReport {
    let start = ContinuousClock.now
    try format.requireOutput(output)
    let isSingleFile = format == .gguf || output.hasSuffix(".safetensors")
    if isSingleFile {
      try requireWritableFile(
        output, source: source, signature: format == .gguf ? "GGUF" : nil,
        replacing: replacesOutput)
    }
    let model = try ModelSource.open(source)
    let tasks = try tasks(model, environment)
    var notes = model.notes + notes(tasks)
    if isSingleFile, format != .gguf {
      notes.append("a single file holds tensors only: configuration and tokenizer are not written")
    }
    let writing = ModelWriting(
      tasks: tasks, environment: environment, output: output, notes: notes, phase: "converting",
      isVerifying: isVerifying, start: start)
    let annotations = try OutputOrigin(
      path: source, model: model, recipe: .convert(recipe), calibration: nil, tasks: tasks,
      stated: statedProvenance, isRecorded: recordsProvenance
    ).annotations(environment)
    if format == .gguf {
      var keys = Metadata()
      keys["general.file_type"] = .uint32(fileType(tasks, model))
      if tasks.contains(where: { if case .blocks = $0.type { true } else { false } }) {
        keys["general.quantization_version"] = .uint32(2)
      }
      return try writing.run { [output, keys] plans in
        var metadata = try model.ggufMetadata()
        for key in keys.keys { metadata[key] = keys[key] }
        annotations.write(to: &metadata)
        return try GGUFWriter(path: output, metadata: metadata, plans: plans)
      }
    }
    let folderFormat = format.folderFormat(originalType: model.floatType)
    return try writing.run { [output, maximumShardByteCount, replacesOutput] plans in
      try SafetensorsWriter(
        path: output, plans: plans,
        metadata: annotations.fileMetadata(
          folderFormat?.fileMetadata ?? ["format": "pt"], isSingleFile: isSingleFile),
        maximumShardByteCount: maximumShardByteCount,
        companions: isSingleFile
          ? [:] : annotations.files(try model.folderFiles(for: plans, folderFormat)),
        replacing: replacesOutput)
    }
  }

  /// What would be written, tensor by tensor, and how exact it would be; nothing is.
  ///
  /// - Throws: as ``run(_:)``, for the first tensor that cannot be converted.
  public func plan(_ environment: JobEnvironment = JobEnvironment()) throws -> [TensorReport] {
    try tasks(ModelSource.open(source), environment).map { TensorReport($0, relativeError: nil) }
  }

  func tasks(
    _ model: ModelSource, _ environment: JobEnvironment = JobEnvironment()
  ) throws -> [TensorTask] {
    if format == .gguf, model.naming != .gguf { _ = try model.requireConfig() }
    let naming: TensorNaming = format == .gguf ? .gguf : .huggingFace
    let mapped = model.mapped(to: naming)
    let tasks =
      try repacked(
        mapped.map { tensor in
          let type = type(tensor, in: model)
          return TensorTask(tensor, type: type, reason: reason(tensor.type, type))
            .scaled(by: scaling, of: model, in: naming)
        }, model, environment)
      + model.generatedTensors(for: naming).map { TensorTask($0, type: .plain(.float32)) }
    return try inOrder(recoversGrids ? recovered(tasks, mapped, model, environment) : tasks)
  }

  private func inOrder(_ tasks: [TensorTask]) -> [TensorTask] {
    guard format == .gguf else { return tasks }
    return tasks.sorted { ggufOrder($0.name) < ggufOrder($1.name) }
  }

  private func recovered(
    _ tasks: [TensorTask], _ tensors: [MappedTensor], _ model: ModelSource,
    _ environment: JobEnvironment
  ) throws -> [TensorTask] {
    guard format != .safetensors else {
      throw RecipeError(
        "a plain folder holds no codes: recover grids in another format, such as nibble or gguf")
    }
    let candidates = GridCandidates(
      format: format, folderFormat: format.folderFormat(originalType: model.floatType),
      schemes: grids.isEmpty ? Scheme.usualGrids : grids, environment: environment)
    return try candidates.recovered(tasks, of: tensors)
  }

  private func type(_ tensor: MappedTensor, in model: ModelSource) -> StoredType {
    let source = tensor.type
    if format == .gguf {
      let kept = keptType(tensor, in: model)
      if !isSmall(tensor), let floatType { return StoredType(floatType) }
      return kept
    }
    if let floatType, RowCodec.canDecode(source) { return StoredType(floatType) }
    if source.isQuantized, format == .safetensors { return .plain(.float16) }
    return source
  }

  /// Finds the scheme that each quantized tensor becomes whose arrangement is another in the output.
  ///
  /// - Throws: `CheckpointError` for the first that cannot be kept.
  private func repacked(
    _ tasks: [TensorTask], _ model: ModelSource, _ environment: JobEnvironment
  ) throws -> [TensorTask] {
    let folderFormat = format.folderFormat(originalType: model.floatType)
    let relatives = Dictionary(
      Set(tasks.compactMap(\.sourceType.scheme)).map { ($0, $0.relatives) },
      uniquingKeysWith: { first, _ in first })
    var results = tasks.map { Result<TensorTask, CheckpointError>.success($0) }
    let pool = WorkerPool(threadCount: environment.threadCount)
    results.withUnsafeMutableBufferPointer { results in
      pool.rows(tasks.count) { part in
        for index in part where !environment.cancellation.isCancelled {
          results[index] = Result { () throws(CheckpointError) in
            try repacked(tasks[index], folderFormat, relatives)
          }
        }
      }
    }
    guard !environment.cancellation.isCancelled else { throw JobCancelled() }
    return try results.map { try $0.get() }
  }

  private func repacked(
    _ task: TensorTask, _ folderFormat: (any FolderFormat)?, _ relatives: [Scheme: [Scheme]]
  ) throws(CheckpointError) -> TensorTask {
    var task = task
    guard task.type.isQuantized, task.type == task.sourceType else { return task }
    if format == .gguf, task.type.ggmlType != nil { return task }
    task.folderFormat = folderFormat
    if format != .gguf, task.isCopy, case .scheme = task.type { return task }
    defer { task.releaseSource() }
    func obstacle(_ scheme: Scheme) -> String? {
      guard format == .gguf else { return task.obstacle(to: scheme) }
      return GGMLType(scheme: scheme) == nil ? "no type of GGUF stores \(scheme)" : nil
    }
    let found: Repacking
    do {
      found = try Repacking.find(
        for: task, among: task.sourceType.scheme.flatMap { relatives[$0] } ?? [], obstacle: obstacle
      )
    } catch {
      guard allowsRequantizing, let scheme = Repacking.substitute(for: task, obstacle: obstacle)
      else { throw error }
      task.reason = "requantized: decoded and rounded again"
      task.type =
        format == .gguf
        ? GGMLType(scheme: scheme).map { .blocks($0) } ?? task.type : .scheme(scheme)
      task.method = RoundToNearest(range: scheme.usualRange)
      return task
    }
    task.reason = found.description
    task.isRepacked = true
    if format == .gguf, let type = GGMLType(scheme: found.scheme) {
      task.type = .blocks(type)
    } else {
      task.type = .scheme(found.scheme)
    }
    return task
  }

  private func reason(_ source: StoredType, _ type: StoredType) -> String? {
    guard source.isQuantized, type != source else { return nil }
    return "decoded from \(source.name)"
  }

  private func notes(_ tasks: [TensorTask]) -> [String] {
    let recoveredCount = tasks.filter { $0.recovery != nil }.count
    let notes =
      recoversGrids ? ["\(recoveredCount) matrices lie on a grid and are recovered exactly"] : []
    let decoded = tasks.filter { $0.reason?.hasPrefix("decoded") == true }
    guard let first = decoded.first else { return notes }
    return notes + [
      "\(decoded.count) tensors were quantized and are now decoded to \(first.type.name):"
        + " the file grows, the lost precision does not come back"
    ]
  }

  /// The value of `general.file_type`: that of the float type, or the source's own.
  private func fileType(_ tasks: [TensorTask], _ model: ModelSource) -> UInt32 {
    if let value = model.checkpoint.metadata["general.file_type"]?.integer, floatType == nil,
      !tasks.contains(where: { $0.recovery != nil }), let value = UInt32(exactly: value)
    {
      return value
    }
    var counts: [GGMLType: Int] = [:]
    for task in tasks where task.shape.count > 1 {
      if let type = task.type.ggmlType { counts[type, default: 0] += task.elementCount }
    }
    let main = counts.max { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key
    return QuantizationMix.fileType(of: main)
  }
}
