internal import Foundation
internal import NibbleCheckpoints
internal import NibbleModels
public import NibbleQuantization
internal import NibbleTensors

/// Turns a model into a smaller one and proves what that cost.
public struct QuantizeJob: Sendable {
  /// A Hugging Face folder, a `.safetensors` file or a `.gguf` file.
  public var source: String
  /// The file or folder to write.
  public var output: String
  /// Which tensor gets which type.
  public var selection: TypeSelection
  /// What finds the scale of each group; nil takes each type's own way.
  public var range: (any RangeEstimator)?
  /// Whether learned levels are found by dynamic programming.
  public var findsExactMeans = false
  /// How to quantize with text run through the model; nil quantizes from the weights alone.
  public var calibration: CalibratedQuantization?
  /// What is done to the model before it is quantized.
  public var transforms: [ModelTransform] = []
  /// Whether weights that lie on their type's grid already get the codes that they were decoded from; only others are
  /// quantized.
  public var recoversGrids = false
  /// How to write it; nil takes GGUF for mixes of GGUF's types and safetensors for other schemes.
  public var format: OutputFormat?
  /// Whether tensors that are quantized already may be decoded and quantized again.
  public var allowsRequantizing = false
  /// Whether an output of another kind may be replaced.
  public var replacesAnyFile = false
  /// Whether to reopen the output and compare it with the source.
  public var isVerifying = true
  /// Whether the output's files say how they were made.
  public var recordsProvenance = true
  /// What the files say, where that is settled.
  package var statedProvenance: Provenance?

  public init(source: String, output: String, selection: TypeSelection) {
    self.source = source
    self.output = output
    self.selection = selection
  }

  /// Writes the model and verifies it. Nothing stands under `output` before it is whole.
  ///
  /// - Throws: `CheckpointError` or `ModelError` for the files, ``RecipeError`` for the request, ``JobCancelled``.
  public func run(_ environment: JobEnvironment = JobEnvironment()) throws -> TransferReport {
    try RunLog.around(
      environment.log, ["source": .string(source), "output": .string(output)],
      summary: \.summaryJSON
    ) { try quantize(environment) }
  }

  private func quantize(_ environment: JobEnvironment) throws -> TransferReport {
    let start = ContinuousClock.now
    try chosenFormat.requireOutput(output)
    let isSingleFile = chosenFormat == .gguf || output.hasSuffix(".safetensors")
    if isSingleFile {
      try requireWritableFile(
        output, source: source, signature: chosenFormat == .gguf ? "GGUF" : nil,
        replacing: replacesAnyFile)
    }
    try requireTransforms()
    if recoversGrids, !transforms.isEmpty {
      throw RecipeError("transforms change the weights, which then lie on no grid: leave one out")
    }
    let model = try ModelSource.open(source)
    var tasks = try tasks(model)
    try requireOriginals(tasks)
    var gridNotes: [String] = []
    if recoversGrids {
      let found = try GridSurvey(environment: environment).marked(tasks)
      tasks = found.tasks
      gridNotes = [found.note]
    }
    let folder = URL(filePath: output).deletingLastPathComponent().path
    let runsModel = calibration != nil || !transforms.isEmpty
    let language = runsModel ? try LanguageModel(model, products: .float) : nil
    let transformed = try language.flatMap {
      try transform(tasks, of: $0, spillFolder: folder, environment)
    }
    tasks = transformed?.tasks ?? tasks
    var writing = ModelWriting(
      tasks: tasks, environment: environment, output: output,
      notes: model.notes + gridNotes + (usesBuiltInText ? [CalibrationText.builtInNote] : []),
      phase: "quantizing", isVerifying: isVerifying, start: start)
    writing.scaling = transformed?.report
    for group in transformed?.report.groups ?? [] {
      environment.log?.write("scaled_group", group.json)
    }
    if let calibration, let language, tasks.contains(where: \.isCalibrated) {
      writing.calibrate = { [output] layers in
        try calibration.run(
          language, layers, scaling: transformed?.scaling ?? ChannelScaling(), output: output,
          environment)
      }
    }
    let annotations = try OutputOrigin(
      path: source, model: model, recipe: .quantize(recipe), calibration: calibrationSource,
      tasks: tasks, stated: statedProvenance, isRecorded: recordsProvenance
    ).annotations(environment)
    if chosenFormat == .gguf {
      return try writing.run { [output, fileType] plans in
        var metadata = try model.ggufMetadata()
        metadata["general.quantization_version"] = .uint32(2)
        metadata["general.file_type"] = .uint32(fileType)
        annotations.write(to: &metadata)
        return try GGUFWriter(path: output, metadata: metadata, plans: plans)
      }
    }
    let folderFormat = chosenFormat.folderFormat(originalType: model.floatType)
    return try writing.run { [output, replacesAnyFile] plans in
      try SafetensorsWriter(
        path: output, plans: plans,
        metadata: annotations.fileMetadata(
          folderFormat?.fileMetadata ?? ["format": "pt"], isSingleFile: isSingleFile),
        companions: isSingleFile
          ? [:] : annotations.files(try model.folderFiles(for: plans, folderFormat)),
        replacing: replacesAnyFile)
    }
  }

  /// The format that ``format``, the types or the output's name ask for.
  var chosenFormat: OutputFormat {
    if let format { return format }
    if case .mix = selection.base { return .gguf }
    if output.hasSuffix(".gguf") { return .gguf }
    return .safetensors
  }

  /// The value of GGUF's `general.file_type`.
  private var fileType: UInt32 {
    switch selection.base {
    case .mix(let mix): return mix.fileType
    case .scheme(let scheme): return QuantizationMix.fileType(of: GGMLType(scheme: scheme))
    }
  }

  /// Refuses to quantize what is quantized already, unless that was asked for.
  private func requireOriginals(_ tasks: [TensorTask]) throws(CheckpointError) {
    for task in tasks where task.type != task.sourceType {
      if !RowCodec.canDecode(task.sourceType) {
        throw CheckpointError(
          .unsupported, "values of type \(task.sourceType.name) cannot become \(task.type.name)",
          file: source, tensor: task.name)
      }
      guard task.sourceType.isQuantized, !allowsRequantizing else { continue }
      throw CheckpointError(
        .unsupported,
        "is already quantized to \(task.sourceType.name); quantizing it again to \(task.type.name)"
          + " adds up both errors; say --allow-requantize to do so anyway",
        file: source, tensor: task.name)
    }
  }
}
